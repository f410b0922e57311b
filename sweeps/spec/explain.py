"""Turn what is wrong with a file into lines for people: file, line, path, what is expected, what was there."""

import re

from pydantic import BaseModel, ValidationError

from sweeps.spec.pydantic_errors import LIST_ADVICE, describe_detail, is_echo
from sweeps.spec.scalars import Finding
from sweeps.spec.source import Path, Source


def explain(error: ValidationError, source: Source, model: type[BaseModel]) -> list[str]:
    """Describe every mistake, in the order of the file."""
    return place_findings(list_findings(error, model), source)


def list_findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """List the mistakes that pydantic found, in our words."""
    details = [detail for detail in error.errors(include_url=False) if not is_echo(detail)]
    return [finding for detail in details for finding in describe_detail(detail, model)]


def place_findings(mistakes: list[Finding], source: Source) -> list[str]:
    """Write each mistake once, with its file, line and path; sort by line."""
    lines = [_write_line(source.place(path), path, text) for path, text in dict.fromkeys(mistakes)]
    return sorted(lines, key=_position)


def _write_line(place: str, path: Path, text: str) -> str:
    """Write one mistake; for a value of the command line, advice to write a list names its key."""
    if place.startswith("command line: "):
        text = text.replace(f"{LIST_ADVICE}[", f"{LIST_ADVICE}{'.'.join(map(str, path))}=[")
    return f"{place}: {_dotted(path)}{text}"


def _dotted(path: Path) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _position(line: str) -> tuple[bool, int]:
    """Sort by line number; mistakes on the command line come last."""
    match = re.match(r"[^:]*:(\d+): ", line)
    return match is None, int(match[1]) if match else 0

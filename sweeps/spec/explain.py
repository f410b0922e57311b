"""Turn what is wrong with a file into lines for people: file, line, path, what is expected, what was there."""

import re

from pydantic import BaseModel, ValidationError

from sweeps.formatting import name_place
from sweeps.spec.pydantic_errors import describe_detail, is_echo
from sweeps.spec.scalars import LIST_ADVICE, RULE_ADVICE, Finding
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
        key = ".".join(map(str, path))
        head, advice, form = text.partition(f"{LIST_ADVICE}[")
        if advice:
            text = f"{head}{LIST_ADVICE}{key}=[{form.replace(RULE_ADVICE, RULE_ADVICE.replace('{', f'{key}={{'))}"
    return f"{place}: {_name_path(path)}{text}"


def _name_path(path: Path) -> str:
    """Name a path: "train.rank: ", or "the 2nd of evaluate: answers.check: ", as people count the items of a list."""
    names, keys = list[str](), list[str]()
    for part in path:
        if isinstance(part, int):
            names.append(f"the {name_place(part + 1)} of {'.'.join(keys) or 'it'}")
            keys = []
        else:
            keys.append(part)
    return "".join(f"{name}: " for name in (*names, ".".join(keys)) if name)


def _position(line: str) -> tuple[bool, int]:
    """Sort by line number; mistakes on the command line come last."""
    match = re.match(r"[^:]*:(\d+): ", line)
    return match is None, int(match[1]) if match else 0

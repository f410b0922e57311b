"""What is wrong with a file, told to people: file, line, path, what was found, what would be right."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ValidationError

from sweeps.spec.paths import section
from sweeps.spec.pydantic_errors import findings, is_echo
from sweeps.spec.rules import check
from sweeps.spec.scalars import Finding
from sweeps.spec.source import Path, Source

if TYPE_CHECKING:
    from sweeps.spec.model import Sweep


def explain(error: ValidationError, source: Source, model: type[BaseModel]) -> list[str]:
    """Every finding, in the order of the file."""
    found = _found(error, model)
    return _placed([*found, *_further(found, source, model)], source)


def explain_file(error: ValidationError, source: Source, model: type[BaseModel]) -> list[str]:
    """The same of a file that states no sweep."""
    return _placed(_found(error, model), source)


def _found(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    details = [detail for detail in error.errors(include_url=False) if not is_echo(detail)]
    return [finding for detail in details for finding in findings(detail, model)]


def _placed(found: list[Finding], source: Source) -> list[str]:
    lines = [f"{source.place(path)}: {_dotted(path)}{text}" for path, text in dict.fromkeys(found)]
    return sorted(lines, key=_position)


def _further(found: list[Finding], source: Source, model: type[BaseModel]) -> list[Finding]:
    """What the rules between keys say of the keys that are themselves in order."""
    broken = frozenset(str(path[0]) for path, _ in found if path)
    if not broken or not isinstance(source.value, Mapping):
        return []
    whole = {key: value for key, value in source.value.items() if key in model.model_fields and key not in broken}
    read = {key: section(model, key).validate_python(value) for key, value in whole.items()}
    draft = cast("Sweep", model.model_construct(**read))
    return [(path, text) for path, text in check(draft, without=broken) if path[0] not in broken]


def _dotted(path: Path) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _position(line: str) -> tuple[bool, int]:
    """By line number; what the command line says comes last."""
    match = re.match(r"[^:]*:(\d+): ", line)
    return match is None, int(match[1]) if match else 0

"""Values of the command line, put over those of the file: `train.rank=8`, `seeds=5`."""

from collections.abc import Sequence

from sweeps.errors import SpecError
from sweeps.paths import put
from sweeps.source import Path, Source
from sweeps.yaml import read

FLAT = ("vary", "when")  # their keys are dotted paths themselves


def override(source: Source, overrides: Sequence[str]) -> Source:
    """The document with each `path=value` in place, read by the file's own rules.

    Raises SpecError naming each override that cannot be read.
    """
    findings = []
    for given in overrides:
        try:
            source = _put(source, given)
        except SpecError as error:
            findings.append(str(error))
    if findings:
        raise SpecError("\n".join(findings))
    return source


def _put(source: Source, given: str) -> Source:
    dotted, separator, text = given.partition("=")
    path = _path(dotted.strip())
    place = f"override {given!r}"
    if not separator or not all(path):
        raise SpecError(f"{place}: a path, `=` and a value are right, as train.rank=8")
    if not isinstance(source.value, dict | None):
        return source
    try:
        value = read(text, place).value
    except SpecError:
        raise SpecError(f"{place}: {text!r} is not a value; quote it, or write it as in the file") from None
    kept = {where: line for where, line in source.places.items() if where[: len(path)] != path}
    above: dict[Path, str] = {path[:end]: place for end in range(1, len(path))}  # what the file itself lacks
    places: dict[Path, str] = {**above, **kept, path: place}
    return Source(source.name, put(source.value or {}, path, value), places)


def _path(dotted: str) -> tuple[str, ...]:
    head, _, rest = dotted.partition(".")
    if head in FLAT and rest:
        return head, rest
    return tuple(dotted.split("."))

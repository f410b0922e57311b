"""Put values of the command line over those of the file: `train.rank=8`, `seeds=5`.

The shell has already removed its quotes. So everything after the first `=` is one word: a number, true or false, null,
or else the text as it is, even with `#`, `: `, `*`, `&`, `!`, `%`, `@`, `=` or line breaks in it. Spaces around it do
not count. null removes a list or a section. A value that begins with `[`, `{`, `"` or `'` is a list, a mapping or
quoted text as in the file, and must end as one.
"""

from collections.abc import Mapping, Sequence

from sweeps.errors import SpecError
from sweeps.spec.paths import drop, get, put
from sweeps.spec.scalars import show
from sweeps.spec.source import Path, Plain, Source
from sweeps.spec.yaml import read_value, read_word

OPENING = {"[": "a list", "{": "a mapping", '"': "a quoted text", "'": "a quoted text"}
FLAT = ("vary", "when")  # their keys are dotted paths


def override(source: Source, overrides: Sequence[str]) -> Source:
    """Put each `path=value` into the document, read by the rules of the file.

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
    place = f"command line: {show(given)}"
    if not separator or not all(path):
        raise SpecError(f"{place}: expected a path, `=` and a value, such as train.rank=8")
    if not isinstance(source.value, dict | None):
        return source
    value = _value(text.strip(), place)
    kept = {where: line for where, line in source.places.items() if where[: len(path)] != path}
    above: dict[Path, str] = {path[:end]: place for end in range(1, len(path))}  # sections that the file does not have
    places: dict[Path, str] = {**above, **kept, path: place}
    written = source.value or {}
    is_section = isinstance(get(written, path), Mapping | list)
    changed = drop(written, path) if value is None and is_section else put(written, path, value)
    return Source(source.name, changed, places)


def _value(text: str, place: str) -> Plain:
    if not text:
        raise SpecError(f"{place}: expected a value after `=`; write null to remove the value, \"''\" for empty text")
    try:
        text = text.encode(errors="surrogateescape").decode()  # as the bytes come where the system knows ASCII only
    except (UnicodeEncodeError, UnicodeDecodeError):
        raise SpecError(f"{place}: expected UTF-8 text, got other bytes") from None
    if text[0] not in OPENING:
        return read_word(text, place)
    kind = OPENING[text[0]]
    value, rest = read_value(text, place)
    if rest.strip():
        advice = f"close it, or, if all of it is text, quote it once more: {_quoted(text)}"
        raise SpecError(f"{place}: expected {kind}, got {show(text)}, which does not end as one; {advice}")
    return value


def _quoted(text: str) -> str:
    """Quote the text, so that all of it is text."""
    return "'" + text.replace("'", "''") + "'"


def _path(dotted: str) -> tuple[str, ...]:
    head, _, rest = dotted.partition(".")
    if head in FLAT and rest:
        return head, rest
    return tuple(dotted.split("."))

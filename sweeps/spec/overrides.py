"""Values of the command line, put over those of the file: `train.rank=8`, `seeds=5`.

The shell has quoted such a value already. So what stands behind the first `=` is one word of the file, whole: a number,
true or false, null, or else the text as it is, whatever it has of `#`, `: `, `*`, `&`, `!`, `%`, `@`, `=` or lines.
Spaces around it do not count. Only what begins with `[`, `{`, `"` or `'` is a list, a mapping or a quoted text, by the
file's own rules, and has to end as one.
"""

from collections.abc import Sequence

from sweeps.errors import SpecError
from sweeps.spec.paths import put
from sweeps.spec.scalars import show
from sweeps.spec.source import Path, Plain, Source
from sweeps.spec.yaml import read_value, read_word

OPENING = {"[": "a list", "{": "a mapping", '"': "a quoted text", "'": "a quoted text"}
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
    place = f"override {show(given)}"
    if not separator or not all(path):
        raise SpecError(f"{place}: a path, `=` and a value are right, as train.rank=8")
    if not isinstance(source.value, dict | None):
        return source
    value = _value(text.strip(), place)
    kept = {where: line for where, line in source.places.items() if where[: len(path)] != path}
    above: dict[Path, str] = {path[:end]: place for end in range(1, len(path))}  # what the file itself lacks
    places: dict[Path, str] = {**above, **kept, path: place}
    return Source(source.name, put(source.value or {}, path, value), places)


def _value(text: str, place: str) -> Plain:
    if not text:
        raise SpecError(f"{place}: nothing found behind `=`; null takes a value away, \"''\" is an empty text")
    try:
        text = text.encode(errors="surrogateescape").decode()  # as the bytes come where the system knows ASCII only
    except (UnicodeEncodeError, UnicodeDecodeError):
        raise SpecError(f"{place}: bytes that are not UTF-8 found; text is right") from None
    if text[0] not in OPENING:
        return read_word(text, place)
    kind = OPENING[text[0]]
    value, rest = read_value(text, place)
    if rest.strip():
        right = f"end it as {kind}, or, if all of it is text, quote it once more: {_quoted(text)}"
        raise SpecError(f"{place}: {show(text)} begins as {kind} and is not a value; {right}")
    return value


def _quoted(text: str) -> str:
    """The text as a value that means it."""
    return "'" + text.replace("'", "''") + "'"


def _path(dotted: str) -> tuple[str, ...]:
    head, _, rest = dotted.partition(".")
    if head in FLAT and rest:
        return head, rest
    return tuple(dotted.split("."))

"""Read YAML text to plain values, and remember the line of each.

The rules are those of YAML 1.2's core schema. They are applied here and not by the library, whose own resolver still
makes dates of `2026-12-01`: `1e-4` and `2e6` are numbers, `22:00`, `no` and dates are strings. Keys are always text.
Refused, each with its line: a key given twice, a merge key (`<<`), a tag, a second document, an alias to a value that
contains it, a number that is too large, `%YAML 1.1`.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from sweeps.errors import SpecError
from sweeps.spec.source import Path, Plain, Source

LONGEST = 1_000_000  # characters of one file: a sweep has ranges, and its data is in other files
MOST_VALUES = 100_000  # of one file, aliases expanded: more is a mistake, or a bomb of anchors

BYTE_ORDER_MARK = "\ufeff"  # some editors write it at the beginning of a file

WORDS: Mapping[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]{1,300}")  # Python itself refuses longer ones
RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(slots=True)
class Node:
    """A value as it was read: `value` holds nodes where there are children."""

    value: bool | int | float | str | list["Node"] | dict[str, "KeyValue"] | None
    line: int
    finished: bool = True


class KeyValue(NamedTuple):
    """The value of a key, and the line of the key, where people look for it."""

    line: int
    node: Node


def read_scalar(text: str) -> bool | int | float | str | None:
    """Read an unquoted word by YAML 1.2's core schema."""
    if text in WORDS:
        return WORDS[text]  # type: ignore[return-value]  # WORDS holds no lists
    if INTEGER.fullmatch(text):
        return int(text)
    if RADIX.fullmatch(text):
        return int(text, 0)
    if FLOAT.fullmatch(text):
        return float(text.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan"))
    return text


class Reader:
    """Builds nodes from the parser's events; it collects all mistakes instead of raising the first."""

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self.name = name
        self.end = 0  # of what has been read, in characters
        self.events = self.count_events(events)
        self.anchors: dict[str, Node] = {}
        self.findings: list[str] = []

    def count_events(self, events: Iterator[Any]) -> Iterator[Any]:
        for event in events:
            self.end = event.end_mark.index
            yield event

    def document(self) -> Node:
        """Read the one document of the text; an empty text is null."""
        root = Node(None, 0)
        for count, start in enumerate(event for event in self.events if isinstance(event, DocumentStartEvent)):
            if start.version not in (None, (1, 2)):
                version = ".".join(map(str, start.version))
                self.refuse(start.start_mark.line, f"expected YAML 1.2, got %YAML {version}; leave the line out")
            if count:
                self.refuse(0, "expected one document, got a second one (`---`); write one file for each sweep")
                break
            root = self.node(next(self.events))
        return root

    def refuse(self, line: int, message: str) -> None:
        self.findings.append(f"{self.name}:{line + 1}: {message}")

    def node(self, event: Any) -> Node:
        line = event.start_mark.line
        if isinstance(event, AliasEvent):
            return self.alias(event.anchor, line)
        self.refuse_tag(event)
        node = Node(None, line, finished=False)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if isinstance(event, ScalarEvent):
            node.value = self.scalar(event.value, line) if event.style is None else event.value
        elif isinstance(event, SequenceStartEvent):
            node.value = self.items()
        elif isinstance(event, MappingStartEvent):
            node.value = self.pairs()
        node.finished = True
        return node

    def refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.refuse(event.start_mark.line, f"expected a value without a tag, got {tag}; write the plain value")

    def scalar(self, text: str, line: int) -> bool | int | float | str | None:
        """Read an unquoted word; a number that is too large would become infinite, so it is refused."""
        value = read_scalar(text)
        if isinstance(value, float) and math.isinf(value) and "inf" not in text.lower():
            self.refuse(line, f"got {text[:40]}, which is too large for a number")
        return value

    def alias(self, anchor: str, line: int) -> Node:
        node = self.anchors.get(anchor)
        if node is None or not node.finished:
            self.refuse(line, f"got *{anchor}, and no complete value before it is named &{anchor}")
            return Node(None, line)
        return node

    def items(self) -> list[Node]:
        return [self.node(event) for event in self.read_until("SequenceEndEvent")]

    def pairs(self) -> dict[str, KeyValue]:
        pairs: dict[str, KeyValue] = {}
        for event in self.read_until("MappingEndEvent"):
            if not isinstance(event, ScalarEvent):
                self.refuse(event.start_mark.line, "expected a key that is text, got another value")
                self.node(event)
                self.node(next(self.events))
                continue
            line, key = event.start_mark.line, event.value
            self.refuse_tag(event)
            if key == "<<":
                advice = "write the keys out, or use an alias for a whole value (one: &base {…}, other: *base)"
                self.refuse(line, f"got <<, a merge key, which YAML 1.2 does not have; {advice}")
            if key in pairs:
                self.refuse(line, f"got the key {key} twice (first on line {pairs[key].line + 1}); keep one")
            pairs.setdefault(key, KeyValue(line, self.node(next(self.events))))
        return pairs

    def read_until(self, end: str) -> Iterator[Any]:
        for event in self.events:
            if type(event).__name__ == end:
                return
            yield event


class Unfolding:
    """Turns nodes into plain values, and remembers the place of every path."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, str] = {}

    def value(self, line: int, node: Node, path: Path = ()) -> Plain:
        if len(self.places) > MOST_VALUES:
            raise SpecError(f"{self.name}: expected at most {MOST_VALUES:,} values, got more; write a range as an axis")
        self.places[path] = f"{self.name}:{line + 1}"
        if isinstance(node.value, dict):
            return {key: self.value(*pair, (*path, key)) for key, pair in node.value.items()}
        if isinstance(node.value, list):
            return [self.value(child.line, child, (*path, index)) for index, child in enumerate(node.value)]
        return node.value


def read_word(text: str, name: str) -> Plain:
    """Read the whole text as one unquoted word. Raises SpecError for a number that is too large."""
    reader = Reader(name, iter(()))
    value = reader.scalar(text, 0)
    if reader.findings:
        raise SpecError("\n".join(reader.findings))
    return value


def read_value(text: str, name: str) -> tuple[Plain, str]:
    """Read the quoted text, or the list or mapping in brackets, at the beginning of the text; return the rest too.

    If there is no such value, the rest is the whole text. Raises SpecError for a value that a file may not have.
    """
    reader = Reader(name, iter(YAML(typ="safe", pure=True).parse(text)))
    with suppress(YAMLError, RecursionError):
        first = next(event for event in reader.events if not isinstance(event, StreamStartEvent | DocumentStartEvent))
        if not isinstance(first, MappingStartEvent | SequenceStartEvent) or first.flow_style:
            root = reader.node(first)
            if reader.findings:
                raise SpecError("\n".join(reader.findings))
            return Unfolding(name).value(0, root), text[reader.end :]
    return None, text


# What the library says, and what is wrong in plain words. The first match counts.
MISREAD = (
    ("found character '\\t'", "expected spaces before a key or a value, got a tab"),
    ("found character", "a value begins with a character that YAML reserves; quote the text"),
    ("mapping values are not allowed", "got a second `: ` on the line, or a key with the wrong indent; quote the text"),
    ("could not find expected ':'", "expected `:` after a key"),
    ("end of stream", "a quote is not closed"),
    ("'<stream end>'", "a bracket or a quote is not closed"),
    ("expected ',' or ']'", "expected `,` or `]` in a list"),
    ("expected ',' or '}'", "expected `,` or `}` in a mapping"),
    ("expected <block end>", "the indent does not match any line above it"),
    ("expected alphabetic", "expected a name after `&` or `*`; quote the text if it is text"),
    ("special characters", "got a character that text cannot contain; remove it"),
    ("escape", "got an unknown escape in a text in double quotes; single quotes have no escapes"),
)


def _misread(error: MarkedYAMLError) -> str:
    message = f"{error.problem or ''} {error.context or ''}"
    return next((right for sign, right in MISREAD if sign in message), "a bracket, a quote or an indent is wrong here")


def read(text: str, name: str) -> Source:
    """Read text to values and places. Raises SpecError with every mistake in the YAML, each with its line."""
    if len(text) > LONGEST:
        advice = "write ranges as axes, and data in files of their own"
        raise SpecError(f"{name}: expected at most {LONGEST:,} characters, got {len(text):,}; {advice}")
    yaml = YAML(typ="safe", pure=True)
    reader = Reader(name, iter(yaml.parse(text.removeprefix(BYTE_ORDER_MARK))))
    try:
        root = reader.document()
        if reader.findings:
            raise SpecError("\n".join(reader.findings))
        unfolding = Unfolding(name)
        return Source(name, unfolding.value(root.line, root), unfolding.places)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise SpecError("\n".join([*reader.findings, f"{where}: not YAML: {_misread(error)}"])) from None
    except RecursionError:
        raise SpecError(f"{name}: values are nested too deep for a sweep file") from None
    except YAMLError as error:
        odd = isinstance(error, ReaderError)
        problem = "got a character that text cannot contain" if odd else "lists or mappings are nested too deep"
        raise SpecError(f"{name}: not YAML: {problem}; remove it") from None

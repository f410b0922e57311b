"""YAML text as plain values, and the line on which each one stands.

The rules are those of YAML 1.2's core schema, resolved here and not by the library, whose own resolver still
makes dates of `2026-12-01`: `1e-4` and `2e6` are numbers, `22:00`, `no` and dates are strings. Keys are
always text. Refused, each with its line: a key given twice, a tag, a second document, an alias to what holds it.
"""

import re
from collections.abc import Iterator, Mapping
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
)

from sweeps.errors import SpecError
from sweeps.source import Path, Plain, Source

MOST_VALUES = 100_000  # of one file, aliases expanded: more is a mistake, or a bomb of anchors

WORDS: Mapping[str, Plain] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]{1,300}")  # beyond that Python itself refuses sooner or later
RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(slots=True)
class Node:
    """A value as it was read: `value` holds nodes where there are children."""

    value: bool | int | float | str | list["Node"] | dict[str, "Pair"] | None
    line: int
    finished: bool = True


class Pair(NamedTuple):
    """What stands under a key, and the line of the key: that is where people look for it."""

    line: int
    node: Node


def scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted word means in YAML 1.2's core schema."""
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
    """Builds nodes from the parser's events; findings are collected, not raised one by one."""

    def __init__(self, name: str, events: Iterator[Any]) -> None:
        self.name = name
        self.events = events
        self.anchors: dict[str, Node] = {}
        self.findings: list[str] = []

    def document(self) -> Node:
        """The one document of the text; nothing at all is the null value."""
        root = Node(None, 0)
        for count, _ in enumerate(event for event in self.events if isinstance(event, DocumentStartEvent)):
            if count:
                self.refuse(0, "a second document (`---`); one file is one sweep")
                break
            root = self.node(next(self.events))
        return root

    def refuse(self, line: int, message: str) -> None:
        self.findings.append(f"{self.name}:{line + 1}: {message}")

    def node(self, event: Any) -> Node:
        line = event.start_mark.line
        if isinstance(event, AliasEvent):
            return self.alias(event.anchor, line)
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self.refuse(line, f"the tag {tag} found; write the plain value, tags are not used here")
        node = Node(None, line, finished=False)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if isinstance(event, ScalarEvent):
            node.value = scalar(event.value) if event.style is None else event.value
        elif isinstance(event, SequenceStartEvent):
            node.value = self.items()
        elif isinstance(event, MappingStartEvent):
            node.value = self.pairs()
        node.finished = True
        return node

    def alias(self, anchor: str, line: int) -> Node:
        node = self.anchors.get(anchor)
        if node is None or not node.finished:
            self.refuse(line, f"*{anchor} found; an alias names a value that stands complete before it (&{anchor})")
            return Node(None, line)
        return node

    def items(self) -> list[Node]:
        return [self.node(event) for event in self.until("SequenceEndEvent")]

    def pairs(self) -> dict[str, Pair]:
        pairs: dict[str, Pair] = {}
        for event in self.until("MappingEndEvent"):
            if not isinstance(event, ScalarEvent):
                self.refuse(event.start_mark.line, "a key that is not a plain word; keys are text")
                self.node(event)
                self.node(next(self.events))
                continue
            line, key = event.start_mark.line, event.value
            if key in pairs:
                self.refuse(line, f"{key}: given twice (first on line {pairs[key].line + 1}); keep one")
            pairs.setdefault(key, Pair(line, self.node(next(self.events))))
        return pairs

    def until(self, end: str) -> Iterator[Any]:
        for event in self.events:
            if type(event).__name__ == end:
                return
            yield event


class Unfolding:
    """Nodes to plain values, with the place of every path on the way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, str] = {}

    def value(self, line: int, node: Node, path: Path = ()) -> Plain:
        if len(self.places) > MOST_VALUES:
            raise SpecError(f"{self.name}: more than {MOST_VALUES:,} values; a sweep file says a range as an axis")
        self.places[path] = f"{self.name}:{line + 1}"
        if isinstance(node.value, dict):
            return {key: self.value(*pair, (*path, key)) for key, pair in node.value.items()}
        if isinstance(node.value, list):
            return [self.value(child.line, child, (*path, index)) for index, child in enumerate(node.value)]
        return node.value


def read(text: str, name: str) -> Source:
    """Text to values and places. Raises SpecError with every finding of this level, each with its line."""
    yaml = YAML(typ="safe", pure=True)
    reader = Reader(name, iter(yaml.parse(text)))
    try:
        root = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise SpecError("\n".join([*reader.findings, f"{where}: not YAML: {error.problem or error.context}"])) from None
    except (YAMLError, RecursionError) as error:
        raise SpecError(f"{name}: not YAML: {str(error).splitlines()[0]}") from None
    if reader.findings:
        raise SpecError("\n".join(reader.findings))
    unfolding = Unfolding(name)
    return Source(name, unfolding.value(root.line, root), unfolding.places)

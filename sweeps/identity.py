"""What a thing is, as sixteen hex digits.

A stage that means the same must hash the same, however it was written: 1, 1.0 and 1e0 are one number, the order
of keys is nothing. And what cannot be spelled exactly is refused: a hash over `repr` or over a set would look
right, and train a thing twice or, worse, take one thing for another.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

DIGITS = 16


def canonicalize(value: Any, path: str = "document") -> str:
    """The one JSON text of a value: keys sorted, no spaces, whole floats as integers, -0.0 as 0, ASCII.

    Raises TypeError or ValueError that names the path of what has no such text.
    """
    if isinstance(value, Enum):
        return canonicalize(value.value, path)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return _number(value, path)
    if isinstance(value, Mapping):
        return _object(value, path)
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonicalize(item, f"{path}[{index}]") for index, item in enumerate(value)) + "]"
    kind = type(value).__qualname__
    raise TypeError(f"{path}: a {kind} has no canonical form; null, bool, number, text, list or mapping is right")


def fingerprint(document: Mapping[str, Any]) -> str:
    """Sixteen hex digits of the SHA-256 over the canonical JSON of the document."""
    return _digest(_object(document, "document"))


def list_entries(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The canonical `"key":value` texts of a part of a document, for `fingerprint_of`."""
    return tuple(f"{quoted(key)}:{canonicalize(value, key)}" for key, value in document.items())


def fingerprint_entries(spelled: Iterable[str]) -> str:
    """`fingerprint` of the document that has these entries; its keys are plain words.

    A plan of 100,000 stages has few different parts, and each is spelled once.
    """
    return _digest("{" + ",".join(sorted(spelled)) + "}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _number(value: float, path: str) -> str:
    if isinstance(value, int):
        return str(int(value))
    if not math.isfinite(value):
        raise ValueError(f"{path}: {value} is no number to know a thing by; a finite one is right")
    return str(int(value)) if value.is_integer() else repr(float(value))


def _object(value: Mapping[str, Any], path: str) -> str:
    for key in value:
        if type(key) is not str:
            raise TypeError(f"{path}: the key {key!r} is not text; text is right")
    inner = (f"{quoted(key)}:{canonicalize(value[key], f'{path}.{key}')}" for key in sorted(value))
    return "{" + ",".join(inner) + "}"

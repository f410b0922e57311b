"""Identify a document by sixteen hex digits.

Stages with the same meaning must have the same hash, however they are written: 1, 1.0 and 1e0 are one number, and the
order of keys does not matter. A value without an exact text is refused: a hash over `repr` or over a set would train a
stage twice, or worse, confuse two stages.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from enum import Enum
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

DIGITS = 16


def canonicalize(value: Any, path: str = "document") -> str:
    """Write the one JSON text of a value: keys sorted, no spaces, whole floats as integers, -0.0 as 0, ASCII.

    Raises TypeError or ValueError with the path of a value that has no such text.
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
    raise TypeError(f"{path}: expected null, bool, number, text, list or mapping, got a {kind}")


def fingerprint(document: Mapping[str, Any]) -> str:
    """Hash the canonical JSON of a document to sixteen hex digits (of its SHA-256)."""
    return _digest(_object(document, "document"))


def name_run(cell: Mapping[str, Any], seed: int) -> str:
    """Name a run of a sweep by what it is: its cell and its seed."""
    return fingerprint({"cell": cell, "seed": seed})


def list_entries(document: Mapping[str, Any]) -> tuple[str, ...]:
    """List the canonical `"key":value` texts of a part of a document, for `fingerprint_entries`."""
    return tuple(f"{quoted(key)}:{canonicalize(value, key)}" for key, value in document.items())


def fingerprint_entries(spelled: Iterable[str]) -> str:
    """Compute the `fingerprint` of the document with these entries; its keys are plain words.

    A plan of 100,000 stages has few different parts, and each is written once.
    """
    return _digest("{" + ",".join(sorted(spelled)) + "}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _number(value: float, path: str) -> str:
    if isinstance(value, int):
        return str(int(value))
    if not math.isfinite(value):
        raise ValueError(f"{path}: expected a finite number, got {value}")
    return str(int(value)) if value.is_integer() else repr(float(value))


def _object(value: Mapping[str, Any], path: str) -> str:
    for key in value:
        if type(key) is not str:
            raise TypeError(f"{path}: expected keys that are text, got {key!r}")
    inner = (f"{quoted(key)}:{canonicalize(value[key], f'{path}.{key}')}" for key in sorted(value))
    return "{" + ",".join(inner) + "}"

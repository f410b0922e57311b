"""One test per rule of identity: what is the same thing, what is another, and what cannot be told."""

import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.identity import canonicalize, fingerprint, fingerprint_entries, list_entries

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Colour(Enum):
    RED = "red"


def test_the_form_is_pinned() -> None:
    """A change of this value makes every stage ever trained another one."""
    assert fingerprint({"b": [1, 2.5, None, True], "a": {"é": "x"}}) == "6a432034964912ec"


def test_keys_have_no_order() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


@pytest.mark.parametrize("same", [1, 1.0])
def test_a_number_is_its_value(same: float) -> None:
    assert fingerprint({"a": same}) == fingerprint({"a": 1})


def test_minus_zero_is_zero() -> None:
    assert fingerprint({"a": -0.0}) == fingerprint({"a": 0})


def test_neighbouring_floats_differ() -> None:
    assert fingerprint({"a": 0.1}) != fingerprint({"a": float(np.nextafter(0.1, 1))})


def test_true_is_not_one_and_text_is_not_number() -> None:
    different: list[Any] = [True, 1, "1", None, "", [], {}]
    assert len({fingerprint({"a": value}) for value in different}) == 7


def test_a_tuple_is_a_list_and_an_enum_its_value() -> None:
    assert fingerprint({"a": (1, 2)}) == fingerprint({"a": [1, 2]})
    assert fingerprint({"a": Colour.RED}) == fingerprint({"a": "red"})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused_where_it_stands(number: float) -> None:
    with pytest.raises(ValueError, match=r"document\.a\[1\]"):
        fingerprint({"a": [0, number]})


@pytest.mark.parametrize("value", [Path("x"), {1}, len, b"x", object(), np.float64, np.int64(3), 1j])
def test_what_has_no_spelling_is_refused_where_it_stands(value: Any) -> None:
    with pytest.raises(TypeError, match=r"document\.a\.b: .*a \w+"):
        fingerprint({"a": {"b": value}})


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"document\.a: .* 1$"):
        fingerprint({"a": {1: 2}})


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), PLAIN, max_size=6))
def test_entries_spelled_apart_are_the_document(document: dict[str, Any]) -> None:
    assert fingerprint_entries(list_entries(document)) == fingerprint(document)


@given(PLAIN, PLAIN)
def test_different_values_have_different_texts(first: Any, other: Any) -> None:
    assert (canonicalize(first) == canonicalize(other)) == (_typed(first) == _typed(other))


def test_another_interpreter_says_the_same() -> None:
    code = "from sweeps.identity import fingerprint; print(fingerprint({'a': 0.1, 'b': ['x', {'c': None}]}))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == fingerprint({"b": ["x", {"c": None}], "a": 0.1})


def _typed(value: Any) -> Any:
    """The value with booleans told apart from numbers, which Python does not."""
    if isinstance(value, dict):
        return {key: _typed(inner) for key, inner in value.items()}
    return [_typed(inner) for inner in value] if isinstance(value, list) else (isinstance(value, bool), value)

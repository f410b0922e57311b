"""Text is read as YAML 1.2 says, and every refusal has its line."""

import pytest

from sweeps.errors import SpecError
from sweeps.yaml import read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2e6", 2e6),
        (".5", 0.5),
        ("0o17", 15),
        ("0x1f", 31),
        ("-3", -3),
        ("22:00", "22:00"),
        ("no", "no"),
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01T08:00:00+01:00", "2026-12-01T08:00:00+01:00"),
        ("1_000", "1_000"),
        ("true", True),
        ("~", None),
        ('"1e-4"', "1e-4"),
        ("'true'", "true"),
    ],
)
def test_a_plain_word_means_what_the_core_schema_says(text: str, value: object) -> None:
    found = read(f"key: {text}", "f.yaml").value
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_every_value_knows_the_line_of_its_key() -> None:
    source = read("a: &x\n  b: 1\n  c:\n    - 2\n    - 3\nd: *x\n", "f.yaml")
    assert source.value == {"a": {"b": 1, "c": [2, 3]}, "d": {"b": 1, "c": [2, 3]}}
    assert source.place(("a", "c", 1)) == "f.yaml:5"
    assert source.place(("d",)) == "f.yaml:6"
    assert source.place(("a", "unheard", "of")) == "f.yaml:1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: a: given twice (first on line 1)"),
        ("a:\n  b: !!str 3", "f.yaml:2: the tag !!str found"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("a: &x [*x]", "f.yaml:1: *x found"),
        ("a: *y", "f.yaml:1: *y found"),
        ("a: [1,\nb: 2", "not YAML"),
        ("\ta: 1", "f.yaml:1: not YAML"),
        ("? [a]\n: 1", "keys are text"),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text, "f.yaml")
    assert said in str(caught.value)


def test_several_findings_are_several_lines() -> None:
    with pytest.raises(SpecError) as caught:
        read("a: 1\na: 2\nb: !x 1\n", "f.yaml")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["f.yaml:2", "f.yaml:3"]


def test_a_bomb_of_anchors_is_refused() -> None:
    layers = [f"l{depth}: &l{depth} [{', '.join([f'*l{depth - 1}'] * 10)}]" for depth in range(1, 9)]
    with pytest.raises(SpecError, match="more than 100,000 values"):
        read("\n".join(["l0: &l0 [1]", *layers]), "f.yaml")

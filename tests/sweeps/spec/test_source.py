"""Text is read as YAML 1.2 says, and every refusal has its line."""

import pytest

from sweeps.errors import SpecError
from sweeps.spec.yaml import read
from tests.wording import lacks


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
        ("012", 12),
        ("0x10", 16),
        ("0b11", "0b11"),
        ("1e5", 1e5),
        (".inf", float("inf")),
        ("NO", "NO"),
        ("on", "on"),
        ("y", "y"),
        ("null # no value", None),
        ("1:30:00", "1:30:00"),
        ("=", "="),
        ("true", True),
        ("~", None),
        ('"1e-4"', "1e-4"),
        ("'true'", "true"),
    ],
)
def test_a_plain_word_means_what_the_core_schema_says(text: str, value: object) -> None:
    mapping = read(f"key: {text}", "f.yaml").value
    assert mapping == {"key": value}
    assert isinstance(mapping, dict)
    assert type(mapping["key"]) is type(value)


def test_every_value_knows_the_line_of_its_key() -> None:
    source = read("a: &x\n  b: 1\n  c:\n    - 2\n    - 3\nd: *x\n", "f.yaml")
    assert source.value == {"a": {"b": 1, "c": [2, 3]}, "d": {"b": 1, "c": [2, 3]}}
    assert source.place(("a", "c", 1)) == "f.yaml:5"
    assert source.place(("d",)) == "f.yaml:6"
    assert source.place(("a", "unheard", "of")) == "f.yaml:1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: a twice 1"),
        ("a:\n  b: !!str 3", "f.yaml:2: !!str"),
        ("a: 1\n---\nb: 2", "f.yaml:1: `---`"),
        ("a: &x [*x]", "f.yaml:1: *x &x"),
        ("a: *y", "f.yaml:1: *y &y"),
        ("a: [1,\nb: 2", "not YAML"),
        ("\ta: 1", "f.yaml:1: not YAML"),
        ("a: &a {b: 1}\nc: {<<: *a, d: 2}", "f.yaml:2: <<"),
        ("a: &a {b: 1}\nc:\n  d: 2\n  <<: *a", "f.yaml:4: <<"),
        ("a: &a {b: 1}\nc: {d: {<<: [*a, *a]}}", "f.yaml:2: <<"),
        ("a: &a {b: 1}\nl:\n  - x: 1\n  - '<<': *a", "f.yaml:4: <<"),
        ("a: {b: {c: 1, d: 2, c: 3}}", "f.yaml:1: c twice"),
        ("a:\n  b: 1\n  'b': 2", "f.yaml:3: b twice"),
        ("a: !!python/object/apply:os.system [x]", "f.yaml:1: !!python/object/apply:os.system"),
        ("!!str a: 1", "f.yaml:1: !!str"),
        ("a: !mine {b: 1}", "f.yaml:1: !mine"),
        ("a: 1\n...\n---\nb: 1", "f.yaml:1: `---`"),
        ("%YAML 1.1\n---\na: no", "f.yaml:2: %YAML 1.1"),
        ("a: 1\nb: 1e400", "f.yaml:2: 1e400"),
        ("a: -1e999", "f.yaml:1: -1e999"),
        ("a: 1\n\tb: 2", "f.yaml:2: not YAML"),
        ("a: 'x", "f.yaml:1: not YAML"),
        ("&a [x]: 1", "f.yaml:1: key text"),
        ("k: &k a\n*k : 1", "f.yaml:2: key text"),
        ("a: \x00b", "not YAML"),
        ("a: " + "[" * 4000 + "]" * 4000, "f.yaml: deep"),
        ("# " + "x" * 1_000_001, "1,000,003 1,000,000"),
        ("? [a]\n: 1", "f.yaml:1: key text"),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(text, "f.yaml")
    assert not lacks(str(caught.value), words)


def test_several_findings_are_several_lines() -> None:
    with pytest.raises(SpecError) as caught:
        read("a: 1\na: 2\nb: !x 1\n", "f.yaml")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["f.yaml:2", "f.yaml:3"]


def test_a_bomb_of_anchors_is_refused() -> None:
    layers = [f"l{depth}: &l{depth} [{', '.join([f'*l{depth - 1}'] * 10)}]" for depth in range(1, 9)]
    with pytest.raises(SpecError, match="100,000"):
        read("\n".join(["l0: &l0 [1]", *layers]), "f.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\ufeffa: 1\n", {"a": 1}),
        ("a: 1\r\nb:\r\n  - x\r\n", {"a": 1, "b": ["x"]}),
        ("%YAML 1.2\n---\na: no\n", {"a": "no"}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("", None),
        ("# nothing yet\n", None),
        ("- a\n- b\n", ["a", "b"]),
        ("1: a\ntrue: b\n~: c\n", {"1": "a", "true": "b", "~": "c"}),
        ("a: &a {b: 1}\nc: *a", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: |\n  x # y\n  z\nb: >-\n  p\n  q\n", {"a": "x # y\nz\n", "b": "p q"}),
        ("a: x#y\nb: 'x #y'\nc: x #y", {"a": "x#y", "b": "x #y", "c": "x"}),
    ],
)
def test_a_file_means_what_it_says(text: str, value: object) -> None:
    assert read(text, "f.yaml").value == value


def test_aliases_in_aliases_are_neither_a_bomb_nor_too_deep() -> None:
    chain = "\n".join(f"a{depth}: &a{depth} [*a{depth - 1}]" for depth in range(1, 2000))
    with pytest.raises(SpecError):
        read("a0: &a0 1\n" + chain, "f.yaml")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 'x", 1, "quote closed"),
        ("a: 1\nb: [1, 2\n", 3, "bracket quote closed"),
        ("a: 1\n\tb: 2", 2, "tab"),
        ("a: @x", 1, "quote the text"),
        ("a: b: c", 1, "second `: `"),
        ("- a\nb: 1", 2, "indent"),
        ('a: "\\q"', 1, "escape"),
        ("a: *", 1, "name `*`"),
    ],
)
def test_what_is_no_yaml_is_told_in_our_words(text: str, line: int, words: str) -> None:
    with pytest.raises(SpecError) as raised:
        read(text, "f.yaml")
    assert str(raised.value).startswith(f"f.yaml:{line}: not YAML: ")
    assert not lacks(str(raised.value), words)
    assert not any(word in str(raised.value) for word in ("expected '", "found character", "while ", "<"))

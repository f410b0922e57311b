"""A price book that is wrong is told like a spec that is: file, line, path, what was found and would be right."""

import re

import pytest

from sweeps.errors import SpecError
from sweeps.planning.prices import parse_prices

ROW = "  - {model: a/b, train: 1.5, source: me, date: 2026-11-01}\n"

# The text, and the line and the path of what is wrong in it.
WRONG = {
    "empty": ("", 1, ""),
    "a comment": ("# prices\n", 1, ""),
    "a list": ("- {model: a/b}\n", 1, ""),
    "a word": ("prices\n", 1, ""),
    "no YAML": ("prices: [\n", 2, ""),
    "a key twice": ("prices: []\nprices: []\n", 2, ""),
    "an unknown key": ("price:\n" + ROW, 1, "price"),
    "our own keys": ("name: mine\nprices:\n" + ROW, 1, "name"),
    "how it is billed": ("forward: prefill\nprices:\n" + ROW, 1, "forward"),
    "a mapping for the list": ("prices:\n  a/b: {train: 1}\n", 1, "prices"),
    "nothing for the list": ("prices:\n", 1, "prices"),
    "negative": ("prices:\n" + ROW.replace("1.5", "-1.5"), 2, "the 1st of prices: train"),
    "a text": ("prices:\n" + ROW.replace("1.5", '"1.5"'), 2, "the 1st of prices: train"),
    "with its currency": ("prices:\n" + ROW.replace("1.5", "$1.5"), 2, "the 1st of prices: train"),
    "no number": ("prices:\n" + ROW.replace("1.5", ".nan"), 2, "the 1st of prices: train"),
    "no end": ("prices:\n" + ROW.replace("1.5", ".inf"), 2, "the 1st of prices: train"),
    "true": ("prices:\n" + ROW.replace("1.5", "true"), 2, "the 1st of prices: train"),
    **{
        f"absurd: {text}": ("prices:\n" + ROW.replace("1.5", text), 2, "the 1st of prices: train")
        for text in ("1e300", "1e20", "10000.01", "9" * 15, "0x" + "f" * 8, "-1e300", "1e-300", "-.inf")
    },
    "absurd storage": (
        "prices: []\nstorage:\n  - {usd_per_gb_month: 1e9, source: me, date: 2026-11-01}\n",
        3,
        "the 1st of storage: ",
    ),
    "a list of prices": ("prices:\n" + ROW.replace("1.5", "[1, 2]"), 2, "the 1st of prices: train"),
    "finer than a micro-dollar": ("prices:\n" + ROW.replace("1.5", "0.12345678"), 2, "the 1st of prices: train"),
    "a misspelt key": (
        "prices:\n" + ROW + ROW.replace("train", "trian").replace("a/b", "c/d"),
        3,
        "the 2nd of prices: trian",
    ),
    "no date": ("prices:\n" + ROW.replace(", date: 2026-11-01", ""), 2, "the 1st of prices: date"),
    "no such day": ("prices:\n" + ROW.replace("11-01", "02-30"), 2, "the 1st of prices: date"),
    "a date as people say it": ("prices:\n" + ROW.replace("2026-11-01", "1 Nov 2026"), 2, "the 1st of prices: date"),
    "a year": ("prices:\n" + ROW.replace("2026-11-01", "[2026]"), 2, "the 1st of prices: date"),
    "a number for the model": ("prices:\n" + ROW.replace("a/b", "7"), 2, "the 1st of prices: model"),
    "nothing for the source": ("prices:\n" + ROW.replace("me", ""), 2, "the 1st of prices: source"),
    "a model without a name": ("prices:\n" + ROW.replace("a/b", "''"), 2, "the 1st of prices: model"),
    "the same twice": ("prices:\n" + ROW + ROW, 3, "the 2nd of prices"),
    "storage": (
        "prices: []\nstorage:\n  - {usd_per_gb_month: cheap, source: me, date: 2026-11-01}\n",
        3,
        "the 1st of storage",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named_with_its_line_and_its_path(kind: str) -> None:
    text, line, path = WRONG[kind]
    with pytest.raises(SpecError) as raised:
        parse_prices(text, name="mine.yaml")
    message = str(raised.value)
    (first, *more) = message.splitlines()
    assert not more, message
    where, _, rest = first.partition(": ")
    assert where in (f"mine.yaml:{line}", "mine.yaml" if not path else ""), message
    assert rest.startswith(path), message
    assert not re.search(r"Input|Value error|should|pydantic|expected <|while parsing|Decimal", message), message


def test_several_findings_are_several_lines() -> None:
    text = "prices:\n" + ROW.replace("1.5", "-1") + ROW.replace("1.5", "x").replace("a/b", "c/d")
    with pytest.raises(SpecError) as raised:
        parse_prices(text, name="mine.yaml")
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["2", "3"]


def test_a_right_one_is_read() -> None:
    book = parse_prices("prices:\n" + ROW, name="mine.yaml")
    assert (book.name, book.rates("a/b").training) == ("mine.yaml", 1_500_000)

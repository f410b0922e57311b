"""Money is whole micro-dollars, never rounded down, and every price says who said so."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps import SpecError, parse_prices
from sweeps.cost import micro_usd
from tests.sweeps.questions import prices

ROW = "{model: m, train: 0.1, prefill: 0.2, cached_prefill: 0.3, sample: 0.4, source: s, date: 2026-11-22}"


@pytest.mark.parametrize(
    ("tokens", "price", "right"),
    [(0, "0.40", 0), (1, "0.40", 1), (10, "0.40", 4), (11, "0.40", 5), (10**6, "1.87", 1_870_000), (10, "0.1", 1)],
)
def test_known_amounts(tokens: int, price: str, right: int) -> None:
    assert micro_usd(tokens, Decimal(price)) == right


@given(st.integers(0, 10**15), st.decimals(0, 1000, places=4))
def test_the_amount_is_the_least_that_covers_the_price(tokens: int, price: Decimal) -> None:
    exact = tokens * Fraction(price)
    assert exact <= micro_usd(tokens, price) < exact + 1


def test_a_written_price_is_taken_by_its_digits() -> None:
    row = parse_prices(f"prices: [{ROW}]").of("m")
    assert row is not None
    assert (row.train, row.sample) == (Decimal("0.1"), Decimal("0.4"))


def test_the_book_of_the_repository_prices_the_offline_models_and_says_they_are_nominal() -> None:
    book = prices()
    for size in "sml":
        row = book.of(f"offline/ngram-{size}")
        assert row is not None
        assert "nominal" in row.source
    assert book.of("offline/ngram-xl") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"prices: [{ROW}, {ROW}]", "two rows"),
        ("prices: [{model: m}]", "prices.0.train"),
        (f"prices: [{ROW.replace('0.1', '-1')}]", "greater than or equal to 0"),
        (f"prices: [{ROW.replace('0.1', 'cheap')}]", "'cheap' found; a number of US dollars is right"),
        (f"prises: [{ROW}]", "prises"),
    ],
)
def test_a_book_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        parse_prices(text)

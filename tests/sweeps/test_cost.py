"""Money is whole micro-dollars, rounded up once, and every price says who said so and when."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps import SpecError, parse_prices
from sweeps.cost import KINDS, Forward, Rates, Usage
from tests.sweeps.questions import prices
from tests.wording import lacks

ROW = "{model: m, train: 0.1, prefill: 0.2, cached_prefill: 0.3, sample: 0.4, source: s, date: 2026-11-22}"
COUNTS = st.integers(0, 10**12)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS)
RATES = st.builds(Rates, *(st.integers(0, 10**8) for _ in KINDS), st.sampled_from(["training", "prefill"]))


@pytest.mark.parametrize(
    ("tokens", "rate", "right"),
    [(0, 400_000, 0), (1, 400_000, 1), (10, 400_000, 4), (11, 400_000, 5), (10**6, 1_870_000, 1_870_000)],
)
def test_known_amounts(tokens: int, rate: int, right: int) -> None:
    assert Rates(training=rate).price(Usage(training=tokens)) == right


@given(USAGES, RATES)
def test_the_amount_is_the_least_that_covers_the_price_of_the_whole(usage: Usage, rates: Rates) -> None:
    prices = (rates.training, rates.prefill, rates.cached_prefill, rates.sample)
    exact = sum(Fraction(tokens * (rate or 0), 10**6) for tokens, rate in zip(usage, prices, strict=True))
    assert exact <= rates.price(usage) < exact + 1
    assert exact - 1 < rates.price_at_least(usage) <= exact


@given(st.lists(USAGES, min_size=1, max_size=6), RATES)
def test_what_is_left_to_reserve_covers_what_is_left_however_it_is_split(parts: list[Usage], rates: Rates) -> None:
    """Attempts that go on from one another: an estimate less what a checkpoint embodies is never too little."""
    whole = Usage()
    for part in parts:
        whole = whole.plus(part)
    done, paid = Usage(), 0
    for part in parts:
        assert rates.price(whole) - rates.price_at_least(done) >= rates.price(part)
        done, paid = done.plus(part), paid + rates.price(part)
    assert rates.price(whole) <= paid < rates.price(whole) + len(parts)


@given(USAGES, RATES)
def test_usage_and_rates_come_back_from_json_as_they_were(usage: Usage, rates: Rates) -> None:
    assert (Usage.read(usage.document()), Rates.read(rates.document())) == (usage, rates)


@pytest.mark.parametrize(("forward", "kind"), [("training", "training"), ("prefill", "prefill")])
def test_a_forward_pass_counts_as_what_the_service_bills_it_as(forward: Forward, kind: str) -> None:
    rates = prices().billing(forward).rates("offline/ngram-s")
    assert rates.passed(1_000_000)._asdict()[kind] == 1_000_000
    assert rates.price(rates.passed(1_000_000)) == {"training": 400_000, "prefill": 130_000}[kind]


def test_what_has_no_price_is_known_as_such() -> None:
    rates = parse_prices("prices: [{model: m, prefill: 0.2, source: s, date: 2026-11-22}]").rates("m")
    assert [rates.know(Usage(**{kind: 1})) for kind in KINDS] == [False, True, False, False]
    assert rates.know(Usage())
    assert not prices().rates("Org/Unheard").know(Usage(training=1))


def test_a_written_price_is_taken_by_its_digits() -> None:
    book = parse_prices(f"prices: [{ROW}]")
    row = book.find_price("m")
    assert row is not None
    assert (row.train, row.sample) == (Decimal("0.1"), Decimal("0.4"))
    assert book.rates("m") == Rates(100_000, 200_000, 300_000, 400_000)


def row(**changes: str) -> str:
    fields = {"model": "m", "train": "1", "source": "s", "date": "2026-11-22"} | changes
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


@pytest.mark.parametrize(
    ("model", "train"),
    [("m", 1), ("m:peft:131072", 2), ("m:peft:262144", 3), ("m:peft", 1), ("m:other", 1), ("mm", None), ("o:m", None)],
)
def test_the_longest_name_decides(model: str, train: int | None) -> None:
    rows = [row(), row(train="2", variant='"peft:131072"'), row(train="3", variant='"peft:262144"')]
    price = parse_prices(f"prices: [{', '.join(rows)}]").find_price(model)
    assert (price is None) if train is None else (price is not None and price.train == train)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_row_counts_wherever_it_stands(order: tuple[int, ...]) -> None:
    rows = [row(train=str(n), date=f"2026-0{n}-01") for n in (1, 2, 3)]
    price = parse_prices(f"prices: [{', '.join(rows[place] for place in order)}]").find_price("m")
    assert price is not None
    assert price.train == 3
    assert str(price.date) == "2026-03-01"


def test_a_book_laid_over_ours_speaks_alone_of_the_models_it_names() -> None:
    ours = parse_prices(f"prices: [{row()}, {row(variant='long', train='9')}, {row(model='n', train='4')}]")
    theirs = parse_prices(f"prices: [{row(train='5', date='2020-01-01')}]", name="mine.yaml")
    both = ours.override_with(theirs)
    prices = {model: price.train for model in ("m", "m:long", "n") if (price := both.find_price(model))}
    assert prices == {"m": Decimal(5), "m:long": Decimal(5), "n": Decimal(4)}
    assert both.name == "mine.yaml"
    assert both.kept == ours.kept is None


def test_the_book_of_the_repository_prices_the_offline_models_and_says_they_are_pretend() -> None:
    book = prices()
    for size in "sml":
        price = book.find_price(f"offline/ngram-{size}")
        assert price is not None
        assert "pretend" in price.source
        assert all(rate is not None for rate in book.rates(f"offline/ngram-{size}").document().values())
    assert book.find_price("offline/ngram-xl") is None


def test_the_book_of_the_repository_knows_the_newest_prices_and_the_long_context() -> None:
    book = prices()
    assert book.rates("Qwen/Qwen3-8B").training == 440_000
    assert book.rates("openai/gpt-oss-120b:peft:131072").training == 1_820_000
    assert book.rates("Qwen/Qwen3.5-397B-A17B").training is None, "nobody wrote it down since the rise"
    assert book.kept is not None
    assert book.kept.usd_per_gb_month == Decimal("0.1")
    assert all(price.source for price in book.prices)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"prices: [{ROW}, {ROW}]", "the 2nd of prices: m "),
        ("prices: [{model: m}]", "the 1st of prices: source"),
        (f"prices: [{ROW.replace('0.1', '-1')}]", "the 1st of prices: train: 0 -1"),
        (f"prices: [{ROW.replace('0.1', '0.1234567')}]", "the 1st of prices: train: six 0.1234567"),
        (f"prices: [{ROW.replace('0.1', 'cheap')}]", "the 1st of prices: train: 'cheap' US dollars"),
        (f"prises: [{ROW}]", "prises"),
        ("storage: [{usd_per_gb_month: 0.1}]", "the 1st of storage: date"),
        ("root:x:0:0", "'root:x:0:0' `prices:` `storage:`"),
        (f"[{ROW}]", "`prices:` `storage:`"),
        ("", "nothing `prices:` `storage:`"),
    ],
)
def test_a_book_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_prices(text)
    assert not lacks(str(caught.value), words)

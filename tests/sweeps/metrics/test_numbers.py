"""One reader of numbers for gold and answer: what is read how, and that no check takes one number for another."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.evaluation.answer_evaluator import ModelAnswer, ScoredAnswers, score_text
from sweeps.evaluation.answers import ANSWERS
from sweeps.evaluation.rag import RAG
from sweeps.metrics.matching import exact_match, f1, normalize_words, read_meaning
from sweeps.metrics.numbers import find_number
from sweeps.records import Records
from sweeps.rendering.prompts import PromptItem

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "evaluations.md"
quick = settings(max_examples=60, deadline=None)
SPACES = "\u2009\u00a0\u202f\u2007"


def table() -> list[tuple[str, str]]:
    """What the documentation says is read as what."""
    part = DOCS.read_text().partition("### Numbers")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return [(written, read) for first, read, _ in rows for written in re.findall("`([^`]+)`", first)]


def value(text: str) -> Fraction | None:
    number = find_number(text)
    return None if number is None else number.value


@pytest.mark.parametrize(("written", "read"), table())
def test_what_the_documentation_says_is_read(written: str, read: str) -> None:
    assert value(written) == (None if read == "-" else Fraction(read))


READ: list[tuple[str, str | None]] = [
    ("2,500", "2500"), ("The total is $1,500.", "1500"), ("1,500, and no more", "1500"), ("1,234,567.89", "1234567.89"),
    ("1.234.567,89 €", "1234567.89"), ("€ 1.500,00", "1500"), (r"\$1,\!500", "1500"), ("USD1500", "1500"),
    ("Rs.500", "500"), ("US$5", "5"), ("$.50", "0.5"), ("\u2212€1,500.50", "-1500.5"), ("-½", "-0.5"),
    *((f"1{space}500{space}000", "1500000") for space in SPACES), ("1’500.5", "1500.5"), ("１，５００", "1500"),
    ("12,34,567", "1234567"), ("١٬٥٠٠٫٥", "1500.5"), ("-0", "0"), ("007", "7"), ("5.", "5"), ("-5.", "-5"),
    ("(-5)", "-5"), ("**-5**", "-5"), ("$-5$", "-5"), ("x=-5", "-5"), ("Answer:-5", "-5"), ("is –5", "-5"),
    ("10 -5", "-5"), ("from 5 to -7", "-7"), ("5–7", "7"), ("5--7", "7"), ("$5-$7", "7"), ("5%-7%", "7"),
    ("- 5", "-5"), ("Answer: - 5", "-5"), ("two things:\n- 5 apples\n- 6 pears", "6"), ("5,-", "5"),
    ("minus 5", "-5"), ("it is negative $5", "-5"), ("10 minus 5", "5"), ("Minus 1,500", "-1500"), ("5 ½", "5.5"),
    ("3/-4", "-3/4"), (r"\frac{3}{-4}", "-3/4"), ("25cm2", "25"), ("5 m^3", "5"), ("5m2", "5"), ("(-$5)", "-5"),
    ("-3/4", "-3/4"), (r"-\dfrac34", "-3/4"), (r"\boxed{-\frac{3}{4}}", "-3/4"), ("-1 1/2", "-3/2"), ("3 / 4", "3/4"),
    ("1/2 million", "500000"), ("$1.5M", "1500000"), ("5万", "50000"), ("答案是42。", "42"), ("١٢", "12"),
    ("-2e3", "-2000"), ("1e+5", "100000"), ("10**6", "1000000"), ("10⁻³", "0.001"), (r"10^{-3}", "0.001"),
    ("5m", "5"), ("5 K", "5"), ("1st", "1"), ("5e", "5"), ("It's 5!", "5"), ("5:", "5"), ("\u200e-5", "-5"),
    ("so 4.\n#### -5\n\nQuestion: 3?", "-5"), ("#### Step 2: add\nIt is 9", "9"), ("#### 3. Add\nIt is 9", "9"),
    (r"\boxed{\text{about } 1{,}500}", "1500"), (r"\boxed{x} of 3", None), (r"\boxed 42", "42"), (r"\boxed{42", "42"),
    ("On 2024-05-01 it was 7", "7"), ("1/2/2024", None), ("2024-05", None), ("192.168.1.1", None), ("GPT-4o", None),
    ("B12", None), ("1.5.2024", None), (r"\frac{\sqrt{3}}{2}", None), ("√2", None), ("5/0", None),
    ("$1.5 Million", "1500000"), ("5 THOUSAND", "5000"), ("2 hundred", "200"), ("3,5 Mio. €", "3500000"),
    ("2 mrd", "2e9"), ("30万円", "300000"), ("答案是-5", "-5"), ("答えは-5です", "-5"), ("得负5分", "-5"),
    ("__-5__", "-5"), ("DDR4-3200", None), ("x_-5", None),
    ("−5…−3", "-3"), ("-US$5", "-5"), ("US$ -5", "-5"), ("-R$1.500,00", "-1500"), (r"\fbox{5} or 7", "5"),
    (r"0.\overline{3}", None), (r"\overline{AB} = 5", "5"), (r"x \approx - 5", "-5"), (r"x \le - 5", "-5"),
    ("5kg-7kg", "7"), ("5°C–7°C", "7"), ("5km–7km", "7"), ("(2,5)", "5"), ("[0,1]", "1"),
    ("(-5,3)", "3"), ("(1,500)", "1500"), ("(0,5 %)", "0.5"), ("", None), ("-", None),
    ("12345678901234567890", "12345678901234567890"), ("9" * 1001, None),
]  # fmt: skip


@pytest.mark.parametrize(("written", "read"), READ)
def test_what_is_read(written: str, read: str | None) -> None:
    assert value(written) == (None if read is None else Fraction(read))


@quick
@given(st.integers(-(10**30), 10**30), st.sampled_from([",", "_", "'", " ", "\u2009", "{,}"]))
def test_a_whole_number_is_read_to_the_last_digit_however_it_is_grouped(number: int, sign: str) -> None:
    assert value(f"It is {number:,}.".replace(",", sign)) == number


@quick
@given(st.text("0123456789.,-+ '/eE^×()%$k½²٣\\{}", max_size=30))
def test_nothing_is_too_odd_to_be_read(text: str) -> None:
    find_number(text)
    assert score_text("numeric", text, [text]) == float(find_number(text) is not None)


@quick
@given(st.text("0123456789.,-+ '/a", max_size=20))
def test_what_is_compared_stays_as_it_is(text: str) -> None:
    assert normalize_words(normalize_words(text)) == normalize_words(text)


@pytest.mark.parametrize(
    ("answer", "right", "worth"),
    [
        ("1,500", "2,500", 0), ("1,500", "1500", 1), ("5", "-5", 0), ("-5", "\u22125", 1), ("5", ".5", 0),
        ("$1,500.00", "1500", 1), ("1.500,00 €", "1500", 1), ("5-7", "-7", 0), ("5-7", "7", 1), ("500", "1,500", 0),
        (r"\frac{3}{4}", "0.75", 1), ("1/3", "0.333333333", 1), ("0.3334", "1/3", 0), ("50%", "50", 1),
        ("50%", "0.5", 1),
        ("0.5", "50%", 1), ("0.5%", "50%", 0), ("12345678901234567890", "12345678901234567891", 0), ("5k", "5", 0),
        ("0.30000000000000004", "0.3", 1), ("five", "5", 0), ("five", "no number", 0), ("0", "no number", 0),
        ("so it is\n#### 1,500", "She pays 3 × 500.\n#### 1500", 1), ("99999999999999999999.5", "1e20", 1),
    ],
)  # fmt: skip
def test_numbers_that_are_right(answer: str, right: str, worth: float) -> None:
    assert score_text("numeric", answer, [right]) == worth
    assert score_text("numeric", answer, ["no number", right]) == worth


@pytest.mark.parametrize(
    ("answer", "right", "same"),
    [
        ("5", "-5", False), ("5", ".5", False), ("5", "\u22125", False), ("34", "3/4", False), ("15", "1.5", False),
        ("57", "5-7", False), ("1230", "12:30", False), ("20240501", "2024-05-01", False), ("3.1", "3.10", False),
        ("-1,2,3", "1,2,3", False), ("(2,5)", "(2, 5)", True), (r"\geq 5", r"\leq 5", False),
        ("7", "007", False), ("106", "10^6", False), ("v12", "v1.2", False), ("-5 apples", "5 apples", False),
        ("1500", "1,500", True), ("1500", "1 500.", True), ("-5", "\u22125", True), ("0.5", ".5", True),
        ("½", "1/2", True),
        ("5", "$5", True), ("5", "+5", True), ("5 km", "5km", True), ("COVID19", "COVID-19", True), ("５", "5", True),
    ],
)  # fmt: skip
def test_text_with_numbers_is_the_same_where_its_digits_are(answer: str, right: str, same: bool) -> None:
    assert exact_match(answer, right) == same
    assert (f1(answer, right) == 1) == same


def told(check: str, *texts: str) -> dict[str, float]:
    answers, scores = [ModelAnswer(text, 0.5) for text in texts], [score_text(check, text, ["-5"]) for text in texts]
    scored = ScoredAnswers(PromptItem(0, "", "", ("-5",)), answers, scores)
    (item,) = ANSWERS.measure([scored], {"check": check}).rows
    return dict(item.values)


@pytest.mark.parametrize("check", ["numeric", "exact", "f1"])
@pytest.mark.parametrize("other", ["5", "-.5", "-5/2", "\u22126", "-15"])
def test_who_says_different_numbers_does_not_agree_with_himself(check: str, other: str) -> None:
    item = told(check, *["-5", other] * 4)
    assert item["agreement"] == item["confidence"] == 0.5
    assert item["pairwise_agreement"] == pytest.approx(12 / 28)
    assert item["semantic_entropy"] == pytest.approx(0.6931, abs=1e-4)


def test_who_says_the_same_number_in_other_words_does_where_numbers_are_asked_for() -> None:
    texts = ["-5", "It is -5.", "\u22125.0", "so x = -5"]
    assert told("numeric", *texts)["agreement"] == 1
    assert told("exact", *texts)["agreement"] == 0.25
    assert (
        read_meaning("about 1/3", "numeric")
        == read_meaning("0.3333333", "numeric")
        != read_meaning("0.3334", "numeric")
    )


def test_gold_without_a_number_is_lacking() -> None:
    for answers, lacks in (["12"], False), (["twelve"], True), (["2024-05-01"], True), (["12", "-"], True):
        records = Records("questions", ({"question": "how many?", "answers": answers},))
        assert bool(ANSWERS.find_missing(records, {"check": "numeric"})) == lacks


@pytest.mark.parametrize(
    ("passage", "right", "planted"),
    [
        ("5 of 15, 1.5 or 57", "5", "9 of 15, 1.5 or 57"),
        ("he said another thing", "other", None),
        ("a=b.", "b.", "a=9"),
    ],
)
def test_another_answer_is_planted_for_the_whole_word_only(passage: str, right: str, planted: str | None) -> None:
    rows = [
        {"question": "?", "answers": [right], "context": passage},
        {"question": "!", "answers": ["9"], "context": ""},
    ]
    asks = RAG.list_prompts(Records("questions", tuple(rows)), {"abstain": "unknown"})
    assert next((ask.prompt for ask in asks if (ask.item, ask.under) == (0, "counterfactual")), None) == (
        None if planted is None else f"{planted}\n?"
    )

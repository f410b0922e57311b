"""The one reader of numbers: which number does a text give, and where are its numbers?

Gold and answer are read by the same rules, in every check and wherever answers are told apart. A number is exact: a
fraction of whole numbers, so that no digit is lost. A table in docs/reference/evaluations.md says
what is read how, and a test compares it with this module.

What is joined to letters, or is written as a date, a time or a version, is a name and no number. A dash is a minus
where a sign can stand, and none between what could be subtracted or joined.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from sweeps.metrics.notation import UNREAD, simplify_notation

LONGEST = 1000  # digits of a number: beyond that it is none
RELATIVE, ABSOLUTE = Fraction(1, 10**6), Fraction(1, 10**9)  # how near two are the same that are not both whole
SIX = 6  # digits by which those are told apart where there is no right one
BEFORE = 16  # characters before a number in which its sign stands
WORDS = {  # in capitals, too
    "hundred": 10**2,
    "thousand": 10**3,
    "lakh": 10**5,
    **dict.fromkeys(("million", "mio", "mln", "mn"), 10**6),
    "crore": 10**7,
    **dict.fromkeys(("billion", "mrd", "bn"), 10**9),
    "trillion": 10**12,
}
SCALES = {
    **WORDS,
    **dict.fromkeys(("k", "K"), 10**3),
    **dict.fromkeys(("万", "萬"), 10**4),
    "M": 10**6,
    **dict.fromkeys(("亿", "億"), 10**8),
    "B": 10**9,
}
CODES = "USD|EUR|GBP|JPY|CNY|INR|CHF|AUD|CAD|Rs"
DOLLARS = "US|AU|CA|NZ|HK|NT|[ACRS]"  # whose: US$
MONEY = rf"(?:(?:(?<![^\W_])(?:{DOLLARS}))?[$€£¥₹₩₽¢₺₪₫₱฿]|(?:{CODES})\.?)"
DIGITS = r"\d+(?:[,._']\d+)*"
SPACED = r"(?<!\d\x20)[1-9]\d{0,2}(?:\x20\d{3})+(?:[.,]\d+)?(?!\d|[.,]\d|\x20\d)"
AMOUNT = rf"(?:{SPACED}|{DIGITS}|(?<![^\W\d_])\.\d+)"
SHORT = r"\d+(?:\.\d+)?[eE][-+]?\d+(?!\w)"  # 1e5
AREA = r"\d+[kcdm]?m[23](?!\w)"  # 25cm2
UNIT = r"(?<=[\d°])[^\W\d_]+-\d"  # 5kg-7kg
FOUND = re.compile(
    rf"""
    (?P<name> (?<![^\W\d_]) (?!(?:{CODES})\d|{UNIT}) [^\W\d_]+ (?:[-_^]*\{{?\d\w*(?:[.,]\d\w*)*)+  # COVID-19, x_1, cm^2
            | \^\s?[({{]?[-+]?\d+
            | (?!{SHORT}|{AREA})\d+[^\W\d_]+\d\w*              # 0x1F
            | \d+(?P<joint>[-/])\d+(?:(?P=joint)\d+)+\w*        # a date
            | \d+-0\d+(?!\.) | \d+(?::\d+)+(?:\.\d+)?           # a month, a time
            | {DIGITS}\s?{UNREAD} | \d+\s?\+\s?\d*i\b )
  | (?P<whole>\d+)\x20+(?P<top>\d+)\s?/\s?(?P<bottom>\d+)(?![/\d])
  | (?P<over>{AMOUNT})\s?/\s?(?P<under>-?{DIGITS})(?![/\d])
  | (?P<amount>{AMOUNT})
    (?: [eE](?P<e>[-+]?\d+)(?!\w)
      | \s?[×x*]\s?10\s?(?:\^|\*\*)\s?[({{]?(?P<ten>[-+]?\d+)[)}}]?
      | \s?(?:\^|\*\*)\s?[({{]?(?P<power>[-+]?\d+)[)}}]? )?
    """,
    re.VERBOSE,
)
SCALE = re.compile(rf"(?:[kKMB]|[ -]?(?i:{'|'.join(WORDS)}))(?!\w)|\x20?[万萬亿億]")
PERCENT = re.compile(r"\s?(?:%|(?:percent|per cent|pct)\b)")
SIGN = re.compile(rf"(?P<prior>.*?)(?P<sign>[-+])(?P<gap>[ \t]*)(?:{MONEY}\s?)?\Z", re.DOTALL)
SIGN_WORD = re.compile(rf"(?:\b(minus|negative)|[负負]|マイナス)\s{MONEY}?\Z", re.IGNORECASE)
OPERAND = re.compile(r"(?:[^\W_]_?|[)\]}∎-]|\d(?:[%°$€£¥]+\.?|\.))\Z")  # a dash right behind it joins or subtracts
OPERATOR = re.compile(r"[=<>≤≥≈≠≡→⇒∈~(+*/×:^]\s*\Z")
UNCERTAIN = re.compile(r"±\s?\Z")
GROUPED = re.compile(r"[1-9]\d{0,2}(?:([,_' ])\d{3})(?:\1\d{3})*(?:\.\d+)?|[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?")
COMMA = re.compile(r"(?:[1-9]\d{0,2}(?:([.' ])\d{3})(?:\1\d{3})*|\d+),\d+")  # 1.500,00 and 0,5
PAIR = re.compile(r"(?!\d{1,3},\d{3}\Z)\d+,\d+|0,\d+")
BRACKET = re.compile(r"[(\[]\s*[-+]?\Z")
DOTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3}){2,}")
PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+")
BOX = re.compile(r"\\(?:f?box|boxed)(?![a-z])\s*")
HEADING = re.compile(r"\s*(?:[^\W\d_]|\d+[.)] +[^\W\d_])")  # what may stand behind #### and is no answer


class Number(NamedTuple):
    """A number of a text: its exact value, and whether a percent sign stands behind it."""

    value: Fraction
    percent: bool = False


class Span(NamedTuple):
    """A stretch of a plain text that is a number, or a name with digits in it (`number` is None)."""

    start: int
    end: int  # before a percent sign, or a word like "million"
    number: Number | None
    spelled: str  # digit for digit, with the sign and without what groups digits: what is compared as text


def find_number(text: str) -> Number | None:
    """The number that a text gives: the one in its last box, else behind its last ####, else its last."""
    found = [span.number for span in find_spans(simplify_notation(_find_answer(text))) if span.number is not None]
    return found[-1] if found else None


def is_same(one: Number, other: Number) -> bool:
    """Whole numbers to the last digit; others within RELATIVE of the second, or ABSOLUTE. 50% is 50, and .5 too."""
    shares = (each.value / 100 if each.percent else each.value for each in (one, other))
    return _is_near(one.value, other.value) or (one.percent != other.percent and _is_near(*shares))


def _is_near(one: Fraction, other: Fraction) -> bool:
    if one.denominator == other.denominator == 1:
        return one == other
    return abs(one - other) <= max(RELATIVE * abs(other), ABSOLUTE)


def round_number(number: Number) -> Fraction:
    """By which numbers are told apart where none is the right one: whole ones by all digits, others by six."""
    value = abs(number.value)
    if value.denominator == 1:
        return number.value
    decimals = SIX - 1 - _magnitude(value)
    return round(number.value, max(0, decimals))


def _magnitude(value: Fraction) -> int:
    """The power of ten of its first digit."""
    power = len(str(value.numerator)) - len(str(value.denominator))
    return power - (value < Fraction(10) ** power)


def find_spans(text: str) -> Iterator[Span]:
    """The numbers and the names with digits of a plain text, from left to right."""
    for found in FOUND.finditer(text):
        value = None if found["name"] is not None else _read(found)
        if found["amount"] is not None and "," in found["amount"] and (value is None or _is_pair(found)):
            yield from _list(found)
        elif value is None:
            yield Span(*found.span(), None, _read_name(found[0]))
        else:
            yield _read_signed(found, value)


def _read(found: re.Match[str]) -> Fraction | None:
    """The value of what was found, without a sign; None where it is none."""
    if found["whole"] is not None:
        whole, part = _value(found["whole"]), _quotient(found["top"], found["bottom"])
        if whole is None or part is None:
            return None
        return whole + part if part < 1 else part
    if found["over"] is not None:
        return _quotient(found["over"], found["under"])
    value = _value(found["amount"])
    if value is None:
        return None
    if found["power"] is not None:
        return _power(value, found["power"])
    shift = _power(Fraction(10), found["e"] or found["ten"] or "0")
    return None if shift is None else value * shift


def _read_name(text: str) -> str:
    """A name as text is compared: `COVID-19` and `COVID19` are one. A date keeps its dashes."""
    return re.sub("[-_{}^]", "", text) if text[0].isalpha() else text


def _quotient(above: str, below: str) -> Fraction | None:
    over, under = _value(above), _value(below.removeprefix("-"))
    if over is None or not under:
        return None
    return -over / under if below.startswith("-") else over / under


def _power(base: Fraction, exponent: str) -> Fraction | None:
    size = len(str(base.numerator)) + len(str(base.denominator)) - 1
    power = int(exponent) if len(exponent) < SIX else LONGEST
    if size * abs(power) > LONGEST or (power < 0 and not base):
        return None
    return base**power


def _value(text: str) -> Fraction | None:
    digits = _digits(text)
    return None if digits is None else Fraction(digits)


def _digits(text: str) -> str | None:
    """Without what groups them, and with a point before decimals; None where they are not grouped as a number is."""
    if len(text) > LONGEST:
        return None
    if GROUPED.fullmatch(text):
        return re.sub("[,_' ]", "", text)
    if DOTS.fullmatch(text):
        return text.replace(".", "")
    if COMMA.fullmatch(text):
        return re.sub("[.' ]", "", text).replace(",", ".")
    return f"{'0' * text.startswith('.')}{text}" if PLAIN.fullmatch(text) else None


def _list(found: re.Match[str]) -> Iterator[Span]:
    """Numbers with nothing but commas between them: each is one, and a sign before them is the first one's."""
    place = found.start("amount")
    minus = _is_minus(*_take_before(found.string, place))
    for part in found["amount"].split(","):
        value = _value(part)
        number = None if value is None else Number(-value if minus else value)
        yield Span(place, place + len(part), number, f"{'-' * minus}{_end_whole(part)}")
        place, minus = place + len(part) + 1, False


def _is_pair(found: re.Match[str]) -> bool:
    """Two numbers in brackets, as a point or an interval is written, where the comma groups nothing."""
    before, behind = found.string[: found.start()], found.string[found.end() :]
    within = BRACKET.search(before[-BEFORE:]) is not None and behind.startswith((")", "]"))
    return within and found[0] == found["amount"] and PAIR.fullmatch(found[0]) is not None


def _read_signed(found: re.Match[str], value: Fraction) -> Span:
    text, (start, end) = found.string, found.span()
    before, first = _take_before(text, start)
    minus = _is_minus(before, first)
    spelled = f"{'-' * minus}{_spell(found, value)}"
    if UNCERTAIN.search(before):
        return Span(start, end, None, spelled)
    behind = end
    if scale := SCALE.match(text, behind):
        value, behind = value * _scale(scale[0].strip(" -")), scale.end()
    percent = PERCENT.match(text, behind) is not None
    return Span(start, end, Number(-value if minus else value, percent), spelled)


def _scale(word: str) -> int:
    return SCALES[word if word in SCALES else word.lower()]


def _spell(found: re.Match[str], value: Fraction) -> str:
    if found["whole"] is not None:
        return str(value)
    if found["amount"] is not None and found[0] == found["amount"]:
        return _end_whole(found[0])
    return re.sub(r"\s?[x*]\s?(?=10)", "×", re.sub("[ (){}]", "", found[0]).replace("**", "^"))


def _end_whole(digits: str) -> str:
    """A whole number ends in a point, so that two of them side by side are never read as one."""
    found = _digits(digits) or digits
    return found if "." in found else f"{found}."


def _take_before(text: str, start: int) -> tuple[str, bool]:
    """What stands before a number, and whether that is all there is."""
    return text[max(0, start - BEFORE) : start], start <= BEFORE


def _is_minus(before: str, first: bool) -> bool:
    """Is what stands before a number its minus? `first`: nothing stands before that."""
    if word := SIGN_WORD.search(before):
        return (
            OPERAND.search(before[: word.start()].rstrip()) is None or word[1] is None or word[1].lower() == "negative"
        )
    found = SIGN.fullmatch(before)
    if found is None or found["sign"] == "+":
        return False
    prior = found["prior"]
    if not found["gap"]:
        return OPERAND.search(prior) is None
    return (first and not prior.strip()) or OPERATOR.search(prior) is not None


def _find_answer(text: str) -> str:
    if boxes := list(BOX.finditer(text)):
        return _read_braces(text[boxes[-1].end() :])
    line = text.rpartition("####")[2].partition("\n")[0]
    return line if "####" in text and re.search(r"\d", line) and not HEADING.match(line) else text


def _read_braces(text: str) -> str:
    """What stands in the braces at the beginning, which may hold others; without any, the first word."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return text[1:place] if place else " ".join(text.split()[:1])
    return text[1:]

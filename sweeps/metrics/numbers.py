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
    """Find the number that a text gives: the last in its last box, else after its last ####, else in the text."""
    numbers = [span.number for span in find_spans(simplify_notation(_find_answer(text))) if span.number is not None]
    return numbers[-1] if numbers else None


def is_same(given: Number, wanted: Number) -> bool:
    """Whole numbers to the last digit; others within RELATIVE of the second, or ABSOLUTE. 50% is 50, and .5 too."""
    shares = (number.value / 100 if number.percent else number.value for number in (given, wanted))
    return _is_near(given.value, wanted.value) or (given.percent != wanted.percent and _is_near(*shares))


def _is_near(given: Fraction, wanted: Fraction) -> bool:
    if given.denominator == wanted.denominator == 1:
        return given == wanted
    return abs(given - wanted) <= max(RELATIVE * abs(wanted), ABSOLUTE)


def round_number(number: Number) -> Fraction:
    """Round a number to compare answers without a right one: whole numbers keep all digits, others six."""
    value = abs(number.value)
    if value.denominator == 1:
        return number.value
    decimals = SIX - 1 - _magnitude(value)
    return round(number.value, max(0, decimals))


def _magnitude(value: Fraction) -> int:
    """Return the power of ten of its first digit."""
    power = len(str(value.numerator)) - len(str(value.denominator))
    return power - (value < Fraction(10) ** power)


def find_spans(text: str) -> Iterator[Span]:
    """Find the numbers, and the names with digits, of a plain text from left to right."""
    for match in FOUND.finditer(text):
        value = None if match["name"] is not None else _read(match)
        if match["amount"] is not None and "," in match["amount"] and (value is None or _is_pair(match)):
            yield from _list(match)
        elif value is None:
            yield Span(*match.span(), None, _read_name(match[0]))
        else:
            yield _read_signed(match, value)


def _read(match: re.Match[str]) -> Fraction | None:
    """Read the value of a match, without a sign; None if it is no number."""
    if match["whole"] is not None:
        whole, part = _value(match["whole"]), _quotient(match["top"], match["bottom"])
        if whole is None or part is None:
            return None
        return whole + part if part < 1 else part
    if match["over"] is not None:
        return _quotient(match["over"], match["under"])
    value = _value(match["amount"])
    if value is None:
        return None
    if match["power"] is not None:
        return _power(value, match["power"])
    shift = _power(Fraction(10), match["e"] or match["ten"] or "0")
    return None if shift is None else value * shift


def _read_name(text: str) -> str:
    """Normalise a name: `COVID-19` and `COVID19` are equal. A date keeps its dashes."""
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
    """Remove what groups digits, and put a point before decimals; None if they are not grouped as in a number."""
    if len(text) > LONGEST:
        return None
    if GROUPED.fullmatch(text):
        return re.sub("[,_' ]", "", text)
    if DOTS.fullmatch(text):
        return text.replace(".", "")
    if COMMA.fullmatch(text):
        return re.sub("[.' ]", "", text).replace(",", ".")
    return f"{'0' * text.startswith('.')}{text}" if PLAIN.fullmatch(text) else None


def _list(match: re.Match[str]) -> Iterator[Span]:
    """Numbers with nothing but commas between them: each is one, and a sign before them is the first one's."""
    place = match.start("amount")
    minus = _is_minus(*_take_before(match.string, place))
    for part in match["amount"].split(","):
        value = _value(part)
        number = None if value is None else Number(-value if minus else value)
        yield Span(place, place + len(part), number, f"{'-' * minus}{_end_whole(part)}")
        place, minus = place + len(part) + 1, False


def _is_pair(match: re.Match[str]) -> bool:
    """Two numbers in brackets, as a point or an interval is written, where the comma groups nothing."""
    before, behind = match.string[: match.start()], match.string[match.end() :]
    within = BRACKET.search(before[-BEFORE:]) is not None and behind.startswith((")", "]"))
    return within and match[0] == match["amount"] and PAIR.fullmatch(match[0]) is not None


def _read_signed(match: re.Match[str], value: Fraction) -> Span:
    text, (start, end) = match.string, match.span()
    before, first = _take_before(text, start)
    minus = _is_minus(before, first)
    spelled = f"{'-' * minus}{_spell(match, value)}"
    if UNCERTAIN.search(before):
        return Span(start, end, None, spelled)
    behind = end
    if scale := SCALE.match(text, behind):
        value, behind = value * _scale(scale[0].strip(" -")), scale.end()
    percent = PERCENT.match(text, behind) is not None
    return Span(start, end, Number(-value if minus else value, percent), spelled)


def _scale(word: str) -> int:
    return SCALES[word if word in SCALES else word.lower()]


def _spell(match: re.Match[str], value: Fraction) -> str:
    if match["whole"] is not None:
        return str(value)
    if match["amount"] is not None and match[0] == match["amount"]:
        return _end_whole(match[0])
    return re.sub(r"\s?[x*]\s?(?=10)", "×", re.sub("[ (){}]", "", match[0]).replace("**", "^"))


def _end_whole(digits: str) -> str:
    """End a whole number in a point, so that two of them side by side are never read as one."""
    number = _digits(digits) or digits
    return number if "." in number else f"{number}."


def _take_before(text: str, start: int) -> tuple[str, bool]:
    """Return what stands before a number, and whether that is all of it."""
    return text[max(0, start - BEFORE) : start], start <= BEFORE


def _is_minus(before: str, first: bool) -> bool:
    """Say whether the text before a number is its minus; `first`: nothing stands before that text."""
    if word := SIGN_WORD.search(before):
        return (
            OPERAND.search(before[: word.start()].rstrip()) is None or word[1] is None or word[1].lower() == "negative"
        )
    match = SIGN.fullmatch(before)
    if match is None or match["sign"] == "+":
        return False
    prior = match["prior"]
    if not match["gap"]:
        return OPERAND.search(prior) is None
    return (first and not prior.strip()) or OPERATOR.search(prior) is not None


def _find_answer(text: str) -> str:
    if boxes := list(BOX.finditer(text)):
        return _read_braces(text[boxes[-1].end() :])
    line = text.rpartition("####")[2].partition("\n")[0]
    return line if "####" in text and re.search(r"\d", line) and not HEADING.match(line) else text


def _read_braces(text: str) -> str:
    """Return the content of the braces at the beginning, which may hold others; without braces, the first word."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return text[1:place] if place else " ".join(text.split()[:1])
    return text[1:]

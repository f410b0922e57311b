"""One way of writing for many: text with the signs of other scripts and of LaTeX as ASCII has them.

What is written stays what it is; only its spelling changes, so that one reader of numbers does for all. Words, unknown
commands and punctuation are left alone.
"""

import re
from unicodedata import category, decimal, decomposition, normalize

# Hyphen, no-break hyphen, figure dash, en dash, minus, small and full-width minus. An em dash is never a minus.
MINUS = dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-")
SIGNS = str.maketrans({**MINUS, "\u066b": ".", "\u066c": ",", "’": "'", "\u2044": "/", "·": "×", "⋅": "×", "∗": "*"})
RAISED, LOWERED = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+"), re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
BEFORE_A_DIGIT, BEHIND_A_DIGIT = re.compile(r"[^\W\d_a-zA-Z](?=[-+]?\d)"), re.compile(r"(?<=\d)[^\W\d_a-zA-Z]")
UNREAD = "∎"  # in place of what has a value that is not read: a root, a logarithm
PART = rf"(?:\{{[^{{}}]*\}}|\d|{UNREAD})"
OF_TWO = r"\\(?:[dtc]?frac|binom)"
OF_ONE = r"\\(?:sqrt|log|ln|exp|sin|cos|tan|pi|infty|sum|int|overline|dot|bar)(?![a-zA-Z])"
# Each step sees what the steps before it left.
LATEX = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"\\!", ""),
        (r"\\(?:[,;: ]|q?quad(?![a-zA-Z]))|(?<=\d)~(?=\d)", " "),
        (r"\{\s*([,.'])\s*\}", r"\1"),  # 1{,}500
        (r"\\([$%#&])", r"\1"),
        (r"\\(?:left|right|displaystyle)(?![a-zA-Z])", ""),
        (r"\\(?:approx|simeq|sim|equiv)(?![a-zA-Z])", "≈"),
        (r"\\leq?(?:slant)?(?![a-zA-Z])", "≤"),
        (r"\\geq?(?:slant)?(?![a-zA-Z])", "≥"),
        (r"\\neq?(?![a-zA-Z])", "≠"),
        (r"\\(?:to|(?:long)?rightarrow|Rightarrow|implies)(?![a-zA-Z])", "→"),
        (r"\\(?:times|cdot)(?![a-zA-Z])", "×"),
        (r"\\pm(?![a-zA-Z])|\+/-", "±"),
        (r"\\(?:text|mathrm|mathbf|textbf|mbox)\s*\{([^{}]*)\}", r" \1 "),
        (r"\^\s*\{?\s*\\circ\s*\}?", "°"),
    )
)
FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*([-+\d.,]+)\s*\}|(\d))\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))")
VALUED = re.compile(
    rf"(?<![\d.])[\d.]*\s?(?:{OF_TWO}\s*{PART}\s*{PART}|{OF_ONE}(?:\s*\[[^\]]*\])?(?:\s*{PART})?|[√π]\s?[\d.]*)"
)  # the innermost first


def simplify_notation(text: str) -> str:
    """Write digits, signs, spaces and LaTeX as ASCII has them: for `１，５００`, `1\\,500` and `½`."""
    text = text if text.isascii() else _write_ascii(text)
    for pattern, spelled in LATEX:
        text = pattern.sub(spelled, text)
    text = FRACTION.sub(_stroke, text)
    while (shorter := VALUED.sub(UNREAD, text)) != text:
        text = shorter
    return text


def _write_ascii(text: str) -> str:
    text = RAISED.sub(lambda match: f"^{normalize('NFKC', match[0])}", text)
    text = LOWERED.sub(lambda match: f"_{normalize('NFKC', match[0])}", text)
    text = normalize("NFKC", "".join(map(_spell, text))).translate(SIGNS)
    # A sign of a script without capitals makes no name of a number that it stands beside.
    text = BEFORE_A_DIGIT.sub(lambda match: f"{match[0]} " if _has_no_case(match[0]) else match[0], text)
    return BEHIND_A_DIGIT.sub(lambda match: f" {match[0]}" if _has_no_case(match[0]) else match[0], text)


def _has_no_case(sign: str) -> bool:
    return sign.lower() == sign.upper()


def _spell(sign: str) -> str:
    """Spell one sign before NFKC, which does the rest."""
    if category(sign) == "Cf":  # of no width, or for the direction of writing
        return ""
    if decomposition(sign).startswith("<fraction>"):
        return f" {sign}"
    digit = decimal(sign, None)
    return sign if digit is None else str(digit)


def _stroke(match: re.Match[str]) -> str:
    """Write a fraction of plain numbers with a stroke; a whole number before it is part of it."""
    above, below = match[1] or match[2], match[3] or match[4]
    whole = match.string[: match.start()][-1:].isdigit()
    return f"{' ' if whole else ''}{above}/{below}"

"""Checks of the options that evaluators have in common. Each raises ValueError for a value that is not allowed."""

import re
from collections.abc import Callable
from typing import Any

from sweeps.rendering.perturbations import CHANGES
from sweeps.spec.scalars import check_number, check_whole, show

CHECKS = ("exact", "f1", "numeric", "regex")
TEXT_CHECKS = ("exact", "f1")  # the model must write the right answer itself, not only a part of it or a match
USER_CHECK = "module:function"


def check_word(*known: str) -> Callable[[Any], None]:
    """Make a check for one of these words."""

    def check(value: Any) -> None:
        if value not in known:
            raise ValueError(f"expected {' or '.join(f'`{word}`' for word in known)}, got {show(value)}")

    return check


def check_count(value: Any) -> None:
    if check_whole(value) < 1:
        raise ValueError(f"expected a count from 1, got {value}")


def check_temperature(value: Any) -> None:
    if not check_number(value) >= 0:
        raise ValueError(f"expected a temperature from 0 (always the likeliest token), got {show(value)}")


def check_environment(value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected the name of an environment, such as offline:tool_use, got {show(value)}")


def check_text(value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a text, got {show(value)}")


def check_answer_check(*others: str) -> Callable[[Any], None]:
    """Make a check for the name of an answer check: one of ours, one of `others`, or a function of the user."""
    known = (*CHECKS, *others)

    def check(value: Any) -> None:
        if value not in known and not is_user_check(value):
            raise ValueError(f"expected one of {', '.join(known)} or {USER_CHECK}, got {show(value)}")

    return check


def check_perturbations(value: Any) -> None:
    known, named = tuple(CHANGES), isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)
    if not named or not value or not {*value} <= {*known} or len({*value}) < len(value):
        raise ValueError(f"expected a list of some of {', '.join(known)}, each once, got {show(value)}")


def is_user_check(value: Any) -> bool:
    """Is it a check that the user wrote, `module:function`?"""
    return isinstance(value, str) and re.fullmatch(r"\w+(\.\w+)*:\w+", value) is not None


def may_fail(check: Any) -> bool:
    """Can the check fail or run for ever? Then it runs in a process that can be ended: patterns and user checks."""
    return check == "regex" or is_user_check(check)

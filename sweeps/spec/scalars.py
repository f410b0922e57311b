"""The plain values of a spec: check a number, a word, a share, and say what is expected if it is not one."""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from sweeps.spec.source import Path

Finding = tuple[Path, str]  # where, below the value that was checked; and what is expected there


LIST_ADVICE = "; write "  # before the list; `place_findings` adds the key to it for an override
RULE_ADVICE = " or {"  # before the rule of an axis that would do too: it gets the key as well


class Findings(ValueError):
    """Several mistakes at once."""

    def __init__(self, mistakes: list[Finding]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {text}" for path, text in mistakes))
        self.mistakes = mistakes


class SpecModel(BaseModel):
    """A part of the spec: it never changes, and it refuses an unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Frozen(dict[str, Any]):
    """A mapping that never changes, so that what contains it can be hashed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def check_number(value: Any) -> int | float:
    """Accept an int or a float; refuse a bool, and text that looks like a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {show(value)}")  # noqa: TRY004  pydantic collects ValueErrors
    return value


def check_whole(value: Any) -> int:
    """Accept an integer; `2e6` is one too, `1.5` and `"3"` are not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, got {show(value)}")  # noqa: TRY004  pydantic collects ValueErrors
    return value


def check_power_of_two(value: int) -> int:
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise ValueError(f"expected a power of two, such as {below} or {below * 2}, got {value}")
    return value


def show(value: Any) -> str:
    """Show a value as people write it, shortened if it is long."""
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key}: {show(inner)}" for key, inner in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(map(show, value)) + "]"
    else:
        text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:76] + " ..."


def suggest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """Advise on a word that is not one of the known ones."""
    if not known:
        return "leave it out"
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"use one of {', '.join(known)}"


def refuse_word(word: str, known: tuple[str, ...] | list[str]) -> str:
    """Say what is expected in place of a word that is not one of the known ones."""
    if not known or difflib.get_close_matches(word, known, n=1):
        return f"got {word!r}; {suggest(word, known)}"
    return f"expected one of {', '.join(known)}, got {word!r}"


def allow_none(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make the check accept an empty value too."""
    return lambda value: None if value is None else check(value)


def check_amount_or_share(value: Any) -> int | float:
    """Accept a count (an integer from 0) or a share (a fraction below 1)."""
    amount = check_number(value)
    if not amount >= 0 or (amount >= 1 and not float(amount).is_integer()):
        raise ValueError(f"expected a count (a whole number) or a share (0.1), got {show(value)}")
    return int(amount) if float(amount).is_integer() else amount


def check_holdout(value: Any) -> int | float | str:
    """Accept a count of records, a share of them, or a file."""
    if isinstance(value, str) and value.strip():
        return value
    if value == 0 or isinstance(value, str | bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a count (256), a share (0.1) or a file, got {show(value)}")
    return check_amount_or_share(value)


def check_rate(value: Any) -> float | str:
    """Accept a learning rate: a number above 0, or the word `auto`."""
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"expected a number above 0 or `auto`, got {show(value)}")
    return float(value)


Whole = Annotated[int, BeforeValidator(check_whole)]
Count = Annotated[Whole, Field(ge=1, le=10**12)]  # more is a mistake, and does not fit into 64 bits
Priority = Annotated[Whole, Field(ge=0, le=1_000_000)]  # as `sweep priority` takes it
Number = Annotated[float, BeforeValidator(check_number)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Flag = StrictBool
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
SWEEP_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80)]
NOTE = 120  # characters


def check_note(value: str) -> str:
    """Accept a short line: it stands behind the name of what it is about in every answer."""
    if not value.strip() or len(value.splitlines()) > 1 or len(value) > NOTE:
        raise ValueError(f"expected one line of 1 to {NOTE} characters, got {len(value)}")
    return value.strip().rstrip(".")


Note = Annotated[str, AfterValidator(check_note)]

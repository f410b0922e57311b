"""The plain values of a spec: what a number, a word, a share is, and what is said when it is not one."""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from sweeps.spec.source import Path

Finding = tuple[Path, str]  # where, below the value that was checked; and what was found and would be right


class Findings(ValueError):
    """Several things wrong at once."""

    def __init__(self, found: list[Finding]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {text}" for path, text in found))
        self.found = found


class SpecModel(BaseModel):
    """A part of the spec: never changed, and every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Frozen(dict[str, Any]):
    """A mapping that stays as it was read, so that what holds it can be told from others by its hash."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def check_number(value: Any) -> int | float:
    """An int or a float; not a bool and not a text that looks like a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{show(value)} found; a number is right")  # noqa: TRY004  pydantic collects ValueErrors
    return value


def check_whole(value: Any) -> int:
    """An integer; `2e6` is one too, `1.5` and `"3"` are not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{show(value)} found; an integer is right")  # noqa: TRY004  pydantic collects ValueErrors
    return value


def check_power_of_two(value: int) -> int:
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise ValueError(f"{value} found; a power of two is right, as {below} or {below * 2}")
    return value


def show(value: Any) -> str:
    """A value as people wrote it, shortened where it is long."""
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key}: {show(inner)}" for key, inner in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(map(show, value)) + "]"
    else:
        text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:76] + " ..."


def suggest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """The advice for a word that is none of the known ones."""
    if not known:
        return "leave it out"
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"one of {', '.join(known)} is right"


def allow_none(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The check, for a key that may also be left empty."""
    return lambda value: None if value is None else check(value)


def check_amount_or_share(value: Any) -> int | float:
    """A count (an integer from 0) or a share (a fraction below 1)."""
    found = check_number(value)
    if not found >= 0 or (found >= 1 and not float(found).is_integer()):
        raise ValueError(f"{show(value)} found; a count (an integer) or a share (0.1) is right")
    return int(found) if float(found).is_integer() else found


def check_holdout(value: Any) -> int | float | str:
    """A count of records, a share of them, or a file."""
    if isinstance(value, str) and value.strip():
        return value
    if value == 0 or isinstance(value, str | bool) or not isinstance(value, int | float):
        raise ValueError(f"{show(value)} found; a count (256), a share (0.1) or a file is right")
    return check_amount_or_share(value)


def check_rate(value: Any) -> float | str:
    """A learning rate: a number above 0, or the word `auto`."""
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{show(value)} found; a number above 0 or `auto` is right")
    return float(value)


Whole = Annotated[int, BeforeValidator(check_whole)]
Count = Annotated[Whole, Field(ge=1, le=10**12)]  # beyond which nothing can be meant, nor reckoned with in 64 bits
Priority = Annotated[Whole, Field(ge=0, le=1_000_000)]  # as `sweep priority` takes it
Number = Annotated[float, BeforeValidator(check_number)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Flag = StrictBool
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
SWEEP_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=80)]

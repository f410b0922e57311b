"""The frozen plan of a sweep as values: its stages, its runs and their estimated cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Literal, NamedTuple

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
MICRO = 1_000_000  # micro-dollars in a dollar
MOST_DOLLARS = 1_000_000  # of a budget that somebody sets
SHOWN = 4  # names in a sentence
Prefixes = Mapping[tuple[str, int], Mapping[int, str]]  # (records, subset seed) to the hash of the first n, for each n


def to_dollars(micro_usd: int | None) -> float | None:
    """Convert micro-dollars to dollars, for JSON."""
    return None if micro_usd is None else micro_usd / MICRO


def read_dollars(text: str) -> int:
    """Read US dollars, such as 12.50 or $12.50, as micro-dollars, rounded down.

    Raise ValueError, which says what is expected. Decimal: as a float, 2.01 dollars are a micro-dollar less.
    """
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except ArithmeticError:
        raise ValueError(f"expected US dollars such as 12.50, got {text[:40]!r}") from None
    if not amount.is_finite() or not 0 <= amount <= MOST_DOLLARS:
        raise ValueError(f"expected 0 to {MOST_DOLLARS:,} US dollars, got {text[:40]!r}")
    return int((amount * MICRO).to_integral_value(rounding=ROUND_FLOOR))


@dataclass(frozen=True, slots=True)
class Stage:
    """The unit of work: one training or one evaluation, identified by its recipe."""

    id: str  # "train-<16 hex>" or "evaluate-<16 hex>": the fingerprint of `recipe`
    kind: Literal["train", "evaluate"]
    parents: tuple[str, ...]
    recipe: Mapping[str, Json]  # everything that a worker needs to do it, and everything that identifies it
    label: str  # for people: "data=code, size=128, seed 1"
    steps: int  # optimizer steps (train), else 0
    tokens: int  # that will be billed at most; the same as at least for supervised training and held-out NLL
    low_tokens: int
    examples: int  # distinct training examples (train) or items (evaluate)
    micro_usd: int | None  # at most, at the price list's prices: what is reserved; None where something has no price
    low_micro_usd: int | None
    execution: Mapping[str, Json] = field(default_factory=dict)  # how to do it; changes no result, and no identity


@dataclass(frozen=True, slots=True)
class Run:
    """One cell at one seed: a row of the results."""

    cell: Mapping[str, Json]
    seed: int
    stage: str | None  # the last train stage; None for the untrained base
    measures: Mapping[str, str]  # metric prefix ("", "source.", "validation.") + evaluator name -> evaluate stage
    before: tuple[str, ...] = ()  # of a chain, the train stages that come before the last one


class HeldRun(NamedTuple):
    """A run of a sweep with `until`: all that it may have, of which only the first round is submitted with it."""

    run: Run
    cost: float  # micro-dollars at most, with its evaluations; tokens where something has no price
    in_grid: bool  # it is one of the full grid; the others are further seeds
    is_first: bool  # it is in the first round
    stages: tuple[str, ...] = ()  # its own and those that they need, in the order of the plan


class LeftOut(NamedTuple):
    """An evaluation that is not made on some data, or metrics of it that this data cannot give."""

    evaluation: str  # as the file names it
    on: str  # the data, for people: "code", "code new_hospital"
    reason: str
    code: str = "unsuited"  # or a caveat of conclusions: why the metrics cannot be given
    metrics: Sequence[str] = ()  # their full names there; none: the whole evaluation is not made

    def describe(self) -> str:
        """Say what is not measured, and why."""
        if not self.metrics:
            return f"{self.evaluation} is not measured on {self.on}: {self.reason}"
        more = f" and {len(self.metrics) - SHOWN} more" if len(self.metrics) > SHOWN else ""
        return f"{', '.join(self.metrics[:SHOWN])}{more} cannot be measured on {self.on}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Totals:
    """The plan in numbers. `naive_*` is what a plain loop over the runs would train, sharing nothing."""

    stages: int
    train: int
    evaluate: int
    naive_train: int
    examples: int  # over all train stages
    naive_examples: int
    tokens: int  # at most
    low_tokens: int
    micro_usd: int | None  # at most; None where something has no price
    low_micro_usd: int | None
    price_dates: tuple[str, str] | None  # of the oldest and the newest price that it is reckoned with

    @property
    def usd(self) -> float | None:
        return to_dollars(self.micro_usd)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a sweep will do, before any of it is done."""

    sweep: str
    digest: str  # of the spec and of all stages: the same question about the same data
    stages: tuple[Stage, ...]  # parents before children
    runs: tuple[Run, ...]
    totals: Totals
    defaults: tuple[tuple[str, Json], ...]  # every value that the file left open, by its path
    notes: tuple[str, ...]
    prefixes: Prefixes
    left_out: tuple[LeftOut, ...] = ()
    metrics: tuple[str, ...] = ()  # that the answer is about, where the one that it would be about is left out
    held: tuple[HeldRun, ...] = ()  # of a sweep with `until`: all runs that it may have
    held_stages: tuple[Stage, ...] = ()  # the stages of runs that may follow the first round

    def contains(self, stage: Stage) -> dict[int, str]:
        """The proof that subsets nest: for each smaller size of the sweep, the hash of this stage's first n."""
        data, seeds = stage.recipe.get("data"), stage.recipe.get("seeds")
        if not isinstance(data, dict) or not isinstance(seeds, dict):
            return {}
        digests = self.prefixes[str(data["records"]), int(str(seeds["subset"]))]
        return {size: digest for size, digest in digests.items() if size < stage.examples}

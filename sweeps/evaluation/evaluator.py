"""What an evaluator is: its name, its metrics, its options, the data that suits it, and what its answers are worth.

An evaluator asks a model in one of three ways, each a class to derive from: by forward passes over records
(`ForwardEvaluator`), by prompts to which the model writes answers (`AnswerEvaluator`), or by episodes in an environment
(`EpisodeEvaluator`). A new evaluator is one file beside this one, and one line in `registry.py`.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from sweeps.evaluation.item_rows import ItemRow
from sweeps.records import Records, Row
from sweeps.spec.scalars import Finding

Options = Mapping[str, Any]
Values = Mapping[str, float]
SHARE = (0.0, 1.0)
FROM_ZERO = (0.0, math.inf)
ANY_NUMBER = (-math.inf, math.inf)
Better = Literal["lower", "higher"]


class Metric(NamedTuple):
    """One number that an evaluator measures, and what the analysis has to know about it."""

    name: str
    better: Better | None = None  # None: neither, such as the number of turns
    span: tuple[float, float] = SHARE  # no interval goes beyond it
    law: bool = False  # can it be fitted over sizes of data, and be a target?
    chance: float = 0.0  # of a metric with a law that rises: what guessing scores
    guessed: str = ""  # the metric that says what guessing scores, where it depends on the items
    unit: str = ""
    conditional: bool = False  # some items may not tell it
    fixed: bool = False  # a fact of the items, which no training changes
    detail: bool = False  # shown only where the file names it; JSON, CSV and the table of every run have it
    read: Callable[[Values], tuple[float, float] | None] | None = None
    """Reads (amount, size) from the values of an item; the mean is Σ amounts / Σ sizes. None: the value of its name."""

    @property
    def is_share(self) -> bool:
        """Whether it is a share, or the difference of two: it fits on an axis from -1 to 1."""
        return self.span[0] >= -1 and self.span[1] <= 1

    @property
    def difference_span(self) -> tuple[float, float]:
        """The range of one value less another."""
        return self.span[0] - self.span[1], self.span[1] - self.span[0]


class Option(NamedTuple):
    """One option of an evaluator in a spec."""

    check: Callable[[Any], object]  # raises ValueError for a value that is not allowed
    default: Any = None  # None: nothing, unless the spec gives it
    example: str = ""  # of an option that a spec must give


class Unmeasurable(NamedTuple):
    """Metrics that some records cannot give, whatever a model answers."""

    code: str  # a caveat of conclusions
    metrics: tuple[str, ...]
    reason: str


class Measured(NamedTuple):
    """What an evaluation found: its metrics, and the row of each item."""

    metrics: Mapping[str, float]
    rows: Sequence[ItemRow]
    files: Mapping[str, bytes] = MappingProxyType({})  # what else is kept, by file name


class Evaluator:
    """What all evaluators have. An instance has no state: all that it needs is in its arguments."""

    name: ClassVar[str]
    version: ClassVar[int] = 1  # part of a stage's identity: raise it when the same answers would give other metrics
    metrics: ClassVar[tuple[Metric, ...]]
    options: ClassVar[Mapping[str, Option]] = {}
    formats: ClassVar[tuple[str, ...]] = ()  # of the records that it can measure on
    data: ClassVar[str] = ""  # the same for people
    reads_whole_context: ClassVar[bool] = False  # does it need more of a question than training reads?

    @property
    def metric_names(self) -> tuple[str, ...]:
        return tuple(metric.name for metric in self.metrics)

    def vary(self, options: Options) -> "Evaluator":
        """Return the evaluator that measures with these options: itself, unless an option makes it another."""
        return self

    def find_errors(self, options: Options) -> Iterator[Finding]:
        """Find options that do not go together; paths start below the evaluator's name."""
        return iter(())

    def complete(self, options: Options) -> dict[str, Any]:
        """Return the options with a value for each that has a default."""
        defaults = {key: option.default for key, option in self.options.items() if option.default is not None}
        return {**defaults, **options}

    def list_metrics(self, options: Options) -> tuple[str, ...]:
        """List the metrics that it measures with these options."""
        return self.metric_names

    def find_missing(self, records: Records, options: Options) -> str:
        """Say what the records lack that it needs; nothing if they lack nothing."""
        return ""

    def list_unmeasurable(self, records: Records, named: Collection[str]) -> Iterator[Unmeasurable]:
        """List the metrics that records which lack nothing cannot give; `named` are those that the file names."""
        return iter(())

    def locate_items(self, records: Records) -> Sequence[int]:
        """Return for each item which of the records it is about."""
        return range(len(records))

    def describe_items(self, rows: Sequence[Row], options: Options, where: str) -> Iterator[str]:
        """Yield notes for the plan about what the questions decide in advance. Raises PlanError for a sure result."""
        return iter(())


def average(rows: Sequence[ItemRow], metrics: Sequence[Metric]) -> dict[str, float]:
    """Average the value of each metric over the rows that have it."""
    names = [metric.name for metric in metrics]
    values = {name: [row.values[name] for row in rows if name in row.values] for name in names}
    return {name: float(np.mean(known)) for name, known in values.items() if known}

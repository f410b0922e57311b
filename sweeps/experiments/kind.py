"""What every kind of experiment says about itself, so that no other file asks which kind a sweep is.

The functions take a spec, its rows or a variant; their argument types stand in the file of each kind, because this
value lies below the spec, the planning and the analysis that use it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sweeps.experiments.conclusion import Conclusion
from sweeps.planning.run_rows import CountedRun
from sweeps.report.document import Answer
from sweeps.spec.scalars import Finding
from sweeps.spec.sections import Best
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey

Fact = dict[str, Any]
Rule = tuple[tuple[str, ...], Callable[..., Iterator[Finding]]]  # the keys that a rule reads, and the rule


class PlannedRun(Protocol):
    """A run before its stages are made: an excluded run makes none."""

    @property
    def cell(self) -> Mapping[str, Json]: ...
    def row(self) -> CountedRun: ...


def _list_nothing(*_: object) -> list[Any]:
    return []


def _plan_nothing(*_: object) -> Iterator[PlannedRun]:
    return iter(())


def _count_data(sweep: Any) -> Mapping[str, int]:
    return {"data": max(1, len(sweep.data))}


@dataclass(frozen=True)
class Experiment:
    """One kind of experiment."""

    name: str  # as `experiment:` has it
    title: str
    question: str  # for a file that asks none in words
    needs: tuple[str, ...]  # keys that the file must have
    takes: tuple[str, ...]  # of the keys that not every kind has, those that this one may have
    plan_runs: Callable[..., Iterator[PlannedRun]]  # (stage builder, variant)
    conclude: Callable[..., Conclusion]  # (spec, rows, items by measure): of the first metric, data set and variant
    answer: Callable[..., Answer]  # (spec, rows, items by measure, conclusion): what the conclusion leaves out
    facts_key: str  # of the JSON that `sweep results` prints
    list_facts: Callable[..., list[Fact]]  # (spec, rows, items by measure)
    list_cell_values: Callable[..., Mapping[str, Any]]  # (sweep): what it puts into its cells by itself
    count_axes: Callable[..., Mapping[str, int]] = _count_data  # (sweep): its own axes, besides sizes and seeds
    rules: tuple[Rule, ...] = ()  # of its spec, besides those of every kind
    plan_shared_runs: Callable[..., Iterator[PlannedRun]] = _plan_nothing  # (as plan_runs): planned last, once
    list_defaults: Callable[..., list[tuple[str, Json]]] = _list_nothing  # (sweep)
    list_bests: Callable[..., list[Best]] | None = None  # (spec, rows): what the best is the best by, if not `best`
    list_deciding: Callable[..., list[str]] = _list_nothing  # (spec, rows): metrics whose items say more than means
    choose_runs: Callable[..., Collection[ItemKey] | None] | None = None  # (spec, rows): whose items are read
    acts: bool = False  # it can train by acting, without data
    chooses: bool = False  # it chooses between its cells, on the validation set where there is one
    names_data: bool = False  # metrics of several data sets carry the name of their data set
    tells_roles: bool = False  # its answer says what each data set is for: `control_of` and `note` of `data`
    competes: bool = True  # one of its cells can be the best; of sizes it is nearly always the largest

"""Conclude whether a control of a scaling experiment learnt nothing, as it should, or did as well as its twin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweeps.analysis.guessing import find_unbeaten
from sweeps.analysis.item_analysis import ItemsBy
from sweeps.analysis.targets import Spec, find_metric
from sweeps.experiments.conclude_scaling import SizedRuns, limit_by_runs, size_runs
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.evidence import (
    compare_runs,
    conclude_guess,
    find_best_learner,
    list_agreement,
    orient,
    refuse_direction,
)
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.intervals import find_grain, is_clear

Groups = Sequence[tuple[str, list[RunResult]]]  # the runs of each data set in each setting


@dataclass(frozen=True)
class DataRoles:
    """The roles of data sets, by their names; most have none."""

    controls: Mapping[str, str] = field(default_factory=dict)  # the data set whose null twin each control is
    notes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, spec: Mapping[str, Json]) -> "DataRoles":
        data = spec.get("data")
        named = data.items() if isinstance(data, Mapping) else ()
        known = {name: section for name, section in named if isinstance(section, Mapping)}
        return cls(
            {name: str(section["control_of"]) for name, section in known.items() if section.get("control_of")},
            {name: str(section["note"]) for name, section in known.items() if section.get("note")},
        )

    def is_control(self, cell: Mapping[str, Json]) -> bool:
        """Whether a cell is trained on a control."""
        return cell.get("data") in self.controls

    def label(self, name: str) -> str:
        """Name a data set in a table."""
        return f"{name} (control)" if name in self.controls else name


def conclude_controls(spec: Spec, groups: Groups, items: ItemsBy) -> Iterator[Conclusion]:
    """Conclude about each control that has a result of the metric of the target, or else of the first metric."""
    roles, metric = DataRoles.read(spec), find_metric(spec)
    by_name = {(str(runs[0].cell.get("data")), place): runs for place, runs in groups}
    for (name, place), rows in by_name.items():
        if name not in roles.controls:
            continue
        runs = size_runs(spec, rows, items, data=name, place=place)
        beside = by_name.get((roles.controls[name], place), [])
        twin = size_runs(spec, beside, items, data=roles.controls[name], place=place)
        if runs is None or twin is None:
            yield refuse_direction(metric)
        elif runs.trained:
            yield replace(limit_by_runs(_judge(runs, twin), runs, rows), note=roles.notes.get(name, ""))


def _judge(runs: SizedRuns, twin: SizedRuns) -> Conclusion:
    """Hold a control against guessing, then against the untrained model, and where it gained against its twin."""
    every = [run for group in runs.trained.values() for run in group]
    if find_unbeaten(every, runs.metric, runs.items):
        largest = runs.trained[max(runs.trained)]
        if guessed := conclude_guess(largest, runs.name, runs.metric, runs.items):
            return replace(guessed, claim="control_learnt_nothing")
    cells = {runs.unit.write(size): group for size, group in runs.trained.items()}
    learner = find_best_learner(runs.base, cells, runs.metric, runs.sign, runs.items)
    if learner is not None:
        claim = Conclusion("control_learnt_nothing", runs.metric, runs.name, "untrained", *learner.effect)
        return replace(claim, place=f"with {learner.name}")
    return _hold_against_twin(runs, twin)


def _hold_against_twin(runs: SizedRuns, twin: SizedRuns) -> Conclusion:
    """Compare a control with its twin at the largest size of both. Their items are others, so seeds alone tell it."""
    shared = runs.trained.keys() & twin.trained.keys()
    if not shared:
        return Conclusion("control_not_judged", runs.metric, runs.name, twin.name, caveats=("no_shared_seed",))
    size = max(shared)
    grain = find_grain([*runs.values(size).values(), *twin.values(size).values()])
    difference = compare_runs(runs.trained[size], twin.trained[size], runs.metric, None, grain=grain)
    if difference is None:
        return Conclusion("control_not_judged", runs.metric, runs.name, twin.name, caveats=("no_shared_seed",))
    estimate, effect, place = (
        difference.estimate,
        orient(difference.estimate, runs.sign),
        f"with {runs.unit.write(size)}",
    )
    is_ahead = (effect.effect or 0.0) > 0
    if estimate.half_width is None:
        agreement = list_agreement(estimate)
        return Conclusion(
            "control_not_judged", runs.metric, runs.name, twin.name, *effect, place=place, caveats=agreement
        )
    claim = Conclusion("control_behind", runs.metric, runs.name, twin.name, *effect, place=place)
    if is_clear(estimate) and not is_ahead:
        return replace(claim, caveats=("these_items_only",))
    return replace(claim, claim="control_as_good", caveats=("control_as_good", "these_items_only"))

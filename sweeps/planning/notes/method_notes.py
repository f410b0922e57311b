"""Note what data sets are for, what is equal for all methods, how short an acting training is, what is used whole."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sweeps.analysis.learning_signs import FEWEST
from sweeps.records import Dataset
from sweeps.spec.model import SweepFields
from sweeps.stage import Run, Stage
from sweeps.training.rollout_cost import LEAST_KEPT
from sweeps.training.schedule import describe_equal

RL = "rl"


def note_methods(sweep: SweepFields, stages: Sequence[Stage], runs: Sequence[Run]) -> Iterator[str]:
    """Note what is equal for all methods, what the bounds of acting assume, and where it is too short."""
    acting = [stage for stage in stages if stage.recipe.get("method") == RL]
    if sweep.equal is not None and not any(path.startswith("equal") for path in sweep.vary):
        yield f"equal for all methods: {describe_equal(sweep.equal, acts=bool(acting))}"
    if acting:
        yield (
            f"rl: the low estimate assumes the shortest episodes and that {LEAST_KEPT * 100:.0f} % of the groups are "
            "trained on; the high one the longest episodes, and all groups. A group is not trained on if all of its "
            "rollouts get the same reward"
        )
        if any(stage.recipe.get("tokens") for stage in acting):
            yield (
                "rl: where the tokens are given, the number of iterations is an estimate. A training may end half of "
                "the longest iteration before them (low, which also trains on fewer of its tokens) or, if its last "
                "iteration turns out the longest, a whole one after them (high)"
            )
        yield from _note_few_iterations(acting, _map_parts(sweep, runs), equal=sweep.equal is not None)


def note_roles(sweep: SweepFields) -> Iterator[str]:
    """Note what each data set is for, as the file says it."""
    for name, dataset in sweep.data.items():
        if dataset.control_of is not None:
            yield f"data.{name}: the control of {dataset.control_of}, its null twin: nothing should be learnt from it"
        if dataset.note is not None:
            yield f"data.{name}: {dataset.note}"


def note_whole_data(sweep: SweepFields, datasets: Iterable[Dataset], stages: Sequence[Stage]) -> Iterator[str]:
    """Note the data sets that are used whole without a size in the file: labels of stages have the size."""
    sizes = {(data["records"], data["size"]) for stage in stages if isinstance(data := stage.recipe.get("data"), dict)}
    for dataset in datasets:
        rows = len(dataset.train)
        if (dataset.train.sha256, rows) in sizes and dataset.train.units not in sweep.all_sizes:
            yield f"data.{dataset.name}: all {rows:,} training rows are used"


def _map_parts(sweep: SweepFields, runs: Sequence[Run]) -> dict[str, str]:
    """Map train stages to the method, and the part of its chain, that a comparison makes them for."""
    parts: dict[str, str] = {}
    for run in runs:
        name = run.cell.get("method")
        if sweep.methods and isinstance(name, str) and run.stage is not None:
            chain = [f"{name}, part {part}" for part, _ in sweep.methods[name].chain] or [name]
            for stage, part in zip((*run.before, run.stage), chain, strict=True):
                parts.setdefault(stage, part)
    return parts


def _note_few_iterations(acting: Sequence[Stage], parts: Mapping[str, str], *, equal: bool) -> Iterator[str]:
    """Note trainings that are too short for their reward to show anything."""
    short: dict[str, list[Stage]] = {}
    for stage in acting:
        if stage.steps < FEWEST:
            short.setdefault(parts.get(stage.id, RL), []).append(stage)
    for name, stages in short.items():
        counts = sorted({stage.steps for stage in stages})
        about = "about " if any(stage.recipe["steps"] is None for stage in stages) else ""  # what its tokens allow
        span = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        noun = "iteration" if counts == [1] else "iterations"
        where = "1 training" if len(stages) == 1 else f"each of {len(stages):,} trainings"
        times = math.ceil(10 * FEWEST / (counts[0] - 0.5)) / 10  # the count is rounded: as few as half of one less
        more = (
            f"; {times:g} times the tokens of `{'equal' if equal else 'tokens'}` give at least {FEWEST}"
            if about
            else ""
        )
        yield (
            f"{name}: {about}{span} {noun} (steps) in {where}: with fewer than {FEWEST}, "
            f"the reward hardly shows whether anything is learnt{more}"
        )

"""Weigh the signs of not having learnt against the evaluation, which decides what a training is worth.

Pure functions.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sweeps.analysis.changes import list_baselines
from sweeps.analysis.learning_signs import Code, Improvement, LearningSign
from sweeps.evaluation.registry import GAINS, LOSSES
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, group_by_cell
from sweeps.stage import Json
from sweeps.stats.intervals import estimate_paired, is_clear

NOISY: Collection[Code] = ("barely_moved", "few_iterations", "reward_flat", "loss_flat", "at_chance")
"""Signs of too little evidence, which a clear improvement of the evaluation refutes."""


def weigh_signs(signs: Iterable[LearningSign], rows: Sequence[RunResult]) -> tuple[LearningSign, ...]:
    """Add to each sign what the evaluation improved, and leave out those that a clear improvement refutes.

    In a chain, the improvement may be another training's, so that it refutes nothing.
    """
    found: dict[bytes, Improvement | None] = {}
    kept = []
    for sign in signs:
        cell = canonicalize_row(sign.cell)
        if cell not in found:
            found[cell] = find_improvement(rows, sign.cell)
        better = found[cell]
        if not (better and better.clear and sign.code in NOISY and sign.chain == 1):
            kept.append(replace(sign, improved=better))
    return tuple(kept)


def find_improvement(rows: Sequence[RunResult], cell: Mapping[str, Json]) -> Improvement | None:
    """Find a metric that is better than the untrained model's: clearly, or of a single seed, which cannot be clear."""
    cells = {canonicalize_row(each): runs for each, runs in group_by_cell(rows)}
    own = cells[canonicalize_row(cell)]
    better = []
    for metric in dict.fromkeys(name for run in own for name in run.metrics):
        name = metric.rpartition(".")[2]
        for against, beside in list_baselines(cell, metric):
            base = cells.get(canonicalize_row(beside), [])
            if against == "untrained" and name in (*LOSSES, *GAINS):
                found = _compare_means(metric, base, own, sign=1 if name in GAINS else -1)
                better += [found] if found else []
    return next((each for each in better if each.clear), better[0] if better else None)


def _compare_means(
    metric: str, base: Sequence[RunResult], own: Sequence[RunResult], *, sign: int
) -> Improvement | None:
    before = {run.seed: run.metrics[metric] for run in base if metric in run.metrics}
    after = {run.seed: run.metrics[metric] for run in own if metric in run.metrics}
    if len(before) == 1:  # measured once, for all seeds
        before = dict.fromkeys(after, next(iter(before.values())))
    seeds = sorted(before.keys() & after.keys())
    if not seeds:
        return None
    gain = estimate_paired([sign * (after[seed] - before[seed]) for seed in seeds])
    if not gain.mean > 0 or (gain.half_width is not None and not is_clear(gain)):
        return None
    was, now = (sum(side[seed] for seed in seeds) / len(seeds) for side in (before, after))
    return Improvement(metric, was, now, clear=is_clear(gain))

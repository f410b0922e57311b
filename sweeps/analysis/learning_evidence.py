"""Weigh the signs of not having learnt against the evaluation, which decides what a training is worth.

Pure functions.
"""

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sweeps.analysis.baselines import list_baselines
from sweeps.analysis.learning_signs import MOVED, Code, Improvement, LearningFacts, LearningSign, list_learning_signs
from sweeps.evaluation.registry import GAINS, LOSSES
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, group_by_cell
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, compute_p, estimate_paired, find_grain, holm, is_clear

NOISY: Collection[Code] = ("barely_moved", "few_iterations", "reward_flat", "loss_flat", "at_chance")
"""Signs of too little evidence, which a clear improvement of the evaluation refutes."""


def find_signs(
    rows: Sequence[RunResult], facts: Mapping[str, LearningFacts], running: Collection[str] = ()
) -> tuple[LearningSign, ...]:
    """Find the trainings that may not have learnt, as far as the evaluation does not refute it."""
    signs = list_learning_signs(rows, facts, running)
    return weigh_signs(signs, rows)


def weigh_signs(signs: Iterable[LearningSign], rows: Sequence[RunResult]) -> tuple[LearningSign, ...]:
    """Add to each sign what the evaluation improved, and leave out those that a clear improvement refutes.

    In a chain, the improvement may be another training's, so that it refutes nothing.
    """
    cells = {canonicalize_row(cell): runs for cell, runs in group_by_cell(rows)}
    improvements: dict[bytes, Improvement | None] = {}
    kept = []
    for sign in signs:
        cell = canonicalize_row(sign.cell)
        if cell not in improvements:
            improvements[cell] = _find_improvement(cells, sign.cell)
        better = improvements[cell]
        if not (better and better.clear and sign.code in NOISY and sign.chain == 1):
            kept.append(replace(sign, improved=better))
    return tuple(kept)


def _find_improvement(cells: Mapping[bytes, Sequence[RunResult]], cell: Mapping[str, Json]) -> Improvement | None:
    """Find a metric that is better than the untrained model's: clearly, or of a single seed, which cannot be clear.

    One of many metrics is better by chance, so an improvement is clear if it is when all are judged together. One that
    is smaller than what rounding moves is none, though seeds agree on it.
    """
    own = cells[canonicalize_row(cell)]
    gains = {}
    for metric in dict.fromkeys(name for run in own for name in run.metrics):
        for against, beside in list_baselines(cell, metric):
            if against == "untrained" and metric.rpartition(".")[2] in (*LOSSES, *GAINS):
                gains[metric] = _compare_seeds(metric, cells.get(canonicalize_row(beside), []), own)
    known = {metric: gain for metric, gain in gains.items() if gain is not None}
    stands = holm({metric: compute_p(gain, gain.seeds - 1) for metric, (gain, _) in known.items()})
    better = [
        Improvement(metric, *_average(pairs), clear=metric in stands)
        for metric, (gain, pairs) in known.items()
        if gain.mean > MOVED * abs(pairs[0][0]) and (gain.half_width is None or is_clear(gain))
    ]
    return next((gain for gain in better if gain.clear), better[0] if better else None)


Pairs = Sequence[tuple[float, float]]  # before and after, seed by seed


def _compare_seeds(metric: str, base: Sequence[RunResult], own: Sequence[RunResult]) -> tuple[Estimate, Pairs] | None:
    """Estimate by how much a metric became better; None where no seed has both values."""
    before = {run.seed: run.metrics[metric] for run in base if metric in run.metrics}
    after = {run.seed: run.metrics[metric] for run in own if metric in run.metrics}
    if len(before) == 1:  # measured once, for all seeds
        before = dict.fromkeys(after, next(iter(before.values())))
    pairs = [(before[seed], after[seed]) for seed in sorted(before.keys() & after.keys())]
    if not pairs:
        return None
    sign = 1 if metric.rpartition(".")[2] in GAINS else -1
    gains = [sign * (now - was) for was, now in pairs]
    return estimate_paired(gains, grain=find_grain(value for pair in pairs for value in pair)), pairs


def _average(pairs: Pairs) -> tuple[float, float]:
    was, now = zip(*pairs, strict=True)
    return statistics.fmean(was), statistics.fmean(now)

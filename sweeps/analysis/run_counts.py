"""Count what became of runs: an answer drawn from some of them says what happened to the rest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.evaluation.metric_prefixes import CUT, UNCHECKED, get_base_name
from sweeps.formatting import percent
from sweeps.results import GIVEN_UP, RunResult

TROUBLES = {  # of answers, by how the metric of their share begins
    CUT: "were cut at `most` tokens, and scored as they are",
    UNCHECKED: "have no score, because the check failed",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of runs; each run is in exactly one of them."""

    measured: int = 0  # they have a finite value of the metric
    diverged: int = 0  # they have a value, and it is not finite
    unmeasured: int = 0  # they succeeded, and the metric was not asked for or not to be had
    failed: int = 0  # given up: failed, skipped because a parent failed, or cancelled
    unfinished: int = 0  # still to come

    @property
    def runs(self) -> int:
        """All runs."""
        return self.measured + self.missing

    @property
    def missing(self) -> int:
        """The runs that are in no mean."""
        return self.diverged + self.unmeasured + self.failed + self.unfinished

    def describe(self) -> str:
        """Say what is missing: "2 of 9 runs are not included: 1 failed, 1 unfinished"; or ""."""
        if not self.missing:
            return ""
        kinds = ("diverged", "unmeasured", "failed", "unfinished")
        parts = ", ".join(f"{getattr(self, kind)} {kind}" for kind in kinds if getattr(self, kind))
        return f"{self.missing} of {self.runs} runs {'is' if self.missing == 1 else 'are'} not included: {parts}"


def count_runs(runs: Sequence[RunResult], metric: str) -> Tally:
    """Count what became of the runs, for one metric."""
    counts = dict.fromkeys(Tally.__slots__, 0)
    for run in runs:
        counts[_fate(run, metric)] += 1
    return Tally(**counts)


def describe_troubled_answers(runs: Sequence[RunResult]) -> list[str]:
    """Say which evaluations cut answers, and on which answers a check failed, of trained and of untrained models."""
    sentences = []
    for prefix, what in TROUBLES.items():
        for trained, whose in ((True, ""), (False, " of the untrained model")):
            by_share: dict[str, list[str]] = {}
            for metric, share in find_shares(runs, prefix, trained=trained).items():
                by_share.setdefault(percent(share, 1), []).append(metric)
            if by_share:
                most = "; ".join(f"{share} ({', '.join(metrics)})" for share, metrics in by_share.items())
                sentences.append(f"Some answers{whose} {what}: up to {most}.")
    return sentences


def find_cuts(runs: Sequence[RunResult], *, trained: bool) -> dict[str, float]:
    """Find the largest share of answers that a run had cut, by metric, of trained or of untrained models."""
    return find_shares(runs, CUT, trained=trained)


def find_shares(runs: Sequence[RunResult], prefix: str, *, trained: bool) -> dict[str, float]:
    """Find the largest share above 0 that a run has of each metric whose own name begins so."""
    shares: dict[str, float] = {}
    for run in runs:
        for metric, share in run.metrics.items():
            if get_base_name(metric).startswith(prefix) and (run.stage is not None) == trained and share > 0:
                shares[metric] = max(share, shares.get(metric, 0.0))
    return shares


def _fate(run: RunResult, metric: str) -> str:
    if metric in run.metrics:
        return "measured" if math.isfinite(run.metrics[metric]) else "diverged"
    if run.state in GIVEN_UP:
        return "failed"
    return "unmeasured" if run.state == "succeeded" else "unfinished"

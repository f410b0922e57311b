"""How many runs there were, and what became of them: an answer that is made of some says what the rest did."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.evaluation.metric_prefixes import CUT
from sweeps.results import RunResult

GIVEN_UP = ("failed", "skipped", "cancelled")


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of runs, each in one of them."""

    measured: int = 0  # they have a finite value of the metric
    diverged: int = 0  # they have a value, and it is not finite
    unmeasured: int = 0  # they succeeded, and the metric was not asked for or not to be had
    failed: int = 0  # given up: failed, skipped because a parent failed, or cancelled
    unfinished: int = 0  # still to come

    @property
    def runs(self) -> int:
        """All of them."""
        return self.measured + self.missing

    @property
    def missing(self) -> int:
        """Those that are in no mean."""
        return self.diverged + self.unmeasured + self.failed + self.unfinished

    def describe(self) -> str:
        """Say what is missing: "2 of 9 runs are not included: 1 failed, 1 unfinished"; or ""."""
        if not self.missing:
            return ""
        kinds = ("diverged", "unmeasured", "failed", "unfinished")
        parts = ", ".join(f"{getattr(self, kind)} {kind}" for kind in kinds if getattr(self, kind))
        return f"{self.missing} of {self.runs} runs {'is' if self.missing == 1 else 'are'} not included: {parts}"


def count_runs(runs: Sequence[RunResult], metric: str) -> Tally:
    """What became of the runs, as far as one metric goes."""
    counts = dict.fromkeys(Tally.__slots__, 0)
    for run in runs:
        counts[_fate(run, metric)] += 1
    return Tally(**counts)


def describe_cuts(runs: Sequence[RunResult]) -> list[str]:
    """Which evaluations cut answers of trained models, for people: a right answer that is cut counts as wrong."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for metric, share in run.metrics.items():
            if metric.rpartition(".")[2].startswith(CUT) and run.stage is not None:
                found.setdefault(metric, []).append(share)
    return [
        f"{metric}: answers were cut at `most` tokens, {max(shares):.1%} of those of a run at the most; "
        "what is cut counts as it stands"
        for metric, shares in found.items()
        if max(shares) > 0
    ]


def _fate(run: RunResult, metric: str) -> str:
    if metric in run.metrics:
        return "measured" if math.isfinite(run.metrics[metric]) else "diverged"
    if run.state in GIVEN_UP:
        return "failed"
    return "unmeasured" if run.state == "succeeded" else "unfinished"

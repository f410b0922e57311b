"""Check the data of a fit: say why no law can be fitted, and warn of what makes its intervals too narrow."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sweeps.formatting import format_count, percent
from sweeps.scaling.coded_text import CodedText
from sweeps.scaling.laws import FREE, Floats, Law
from sweeps.scaling.selection import SPARE, WARN

RISE = 0.01  # relative rise of the loss from one size to the next that is no longer a wobble
FALL = 0.05  # the same of an accuracy, absolute: it is of few items


def find_obstacle(n: Floats, loss: Floats, steps: Floats, wanted: Law, law: Law | None) -> str | None:
    """Say why no law can be fitted to the mean losses (or errors) of sizes n, both (M,); None if one can."""
    needed = count_needed_sizes(wanted)
    if len(n) < needed:
        sizes = "1 size is" if len(n) == 1 else f"{len(n)} sizes are"
        few = f"{sizes} too few: the {law or 'simplest'} law needs {needed}"
        return CodedText("too_few_sizes", few)
    what, worsens = ("accuracy", "falls") if wanted == "bounded" else ("loss", "rises")
    for (before, after), (small, large), error in zip(pairwise(loss), pairwise(n), steps, strict=True):
        if after - before > max(FALL if wanted == "bounded" else RISE * before, 2 * error):
            first, then = (1 - before, 1 - after) if wanted == "bounded" else (before, after)
            change = f"from {first:.4g} at {small:g} to {then:.4g} at {large:g}"
            return CodedText("data_does_not_help", f"the {what} {worsens} with more data, {change}")
    better = "rise" if wanted == "bounded" else "fall"
    same = CodedText("data_does_not_help", f"the {what} does not {better} with more data")
    return None if loss[-1] < loss[0] else same


def count_needed_sizes(law: Law) -> int:
    """Count the sizes that a law needs: its free parameters, and some that can contradict it."""
    return FREE[law] + SPARE


def check_lengths(n: Floats, **others: npt.ArrayLike | None) -> None:
    """Raise ValueError unless everything has one entry for each run."""
    for name, values in others.items():
        if values is not None and np.shape(values) != n.shape:
            raise ValueError(f"expected one {name} for each of {n.size} runs, got {np.size(values)}")


def warn_of_left_out(values: Floats, what: str) -> tuple[str, ...]:
    """Warn of the values that no curve can have: those that are not finite, and those out of range."""
    finite = np.isfinite(values)
    diverged, beyond = int((~finite).sum()), int(finite.sum())
    wanted = "is not positive" if what == "loss" else "is not between 0 and 1"
    lost = f"left out, because they diverged: {format_count(diverged, 'run')} without a finite {what}"
    wrong = f"left out: {format_count(beyond, 'run')} whose {what} {wanted}; check how it was measured"
    texts = ((diverged, CodedText("diverged_runs", lost)), (beyond, wrong))
    return tuple(text for count, text in texts if count)


def warn_of_one_seed(seeds: npt.NDArray[np.int_]) -> tuple[str, ...]:
    """Warn of a single seed: with nested subsets and nine sizes its 95 % intervals hold the truth in .83 to .97."""
    words = "there is one seed: what a seed does to all sizes alike is not in the intervals"
    return (CodedText("one_seed", words),) if len(set(seeds.tolist())) == 1 else ()


def warn_of_missing_seeds(n: Floats, seeds: npt.NDArray[np.int_]) -> tuple[str, ...]:
    """Warn of sizes that lack a seed."""
    everyone = set(seeds.tolist())
    lacking = [size for size in np.unique(n) if set(seeds[n == size].tolist()) != everyone]
    listed = ", ".join(f"{size:g}" for size in lacking)
    words = f"not every seed has a result at size {listed}"
    return (CodedText("missing_seeds", words),) if lacking else ()


def warn_of_far_errors(largest: float, times: int, what: str, *ahead: Floats) -> tuple[str, ...]:
    """Warn that the curve, with its band, is not known within 2 % at some times the largest size."""
    value, low, high = (float(prediction[0]) for prediction in ahead)
    off = max(high - value, value - low) / max(value, 1e-12)
    if off <= WARN:
        return ()
    band = f"95 % interval {low:.4g} to {high:.4g}" if max(abs(low), abs(high)) < 1e6 else "its interval has no bounds"
    where = (
        f"the curve is uncertain far beyond the measured sizes: at {times * largest:,.0f} ({times} times the largest)"
    )
    words = f"{where} its {what} of {value:.4g} may be wrong by up to {percent(off, 1)} ({band})"
    return (CodedText("far_uncertain", words),)

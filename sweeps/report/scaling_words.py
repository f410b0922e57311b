"""Say what the fit of a curve answers: one sentence for each data set, and what would make its interval narrower."""

from collections.abc import Sequence

import numpy as np

from sweeps.analysis.guessing import find_beaten, weigh_guess
from sweeps.analysis.targets import choose_side, describe_met_sizes, write_formula, write_law
from sweeps.analysis.told_items import count_told
from sweeps.evaluation.registry import is_rising
from sweeps.formatting import percent
from sweeps.report.table_cells import MINUS
from sweeps.results import RunResult, group_by_cell
from sweeps.scaling.coded_text import read_code
from sweeps.scaling.fit import ScalingFit
from sweeps.scaling.minimum_data import MinimumData, find_half_widths
from sweeps.scaling.profile import REACH
from sweeps.scaling.selection import CLOSE
from sweeps.spec.size_units import EXAMPLES, SizeUnit
from sweeps.stats.intervals import critical_t
from sweeps.stats.paired_items import Items

NARROWED = {  # the parts of an interval in words, and what would make it narrower
    "seeds": ("the scatter of the runs", "more seeds"),
    "items": ("the choice of held-out items", "more held-out items"),
    "misfit": ("the law, which no curve follows exactly", "measuring a larger size"),
}
WHY_IT_LEADS = (
    "The answer uses the law in the first row of each data set. Of the laws whose expected error at the answer is at "
    f"most {CLOSE:g} times the least, it has the least AICc, which weighs how well a law fits against its number of "
    "parameters. R² does not choose."
)
FEW_SEEDS = 3  # so few make what a single size shows so unsure that the interval may seem to contradict it
SMALL = 0.005  # shares of an interval that are not listed


def summarise_fit(name: str, fit: ScalingFit, metric: str, origin: str = "", *, unit: SizeUnit = EXAMPLES) -> str:
    """Say in one sentence what the fit of one data set answers; `origin` says where a relative target comes from."""
    least = fit.minimum_data
    if least is None or least.status == "refused":
        return _summarise_without_target(name, fit, metric, unit)
    goal = f"{metric} {choose_side(metric)} {least.target:.4g}{origin and f' ({origin})'}"
    if least.status == "met":
        return f"{name}: {goal} is met already at the smallest size measured, {_count(least, unit)}."
    if least.status == "unreachable":
        return f"{name}: no amount of data reaches {goal}; the fitted curve levels off first."
    if least.point is None:
        far = "the curve reaches it only far beyond the measured sizes, if at all"
        fewest = f"; at least {unit.write(least.low)} are needed" if least.low else ""
        return f"{name}: the size for {goal} is {least.status}{fewest}; {far}."
    needs = f"{name} needs about {_count(least, unit)} to reach {goal}{_say_how_far(least, fit)}"
    return f"{needs}.{explain_open_end(least, unit)}"


def explain_fit(name: str, fit: ScalingFit, origin: str, unit: SizeUnit) -> str:
    """Explain an answer that is said already: where its target comes from, how far it reaches. Nothing to add: ""."""
    least = fit.minimum_data
    words = [f"the target is {origin}"] if origin else []
    if least is None or least.point is None:
        return f"{name}: {words[0]}." if words else ""
    if far := _say_how_far(least, fit):
        words.append(f"the answer is{far.removeprefix(',')}")
    sentence = f"{name}: {'; '.join(words)}." if words else ""
    open_end = explain_open_end(least, unit)
    return sentence + open_end if sentence else open_end and f"{name}:{open_end}"


def explain_open_end(least: MinimumData, unit: SizeUnit = EXAMPLES) -> str:
    """Say why an interval has no upper end, and which run would probably give it one; "" where it has one."""
    never = "the curve may level off before the target"
    if least.next_size is None:
        return f" But {never}." if least.may_be_unreachable else ""
    reason = never if least.may_be_unreachable else f"even {REACH} times the largest size may miss the target"
    remedy = f"Runs with {unit.write(least.next_size)} would probably give it one"
    return f" The interval has no upper end: {reason}. {remedy}."


def say_what_would_narrow(fit: ScalingFit, unit: SizeUnit = EXAMPLES) -> str:
    """Name the parts of the interval, the largest first, and what to do about that one. Without an interval: "".

    Where the answer lies between two measured sizes, what the law lacks is a size between them, not a larger one.
    """
    least = fit.minimum_data
    if least is None or least.parts is None or least.low is None:
        return ""
    parts = sorted(least.parts._asdict().items(), key=lambda part: -part[1])
    listed = [(percent(share, 0), NARROWED[name][0]) for name, share in parts if share >= SMALL]
    (share, source), *others = listed
    rest = "".join(f", {part} from {origin}" for part, origin in others)
    largest, gap = parts[0][0], find_gap(fit)
    between = f"a size between {gap[0]:,.0f} and {unit.write(gap[1])}" if gap else ""
    remedy = between if between and largest == "misfit" else NARROWED[largest][1]
    is_contradicted = "seeds_contradict" in map(read_code, fit.warnings)
    apart = f" The seeds contradict the law: {between} would tell without it." if is_contradicted and gap else ""
    return f"{remedy} would narrow the interval most: {share} of the uncertainty comes from {source}{rest}.{apart}"


def find_gap(fit: ScalingFit) -> tuple[float, float] | None:
    """Find the last measured size whose mean misses the target, and the next one; None unless sizes lie between."""
    least = fit.minimum_data
    if least is None or least.status != "interpolated":
        return None
    missed = fit.loss < least.target if fit.law == "bounded" else fit.loss > least.target
    last = int(np.flatnonzero(missed)[-1]) if missed.any() else -1
    if not 0 <= last < len(fit.n) - 1 or fit.n[last + 1] - fit.n[last] < 2:
        return None
    return float(fit.n[last]), float(fit.n[last + 1])


def explain_low_end(fit: ScalingFit, unit: SizeUnit) -> str:
    """Say why an interval includes a size whose mean misses the target, where few seeds are the reason; or ""."""
    least = fit.minimum_data
    if least is None or not least.has_interval or least.low is None or fit.curve is None or fit.blocks is None:
        return ""
    missed = fit.loss < least.target if fit.law == "bounded" else fit.loss > least.target
    places = np.flatnonzero(missed & (fit.n > least.low))
    if not 2 <= fit.blocks.seeds <= FEW_SEEDS or not len(places):
        return ""
    first = places[0]
    now, then = (find_half_widths(fit.curve, fit.blocks, more)[0, first] for more in (0, 1))
    mean, target = write_apart(fit.loss[first], least.target)
    missed_by = f"although the mean there ({mean}) misses the target ({target})"
    seeds = fit.blocks.seeds
    t = f"Student's t for {seeds} seeds ({critical_t(seeds - 1):.1f})"
    known = f"With {seeds} seeds the 95 % interval of that mean is ±{now:.2g}: {t}, the scatter of all sizes together"
    why = "The runs of one seed may go up and down together, so t counts seeds, not runs"
    more_seeds = f"One seed more, with the same scatter, would make it ±{then:.2g}"
    return f"the interval includes {unit.write(fit.n[first])}, {missed_by}. {known}. {why}. {more_seeds}"


def write_apart(number: float, other: float) -> tuple[str, str]:
    """Write two numbers that differ with as many digits as tell them apart, at least four."""
    for digits in range(4, 17):
        if f"{number:.{digits}g}" != f"{other:.{digits}g}":
            return f"{number:.{digits}g}", f"{other:.{digits}g}"
    return f"{number:.17g}", f"{other:.17g}"


def explain_high_end(fit: ScalingFit, unit: SizeUnit) -> str:
    """Say why an interval ends at the largest size, where the runs of that size are what ends it; or ""."""
    least = fit.minimum_data
    if least is None or not least.has_interval or not len(fit.n) or least.high != fit.n[-1]:
        return ""
    return f"the interval ends at {unit.write(fit.n[-1])}, because the runs of that size clearly reach the target"


def _summarise_without_target(name: str, fit: ScalingFit, metric: str, unit: SizeUnit) -> str:
    """Say what was measured, and the law or why there is none."""
    measured = ""
    if fit.minimum_data is None and len(fit.n):
        measured = f"{metric} {fit.loss[-1]:.4g} at {unit.write(fit.n[-1])}"
    least = fit.minimum_data
    if least is not None and least.reason and fit.trust:
        goal = f"{metric} {choose_side(metric)} {least.target:.4g}"
        far = float(fit.n[-1]) * fit.trust.times
        return f"{name}: no answer for {goal}, because {least.reason}; trust the curve up to {unit.write(far)}."
    if fit.refused or fit.curve is None:
        known = describe_met_sizes(fit, metric, unit) or measured
        return f"{name}: {known}; no law was fitted: {fit.refused}." if known else f"{name}: no answer: {fit.refused}."
    return f"{name}: {measured}; it {'rises' if is_rising(metric) else 'falls'} as {write_curve(fit)}."


def _count(least: MinimumData, unit: SizeUnit) -> str:
    interval = write_interval(least)
    return f"{unit.write(least.point or 0)}{interval and f' (95 % interval {interval})'}"


def write_interval(least: MinimumData) -> str:
    """Write the interval of a size: 80 to 120, or 80 or more; nothing without one."""
    if least.low is None:
        return ""
    return f"{least.low:,.0f} or more" if least.high is None else f"{least.low:,.0f} to {least.high:,.0f}"


def _say_how_far(least: MinimumData, fit: ScalingFit) -> str:
    if least.status != "extrapolated" or least.point is None:
        return ""
    far = f", extrapolated to {least.point / float(fit.n[-1]):.1f} times the largest size measured"
    return (
        far
        if least.holdout_error is None
        else f"{far} (a curve fitted without the 2 largest sizes misses them by {percent(least.holdout_error, 2)})"
    )


def write_curve(fit: ScalingFit) -> str:
    """Write the law of a fit with its numbers, for people."""
    return write_formula(fit).replace("-", MINUS)


def explain_columns(fits: Sequence[ScalingFit]) -> str:
    """Write the laws of a table with their letters, and say what its error is."""
    laws = dict.fromkeys(fit.law for fit in fits if fit.law is not None)
    formulas = "; ".join(f"{law}: {write_law(law)}" for law in laws).replace("-", MINUS)
    return (
        f"Laws: {formulas}. R²: the share of the variance of the means that the curve explains. It counts absolute "
        "misses; a loss is fitted by relative ones, so a law that fits better may have the lower R². Error: how far a "
        "curve that is fitted without the 2 largest sizes misses them."
    )


def describe_told(rows: Sequence[RunResult], metric: str, items: Items | None) -> str:
    """Say how many items tell a metric at the size where the fewest do, if some do not."""
    groups = group_by_cell([row for row in rows if row.cell.get("size")])
    counts = [count for _, runs in groups if (count := count_told(runs, metric, items)) and count.is_conditional]
    return f"At the size where the fewest do, {min(counts).describe()} items tell {metric}." if counts else ""


def weigh_largest(rows: Sequence[RunResult], metric: str, items: Items | None) -> str:
    """Say that the largest size is clearly better than a guess, if it is; if none is, the fit says it."""
    sizes = {float(str(row.cell["size"])) for row in rows if row.cell.get("size")}
    largest = [row for row in rows if row.cell.get("size") == max(sizes, default=0)]
    is_known = find_beaten(largest, metric, items) is not None
    return weigh_guess(largest, metric, items, "The largest size") if is_known else ""

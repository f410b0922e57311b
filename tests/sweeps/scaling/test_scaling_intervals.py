"""What the interval of the minimum data claims is counted against planted truths, and its laws are tried."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, least_squares
from scipy.special import stdtrit

from sweeps.scaling.coded_text import read_code
from sweeps.scaling.fit import ScalingFit, fit_many, fit_scaling
from sweeps.scaling.laws import Curves, Floats
from sweeps.scaling.minimum_data import MinimumData
from sweeps.scaling.selection import Runs
from tests.bench.interval_coverage import WIDER, compare_widths, read_widths
from tests.sweeps.planted import (
    ACCURACIES,
    BEYOND,
    KINDS,
    SEEDS,
    SIZES,
    TWO_SEEDS,
    WITHIN,
    Accuracy,
    Coverage,
    Kind,
    drawn,
    offset,
    plateau,
)

EXPERIMENTS = 50  # of each kind: 15 of the 22 tests that count fail where intervals of 95 % are made as those of 80 %
RUNS, SEED = np.tile(SIZES, SEEDS), np.repeat(np.arange(SEEDS), len(SIZES))


def asked(losses: Floats, target: float, **options: Any) -> tuple[ScalingFit, MinimumData]:
    fit = fit_scaling(RUNS, losses.ravel(), target=target, **options)
    assert fit.minimum_data is not None
    return fit, fit.minimum_data


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_interval_holds_the_truth(kind: Kind) -> None:
    """In .88 of the experiments at least, whichever way the noise is; 1,000 of each are in `make bench-statistics`.

    Beyond the sizes the plateau is looked at, of which a law that is too short would be too sure: .87 were covered.
    The median interval is at most 1.25 times as wide as before the error of a law was in it.
    """
    for size in (WITHIN, BEYOND) if kind.truth is plateau and kind.noise == "free" else (WITHIN,):
        coverage = Coverage.of(kind.fits(EXPERIMENTS, size, seed=1), size)
        assert coverage.answered > 0.95
        assert coverage.covered >= (0.92 if size == BEYOND else 0.88)
        assert not compare_widths((kind, size, coverage), read_widths()) > WIDER


@pytest.mark.parametrize("kind", [TWO_SEEDS[0], ACCURACIES[0], ACCURACIES[2]], ids=lambda kind: kind.name)
def test_so_it_does_of_two_seeds_and_of_accuracies(kind: Kind | Accuracy) -> None:
    """Seeds by themselves, two of which are often alike by luck, held it in .89; without the items' error .7 do."""
    coverage = Coverage.of(kind.fits(EXPERIMENTS, WITHIN, seed=1), WITHIN)
    assert coverage.answered > 0.9
    assert coverage.covered >= 0.92


def test_where_the_subsets_of_a_seed_nest_the_seed_is_a_block() -> None:
    """Else the interval is far too sure of itself: it holds the truth in 6 of 10 experiments."""
    kind = next(kind for kind in KINDS if kind.noise == "blocks")
    target = float(kind.truth(np.array([WITHIN]))[0])
    unaware = fit_many(RUNS, kind.losses(EXPERIMENTS, 1).reshape(EXPERIMENTS, -1), targets=target)
    assert Coverage.of(unaware, WITHIN).covered < 0.75


@pytest.mark.parametrize("whole", [3, 5])
def test_sizes_that_lack_seeds_do_not_narrow_the_interval(whole: int) -> None:
    """As of a night that is half over: of the larger sizes there is one seed, which hides how far seeds differ."""
    sizes = SIZES[:7]
    runs = [(seed, place) for seed in range(SEEDS) for place in range(7) if not seed or place < whole]
    kind = next(kind for kind in KINDS if kind.noise == "nested")
    losses = np.stack([kind.losses(EXPERIMENTS, 3)[:, seed, place] for seed, place in runs], axis=1)
    truth, seeds = float(kind.truth(np.array([700.0]))[0]), [seed for seed, _ in runs]
    fits = fit_many(sizes[[place for _, place in runs]], losses, seed=seeds, targets=truth)
    assert Coverage.of(fits, 700.0).covered >= 0.92


def test_what_nesting_makes_of_the_means_is_reckoned_from_the_spread_of_runs() -> None:
    """Also where the larger sizes lack seeds: scatter·nesting is the covariance of the means (5 % of 20,000 draws)."""
    runs = [(seed, place) for seed in range(3) for place in range(9) if not seed or place < 5]
    places, seeds = np.array([place for _, place in runs]), np.array([seed for seed, _ in runs])
    noise = drawn(np.random.default_rng(4), (20_000, 3, 9), "nested")[:, seeds, places]
    drawing = Runs(SIZES, places, 1 + 0.01 * noise, seeds, bounded=False)
    flat, none = np.ones((20_000, 9)), np.zeros(20_000)
    blocks = drawing.blocks(Curves("pure", SIZES, flat, flat, none, none, none, none))
    assert blocks is not None
    assert blocks.scatter.mean() * blocks.nesting == pytest.approx(np.cov(drawing.means.T), abs=0.05 * 0.01**2)


def test_one_seed_is_said_to_be_too_few() -> None:
    losses = offset(0.3)(SIZES)
    for seeds, warned in (([4] * 9, True), (range(9), False), (None, False)):
        fit = fit_scaling(SIZES, losses, seed=None if seeds is None else list(seeds))
        assert any("one seed" in warning for warning in fit.warnings) is warned


def test_the_profile_is_the_one_that_scipy_finds() -> None:
    """E := L* - A·n*^-a, minimised over A and a for each n*, by another optimiser; the ends are where F says."""
    losses, target = KINDS[1].losses(1, 5)[0], 1.55
    fit, answer = asked(losses, target, law="offset")
    means = losses.mean(axis=0)

    def squares(size: float) -> float:
        def misses(place: Floats) -> Floats:
            scale, exponent = np.exp(place)
            return np.asarray(1 - (target + scale * (SIZES**-exponent - size**-exponent)) / means)

        begin = np.log([fit.params["A"], fit.params["a"]])
        return 2 * float(least_squares(misses, begin, xtol=1e-12, ftol=1e-12, gtol=1e-12).cost)

    assert answer.point is not None
    least = squares(answer.point)
    allowed = least * (1 + float(stdtrit(6, 0.975)) ** 2 / 6)
    ends = [
        brentq(lambda size: squares(size) - allowed, first, last)
        for first, last in ((300, answer.point), (answer.point, 9000))
    ]
    assert (answer.low, answer.high) == pytest.approx(ends, rel=2e-4)


@pytest.mark.parametrize("seed", [None, SEED.tolist()])
def test_band_and_answer_are_one_region(seed: list[int] | None) -> None:
    """At an end of the interval an edge of the band is at the target."""
    fit, answer = asked(KINDS[1].losses(1, 2)[0], 1.55, seed=seed)
    band = fit.predict(np.array(answer[3:5]))
    assert band.high[0] == pytest.approx(1.55, rel=1e-4) or band.low[0] == pytest.approx(1.55, rel=1e-4)
    assert band.low[1] == pytest.approx(1.55, rel=1e-4) or band.high[1] == pytest.approx(1.55, rel=1e-4)
    assert (band.low < band.value).all()
    assert (band.value < band.high).all()


def test_a_size_moves_by_the_error_of_the_loss_over_the_slope() -> None:
    """dlog n* = dL / (a·(L - E)): 1 % of a loss of 2.2 is 7.3 % of n* at a = .3, and twice that at a = .15."""
    for exponent in (0.3, 0.15):
        truth = offset(exponent)
        target = float(truth(np.array([WITHIN]))[0])
        sizes = [asked(np.tile(truth(SIZES), 3), goal, law="offset")[1].point for goal in (target * 0.9999, target)]
        assert sizes[0]
        assert sizes[1]
        moved = np.log(sizes[0] / sizes[1]) / 1e-4
        assert moved == pytest.approx(target / (exponent * (target - 1.2)), rel=2e-3)


def test_a_floor_that_may_as_well_be_lower_makes_no_target_unreachable() -> None:
    """Exactly known it is unreachable; with noise it only needs more than a number of examples."""
    exact = np.tile(offset(0.3)(SIZES), 3)
    assert asked(exact, 1.19)[1].status == "unreachable"
    assert asked(exact, 1.19)[1].may_be_unreachable
    fit, answer = asked(KINDS[1].losses(1, 8)[0], 1.19)
    assert answer.status == "not identified"
    assert answer.may_be_unreachable
    assert answer.point is None
    assert answer.low is not None
    assert answer.low > SIZES[-1]
    assert answer.high is None
    assert fit.refused is None


def test_unreachable_stays_possible_until_the_losses_exclude_a_floor_at_the_target() -> None:
    """The floor is 1.2. The targets are above it, which 1 % of noise lets be seen of 1.5 and not of 1.25.

    It is one region with the interval: what may be unreachable is open above, and at the end of the floors that are
    believed the answer turns.
    """
    losses = KINDS[1].losses(1, 3)[0]
    answers = {goal: asked(losses, goal, law="offset")[1] for goal in (1.5, 1.25)}
    assert [answer.may_be_unreachable for answer in answers.values()] == [False, True]
    assert answers[1.25].high is None
    fit = asked(losses, 1.5, law="offset")[0]
    floor = fit.predict(1e30).high[0]
    near = [asked(losses, floor * share, law="offset")[1].may_be_unreachable for share in (0.999, 1.001)]
    assert near == [True, False]
    assert not asked(losses, 2.9)[1].may_be_unreachable


def test_an_extrapolation_says_how_far_and_how_wrong_such_a_step_has_been() -> None:
    fit, answer = asked(KINDS[0].losses(1, 3)[0], float(offset(0.3)(np.array([BEYOND]))[0]))
    assert answer.status == "extrapolated"
    assert answer.point
    assert answer.times == pytest.approx(answer.point / 8192)
    assert answer.holdout_error == fit.holdout_error is not None
    nearer = asked(KINDS[0].losses(1, 3)[0], 2.0)[1]
    assert (nearer.status, nearer.times) == ("interpolated", None)


def test_laws_that_cannot_be_told_apart_are_both_shown_and_the_interval_holds_both() -> None:
    """A pure law of six sizes with noise is as well an offset one with a small floor."""
    n, noise = np.tile(SIZES[:6], 3), np.random.default_rng(0).standard_normal((60, 18))
    fits = fit_many(n, 3.0 * n**-0.1 * (1 + 0.004 * noise), targets=3.0 * 3000**-0.1)
    shown = [fit for fit in fits if fit.alternatives]
    assert len(shown) >= 5
    for fit in shown:
        assert any(all(str(other.law) in warning for other in (fit, *fit.alternatives)) for warning in fit.warnings)
        every = [fit_of_law.minimum_data for fit_of_law in fit.alternatives]
        assert fit.minimum_data
        assert fit.minimum_data.low
        for answer in every:
            assert answer
            if answer.status in ("interpolated", "extrapolated", "not identified"):
                assert (answer.low, answer.high) == (fit.minimum_data.low, fit.minimum_data.high), "one that holds both"
            assert answer.point is None or fit.minimum_data.low <= answer.point
            assert answer.point is None or answer.point <= (fit.minimum_data.high or np.inf)


def test_of_laws_that_are_refused_no_interval_is_told() -> None:
    """Sums in short chats, as the tutorial trains them: steeper than any law until it flattens."""
    means, spread = np.array([5.696, 4.0, 2.3005, 1.5528, 1.2688]), np.array([0.1, 0.1, 0.1156, 0.1081, 0.0085])
    losses = np.concatenate([means + spread * times for times in (-1, 0, 1)])
    seeds = np.repeat([0, 1, 2], len(means)).tolist()
    fit = fit_scaling(np.tile([32, 64, 128, 256, 512], 3), losses, seed=seeds, target=2.0)
    answers = [law_fit.minimum_data for law_fit in (fit, *fit.alternatives)]
    assert [answer and (answer.status, answer.low) for answer in answers] == [("refused", None)] * 2
    assert "laws_tie" not in map(read_code, fit.warnings), "laws that answer nothing cannot tie"


measured = st.builds(
    lambda kind, seed: kind.losses(1, seed)[0],
    st.sampled_from(KINDS),
    st.integers(0, 10_000),
)


@settings(max_examples=5, deadline=None)
@given(losses=measured, times=st.floats(1e-3, 1e3), goal=st.floats(1.6, 2.4))
@pytest.mark.parametrize("unit", ["loss", "n"])
def test_units_do_not_matter(unit: str, losses: Floats, times: float, goal: float) -> None:
    """The loss in other units is the same answer; n in other units is the answer in those."""
    by_loss, by_size = (times, 1.0) if unit == "loss" else (1.0, times)
    _, first = asked(losses, goal, seed=SEED.tolist())
    fit = fit_scaling(RUNS * by_size, losses.ravel() * by_loss, target=goal * by_loss, seed=SEED.tolist())
    other = fit.minimum_data
    assert other is not None
    assert other.status == first.status
    for mine, theirs in zip(first[2:5], other[2:5], strict=True):
        assert (mine is None) == (theirs is None)
        assert theirs is None or mine is None or theirs == pytest.approx(mine * by_size, rel=1e-3)


@settings(max_examples=5, deadline=None)
@given(losses=measured, goals=st.lists(st.floats(1.3, 3.0), min_size=2, max_size=8, unique=True))
def test_a_harder_target_never_needs_less(losses: Floats, goals: list[float]) -> None:
    """Neither the point nor an end of the interval moves back; what is open or nowhere is farthest."""
    ordered = sorted(goals, reverse=True)
    rows = np.broadcast_to(losses.ravel(), (len(ordered), RUNS.size))
    answers = [cast(MinimumData, fit.minimum_data) for fit in fit_many(RUNS, rows, seed=SEED, targets=ordered)]
    if answers[0].status == "refused":
        return
    ends: list[Callable[[MinimumData], float | None]] = [
        lambda answer: answer.point,
        lambda answer: answer.point if answer.status == "met" else answer.low,
        lambda answer: answer.point if answer.status == "met" else answer.high,
    ]
    for end in ends:
        sizes = [np.inf if (size := end(answer)) is None else size for answer in answers]
        assert all(before <= after * (1 + 1e-3) for before, after in pairwise(sizes))

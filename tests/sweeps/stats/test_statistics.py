"""Known values of the errors, tests and sizes that comparisons rest on, and what they promise in simulations."""

import math
from collections.abc import Hashable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.stats.clusters import ClusteredMean, average_clusters, bootstrap_crossed, number_clusters
from sweeps.stats.intervals import Estimate, compute_p_of_t, critical_t, holm
from sweeps.stats.pooling import GroupSpread, pool_family
from sweeps.stats.power import count_items_needed, count_seeds_needed
from sweeps.stats.proportions import mcnemar, wilson_interval

quick = settings(max_examples=40, deadline=None)


def test_known_intervals_of_shares() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.490, 0.943), abs=5e-4)
    assert wilson_interval(0, 10).low == 0
    assert wilson_interval(10, 10).high == 1
    with pytest.raises(ValueError, match="11 right of 10"):
        wilson_interval(11, 10)


def test_known_mcnemar() -> None:
    assert mcnemar(15, 5) == pytest.approx(0.0414, abs=5e-5)
    assert (mcnemar(0, 0), mcnemar(3, 3)) == (1, 1)


@quick
@given(st.integers(1, 60), st.integers(0, 60))
def test_a_share_is_in_its_interval_and_mcnemar_knows_no_sides(items: int, right: int) -> None:
    right = min(right, items)
    low, high = wilson_interval(right, items)
    assert 0 <= low <= right / items <= high <= 1
    assert mcnemar(right, items) == mcnemar(items, right) <= 1


def test_known_numbers_of_items() -> None:
    """3 points between models whose items differ with ω² = 1/9, sampled once with σ² = 1/6 each: 969 without."""
    assert round(count_items_needed(0.03, 1 / 9)) == 969
    assert round(count_items_needed(0.03, 1 / 9 + 2 / 6)) == 3876
    assert round(count_items_needed(0.03, 1 / 9 + 2 / 60)) == 1260


def test_known_numbers_of_seeds() -> None:
    needed = count_seeds_needed(1.0, 1.0)
    assert needed == 10  # as every table of the paired t test has it for an effect of one deviation
    assert count_seeds_needed(1.0, 1.0, fixed=0.2) is None  # the items alone are too few
    assert count_seeds_needed(0.0, 1.0) is None
    assert count_seeds_needed(1.0, 0.0) == 2


def mean_of(values: Sequence[float], clusters: Sequence[Hashable] | None = None) -> ClusteredMean:
    return average_clusters(np.array(values, float), number_clusters(clusters, len(values)))


def test_the_error_of_a_mean_without_and_with_clusters() -> None:
    """By hand: 1, 2, 3, 4 has SE √(5/3/4); in two clusters of two the sums of deviations are -2 and 2: √(2·8)/4."""
    alone, together = mean_of([1, 2, 3, 4]), mean_of([1, 2, 3, 4], "aabb")
    assert alone == pytest.approx((2.5, math.sqrt(5 / 12), 4, 4, 3))
    assert together == pytest.approx((2.5, 1.0, 2, 4, 1))
    assert together.half_width == pytest.approx(12.706, abs=1e-3)  # t with one degree of freedom
    assert mean_of([1, 2], "aa").half_width is None


@quick
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3)), min_size=2, max_size=20), st.integers(2, 4))
def test_an_item_that_is_there_twice_says_nothing_new(items: list[tuple[int, int]], copies: int) -> None:
    values, clusters = map(list, zip(*items, strict=True))
    once, often = mean_of(values, clusters), mean_of(values * copies, clusters * copies)
    assert often.mean == pytest.approx(once.mean)
    assert (often.error is None) == (once.error is None)
    assert often.error is None or often.error == pytest.approx(once.error, abs=1e-9)


def test_what_is_not_one_for_each_item_is_refused() -> None:
    with pytest.raises(ValueError, match="3 items, got 2"):
        number_clusters("ab", 3)


def test_the_bootstrap_agrees_with_the_formula_where_there_is_enough_of_both() -> None:
    """Var = s²/K + SE²: with 30 seeds and 400 items in 100 clusters within a tenth."""
    random = np.random.default_rng(5)
    places = np.repeat(np.arange(100), 4)
    differences = random.normal(0, 0.3, (30, 1)) + random.normal(0, 1, 100)[places] + random.normal(0, 0.1, (30, 400))
    by_item = mean_of(differences.mean(axis=0), places.tolist())
    assert by_item.error
    error = math.sqrt(differences.mean(axis=1).var(ddof=1) / 30 + by_item.error**2)
    low, high = bootstrap_crossed(differences, places)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert low < differences.mean() < high
    assert bootstrap_crossed(differences, places) == (low, high)  # the same chances each time


def test_families() -> None:
    """Holm: .01 ≤ .05/4, then .02 > .05/3."""
    family = {"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.9}
    assert holm(family) == {"a"}
    assert holm({"a": 0.2}) == holm({}) == set()


@quick
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_claims_nothing_above_the_level(p_values: list[float]) -> None:
    family = dict(enumerate(p_values))
    assert holm(family) <= {key for key, p in family.items() if p <= 0.05}


def test_a_p_value_is_the_level_at_which_the_interval_ends() -> None:
    assert compute_p_of_t(critical_t(3.5), 3.5) == pytest.approx(0.05)
    assert count_items_needed(1.0, 1.0) == pytest.approx(7.849, abs=1e-3)


def test_a_kind_takes_its_own_variance_and_lends_it_to_no_other() -> None:
    """Two groups of three each: 4 degrees of freedom, which are worth 3.2 because groups of a kind share runs."""
    sizes = {"quiet": 0.01, "loud": 1.0}
    groups = {(name, at): {0: -size, 1: 0.0, 2: size} for name, size in sizes.items() for at in range(2)}
    intervals, _, clear = pool_family(groups, lambda key: key[0])
    for (name, at), estimate in intervals.items():
        assert estimate.half_width == pytest.approx(sizes[name] * critical_t(3.2) / 3**0.5), at
    assert not clear
    assert pool_family({}, str) == ({}, {}, set())
    assert pool_family({"alone": {0: 1.0}}, str)[0]["alone"] == Estimate(1.0, None, 1)


def test_the_spread_of_a_difference_is_welchs() -> None:
    """2 and 6 with 4 degrees of freedom each: 8, with 64 / (4/4 + 36/4) = 6.4."""
    assert GroupSpread(2.0, 4).add(GroupSpread(6.0, 4)) == pytest.approx((8.0, 6.4))
    assert GroupSpread(0.0, 4).add(GroupSpread(6.0, 4)) == pytest.approx((6.0, 4))
    assert GroupSpread(0.0, 4).add(GroupSpread(0.0, 3)) == (0.0, 7)
    assert GroupSpread(1.0, 4).add(GroupSpread(0.0, 0)).freedom == 0, "nothing is known of one side"


@pytest.mark.parametrize("seeds", [2, 3])
def test_each_target_has_intervals_that_hold_beside_one_that_is_ten_times_as_noisy(seeds: int) -> None:
    """Three sources of each target are compared with the same runs of the target alone; nothing is planted."""
    random, noise = np.random.default_rng(seeds), {"a": 1.0, "b": 1.0, "c": 10.0}
    held, claims, experiments = dict.fromkeys(noise, 0), 0, 300
    for _ in range(experiments):
        groups: dict[tuple[str, int], dict[int, float]] = {}
        for target, sd in noise.items():
            alone = random.normal(0, sd, seeds)
            groups |= {(target, source): dict(enumerate(alone - random.normal(0, sd, seeds))) for source in range(3)}
        family = pool_family(groups, lambda key: key[0])
        for (target, _), estimate in family.estimates.items():
            held[target] += abs(estimate.mean) <= (estimate.half_width or 0)
        claims += bool(family.clear)
    assert min(held.values()) / experiments / 3 >= 0.94, held
    assert claims / experiments <= 0.05, claims

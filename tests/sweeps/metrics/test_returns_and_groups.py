"""Risk of returns, the Sharpe ratio of the best of many trials, agreement of groupings, cited passages."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.metrics import citations, trading
from sweeps.metrics.grouping import adjusted_rand, group_profiles, split_adjusted_rand

RETURNS = [0.04, -0.02, 0.01, -0.05, 0.03, 0.02, -0.01, 0.06, -0.03, 0.0]


def test_sortino_by_hand() -> None:
    """Mean .005; the squares below 0 are .0004, .0025, .0001, .0009, of ten returns."""
    assert trading.sortino(RETURNS) == pytest.approx(0.005 / math.sqrt(0.0039 / 10))
    assert trading.sortino(RETURNS, periods=4) == pytest.approx(2 * 0.005 / math.sqrt(0.0039 / 10))
    assert trading.sortino([0.1, 0.2]) is None, "nothing is below the goal"
    assert trading.sortino([0.1, 0.2], goal=0.15) == pytest.approx(0)


def test_cvar_by_hand() -> None:
    assert trading.cvar(RETURNS, share=0.2) == pytest.approx(-0.04), "the mean of -.05 and -.03"
    assert trading.cvar(RETURNS, share=0.25) == pytest.approx((-0.05 - 0.03 - 0.5 * 0.02) / 2.5), "half of the third"
    assert trading.cvar(RETURNS) == pytest.approx(-0.05), "a twentieth of ten is half of the worst"
    assert trading.cvar([]) is None


def test_turnover_by_hand() -> None:
    assert trading.turnover([1, 1, -1, 0]) == 4, "buy 1, turn 2, close 1"
    assert trading.turnover([1, 1], before=1) == 0


@pytest.mark.parametrize(("trials", "deflated"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_sharpe_ratio_is_that_of_its_paper(trials: int, deflated: float) -> None:
    """Bailey & López de Prado 2014: 2.5 a year, 1,250 days, variance ½ a year, skew -3, kurtosis 10."""
    best = trading.expect_best_sharpe(trials, 0.5 / 250)
    if trials == 100:
        assert best == pytest.approx(0.1132, abs=5e-5)
    ratio = trading.deflate_sharpe(2.5 / math.sqrt(250), 1250, against=best, skew=-3, kurtosis=10)
    assert ratio == pytest.approx(deflated, abs=5e-4)


def test_one_trial_deflates_nothing_and_impossible_moments_are_refused() -> None:
    assert trading.expect_best_sharpe(1, 4.0) == 0
    assert trading.deflate_sharpe(0.0, 10, against=0) == 0.5
    with pytest.raises(ValueError, match="got 1 and"):
        trading.deflate_sharpe(0.1, 1, against=0)


SPLITS = [
    (trading.split_sharpe, trading.sharpe),
    (trading.split_sortino, trading.sortino),
    (trading.split_cvar, trading.cvar),
]


@pytest.mark.parametrize(("split", "whole"), SPLITS)
def test_what_returns_contribute_has_the_mean_and_the_error_of_the_whole(
    split: Callable[[Any], Any], whole: Callable[[Any], float | None]
) -> None:
    """The error against the spread over 400 samples of 300 returns."""
    samples = np.random.default_rng(2).normal(0.02, 0.1, (400, 300))
    parts, values = [split(sample) for sample in samples], [whole(sample) for sample in samples]
    assert [part.mean() for part in parts] == pytest.approx(values)
    error = np.mean([part.std() / math.sqrt(300) for part in parts])
    assert error == pytest.approx(np.std(np.array(values, float)), rel=0.12)


def test_adjusted_rand_is_that_of_scikit_learn() -> None:
    assert adjusted_rand("11111110000110010100", "11111100010110010100") == pytest.approx(0.6203796203796204)
    assert adjusted_rand("21330233220210022223", "21330203220210022213") == pytest.approx(0.7560279640462263)
    assert adjusted_rand("aabb", "abab") == pytest.approx(-0.5)
    assert adjusted_rand("aaa", "bbb") == adjusted_rand("abc", "xyz") == 1
    with pytest.raises(ValueError, match="3 and 2"):
        adjusted_rand("abc", "ab")


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_random_groupings_against_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    first, other = zip(*pairs, strict=True)
    assert adjusted_rand(first, other) == pytest.approx(sklearn.adjusted_rand_score(first, other))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=30))
def test_the_parts_of_the_index_have_it_as_their_mean(pairs: list[tuple[int, int]]) -> None:
    first, other = zip(*pairs, strict=True)
    assert np.mean(split_adjusted_rand(first, other)) == pytest.approx(adjusted_rand(first, other))


def test_the_parts_vary_as_the_index_does_over_samples() -> None:
    """The standard error of their mean is about the spread of the index over 300 fresh samples of 120 items."""
    random = np.random.default_rng(4)

    def draw() -> tuple[list[int], list[int]]:
        right = random.integers(0, 3, 120)
        return right.tolist(), np.where(random.random(120) < 0.7, right, random.integers(0, 3, 120)).tolist()

    spread = np.std([adjusted_rand(*draw()) for _ in range(300)])
    errors = [np.std(split_adjusted_rand(*draw()), ddof=1) / math.sqrt(120) for _ in range(10)]
    assert np.mean(errors) == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("count", [1, 2, 4, 9, 30])
def test_profiles_are_grouped_as_scipy_groups_them(count: int) -> None:
    hierarchy = pytest.importorskip("scipy.cluster.hierarchy")
    shares = np.random.default_rng(count).dirichlet([0.4] * 5, 30)
    theirs = hierarchy.fcluster(hierarchy.linkage(np.sqrt(shares), "average"), count, "maxclust")
    assert adjusted_rand(group_profiles(shares, count).tolist(), theirs.tolist()) == 1


def test_equal_profiles_are_one_group_and_too_many_groups_are_refused() -> None:
    assert group_profiles([[1, 0], [0, 1], [1, 0], [0, 1]], 2).tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="1 to 2 groups"):
        group_profiles([[1, 0], [0, 1]], 3)


@pytest.mark.parametrize(
    ("answer", "answers", "scores"),
    [
        ("Rain [1], snow [2; 3].", ["[1][4]"], (1 / 3, 1 / 2, 2 / 5)),
        ("Rain [DOC-7].", ["doc-7"], (1, 1, 1)),
        ("Rain.", ["1", "2"], (0, 0, 0)),
        ("[1, 2]", ["1", "2"], (1, 1, 1)),
        ("I do not know.", [], (1, 1, 1)),
        ("Rain [1].", [], (0, 1, 0)),
    ],
)
def test_citations_by_hand(answer: str, answers: list[str], scores: tuple[float, float, float]) -> None:
    computed = citations.precision(answer, answers), citations.recall(answer, answers), citations.f1(answer, answers)
    assert computed == pytest.approx(scores)

"""What a transfer is worth in examples, over all sizes and in both directions; and nothing is seldom called a gain."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from sweeps.analysis.transfer.data_multiplier import Multiplier, Reference
from sweeps.analysis.transfer.transfer_gains import AXES, TransferMatrix, transfer_matrix
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate

SIZES = (32, 64, 128, 256, 512)


def loss(size: float) -> float:
    """Of the target alone: a straight line in log n, which the reference reads exactly."""
    return 4 - 0.2 * math.log(size)


def run(source: str | None, target: str, size: int, seed: int, nll: float) -> RunResult:
    return RunResult(dict(zip(AXES, (source, target, size), strict=True)), seed, "succeeded", {"nll": nll})


def experiment(worth: dict[tuple[str, str], float], *, seeds: int = 3, noise: float = 0.0) -> list[RunResult]:
    """Sources that are worth so many times the target's examples, at every size."""
    random = np.random.default_rng(1)
    targets = sorted({target for _, target in worth})
    alone = [run(None, target, 0, 0, 4.0) for target in targets]
    for seed in range(seeds):
        alone += [run(None, target, size, seed, loss(size)) for target in targets for size in SIZES]
        alone += [
            run(*pair, size, seed, loss(size * times) + random.normal(0, noise))
            for pair, times in worth.items()
            for size in SIZES
        ]
    return alone


def plain(worth: Multiplier | None) -> list[float | None]:
    assert worth
    assert not worth.censored
    return [worth.value, worth.low, worth.high]


def test_the_multiplier_is_read_off_the_targets_own_curve_and_no_further() -> None:
    matrix = transfer_matrix(experiment({("a", "b"): 2.0, ("b", "a"): 0.7}, noise=1e-9))
    multipliers = {size: matrix.cell("a", "b", size).multiplier for size in SIZES}
    for size in SIZES[:-2]:
        assert plain(multipliers[size]) == pytest.approx([2.0, 2.0, 2.0])
    top = multipliers[512]
    assert top
    assert (top.value, top.censored, top.high) == (1.0, ">", math.inf)
    assert top.low == pytest.approx(1.0)
    low = {size: matrix.cell("b", "a", size).multiplier for size in SIZES}
    least = low[32]
    assert least
    assert (least.value, least.censored, least.low) == (1.0, "<", 0.0)
    assert least.high == pytest.approx(1.0)
    assert plain(low[64]) == pytest.approx([0.7, 0.7, 0.7])
    assert matrix.cell("a", "b", 128).verdict == "helps"
    assert matrix.cell("b", "a", 128).verdict == "hurts"


def test_the_relative_gain_is_a_share_of_what_the_target_learns_alone() -> None:
    gain = transfer_matrix(experiment({("a", "b"): 2.0})).cell("a", "b", 128).relative
    assert gain == pytest.approx(0.2 * math.log(2) / (4.0 - loss(512)))


def test_a_curve_that_rises_by_chance_is_evened_out_and_no_gain_is_worth_its_own_examples() -> None:
    """2.0, 1.0, 1.2, 0.5: the middle two are 1.1 each. No gain is worth 1; where they agree, so is the other's size."""
    curve = Reference.fit({10: 2.0, 20: 1.0, 40: 1.2, 80: 0.5, 0: 9.0})
    assert curve.losses.tolist() == pytest.approx([2.0, 1.1, 1.1, 0.5])
    for size in (10, 20, 40, 80):
        assert curve.multiplier(size, Estimate(0.0, None, 3)) == Multiplier(1.0, "")
    worth = curve.multiplier(10, Estimate(0.45, 0.45, 3))
    assert worth
    assert worth.value == pytest.approx(2**0.5)
    assert worth.low is not None
    assert worth.high is not None
    assert worth.low < 1.0, "what the curve hides between two sizes is added"
    assert worth.high > 2.0
    assert curve.multiplier(40, Estimate(5.0, 0.1, 3)) == (2.0, ">", 2.0, math.inf)
    assert curve.multiplier(40, Estimate(-5.0, 0.1, 3)) == (0.25, "<", 0.0, 0.25)
    assert curve.multiplier(0, Estimate(0.1, None, 3)) is None
    assert Reference.fit({}).multiplier(10, Estimate(0.1, None, 3)) is None


@pytest.mark.parametrize("bent", [lambda n: 1.2 + 3 * n**-0.3, lambda n: 0.5 + 2 / (1 + (n / 150) ** 1.5)])
def test_the_interval_of_a_multiple_has_the_error_of_the_curve_it_is_read_off(bent: Callable[[float], float]) -> None:
    """A curve that is taken as known, straight between sizes, let it hold 1.5 in .7 of the first, .01 of the second."""
    random, held = np.random.default_rng(4), list[bool]()
    for _ in range(40):
        runs = [
            run(source, target, size, seed, bent(size * times) * random.normal(1, 0.001))
            for source, target, times in ((None, "a", 1), (None, "b", 1), ("a", "b", 1.5), ("b", "a", 1.5))
            for size in SIZES
            for seed in range(3)
        ]
        matrix = transfer_matrix(runs)
        multipliers = [matrix.cell(*pair, size).multiplier for pair in (("a", "b"), ("b", "a")) for size in (64, 128)]
        held += [
            multiplier.low <= 1.5 <= multiplier.high
            for multiplier in multipliers
            if multiplier and multiplier.low and multiplier.high
        ]
    assert len(held) > 100
    assert np.mean(held) >= 0.92


def test_more_gain_is_never_worth_fewer_examples() -> None:
    random = np.random.default_rng(2)
    curve = Reference.fit({size: float(random.normal(loss(size), 0.1)) for size in SIZES})
    for size in SIZES:
        worth = [curve.multiplier(size, Estimate(float(gain), None, 3)) for gain in np.linspace(-1, 1, 41)]
        values = [multiplier.value for multiplier in worth if multiplier]
        assert values == sorted(values)
        assert len(values) == 41


def test_a_pair_is_judged_over_all_sizes_by_the_seeds_that_have_them_all() -> None:
    runs = experiment({("a", "b"): 1.2, ("b", "a"): 1.0}, noise=0.02)
    kept = [run for run in runs if (tuple(run.cell.values()), run.seed) != (("b", "a", 64), 1)]
    matrix = transfer_matrix(kept)
    ab, ba = matrix.overall
    assert (ab.source, ab.target, ab.sizes) == ("a", "b", SIZES)
    assert ab.gain
    assert ab.gain.seeds == 3
    assert ab.gain.mean == pytest.approx(
        np.mean([cell.gain.mean for cell in matrix.cells if cell.source == "a" and cell.size and cell.gain])
    )
    assert ba.gain
    assert ba.gain.seeds == 2
    assert (ab.verdict, ab.after_holm) == ("helps", True)


def test_what_one_gives_more_than_it_takes() -> None:
    matrix = transfer_matrix(experiment({("a", "b"): 2.0, ("b", "a"): 1.0, ("c", "a"): 1.0}, noise=0.01))
    (asymmetry,) = (asymmetry for asymmetry in matrix.asymmetries if asymmetry.size == 128)
    assert (asymmetry.one, asymmetry.other, asymmetry.clear, asymmetry.after_holm) == ("a", "b", True, True)
    there, back = matrix.cell("a", "b", 128).gain, matrix.cell("b", "a", 128).gain
    assert there
    assert back
    assert asymmetry.difference.mean == pytest.approx(there.mean - back.mean)


def test_runs_that_are_not_there_are_counted() -> None:
    runs = experiment({("a", "b"): 2.0})
    cell: dict[str, Json] = {"source": "a", "target": "b", "size": 64}
    more = [
        RunResult(cell, 3, "failed"),
        RunResult(cell, 4, "ready"),
        RunResult(cell, 5, "succeeded", {"nll": math.inf}),
    ]
    matrix = transfer_matrix([*runs, *more])
    fate = matrix.cell("a", "b", 64).runs
    assert (fate.measured, fate.failed, fate.unfinished, fate.diverged) == (3, 1, 1, 1)
    assert matrix.runs.missing == 3
    words = matrix.runs.describe()
    assert f"3 of {len(runs) + 3} runs" in words
    assert all(part in words for part in ("1 diverged", "1 failed", "1 unfinished"))


def null(seed: int, effect: float = 0.0, noise: tuple[float, ...] = (0.01,) * 4) -> TransferMatrix:
    """Four domains, three seeds: all sources of a target are compared with the same runs; a → b is planted."""
    random = np.random.default_rng(seed)
    runs = []
    for at in range(3):
        for target, sd in zip("abcd", noise, strict=True):
            luck = random.normal(0, 1)
            runs.append(run(None, target, 64, at, 2 + luck + random.normal(0, sd)))
            for source in sorted(set("abcd") - {target}):
                planted = effect * ((source, target) == ("a", "b"))
                runs.append(run(source, target, 64, at, 2 + luck - planted + random.normal(0, sd)))
    return transfer_matrix(runs)


def test_nothing_planted_is_claimed_in_at_most_8_percent_of_matrices() -> None:
    false = [seed for seed in range(200) if any(cell.after_holm for cell in null(seed).cells)]
    assert len(false) <= 16, false


def test_a_noisy_target_does_not_make_claims_of_its_noise() -> None:
    """A variance pooled over all would: in a third of matrices."""
    uneven = (0.01, 0.01, 0.01, 0.04)
    false = [seed for seed in range(60) if any(cell.after_holm for cell in null(seed, noise=uneven).cells)]
    assert len(false) <= 3, false


def test_a_noisy_target_hides_no_gain_on_a_quiet_one() -> None:
    """Eight times the noise of its runs, beside a target that is 40 times as noisy: with the noise of all, none is."""
    uneven = (0.01, 0.01, 0.01, 0.4)
    cells = [null(seed, effect=0.08, noise=uneven).cell("a", "b", 64) for seed in range(30)]
    assert sum(cell.verdict == "helps" for cell in cells) >= 28


def test_what_is_planted_is_found() -> None:
    """Eight times the noise of a run: in nine of ten matrices, and as what helps."""
    cells = [null(seed, effect=0.08).cell("a", "b", 64) for seed in range(40)]
    assert sum(cell.after_holm and cell.verdict == "helps" for cell in cells) >= 36


def by_size(gains: dict[int, float], noise: float = 0.01) -> TransferMatrix:
    """What a gives b at each size; b gives a nothing."""
    random, runs = np.random.default_rng(7), []
    for (size, gain), seed, (source, target) in itertools.product(gains.items(), range(3), (("a", "b"), ("b", "a"))):
        luck = random.normal(0, 1)
        runs.append(run(None, target, size, seed, 3 + luck + random.normal(0, noise)))
        planted = gain * (source == "a")
        runs.append(run(source, target, size, seed, 3 + luck - planted + random.normal(0, noise)))
    return transfer_matrix(runs)


@pytest.mark.parametrize(
    ("gains", "differ"), [({16: 3.0, 64: 1.0, 256: 0.0}, True), ({16: 1.0, 64: 1.0, 256: 1.0}, False)]
)
def test_gains_that_differ_between_sizes_are_told_from_those_that_do_not(gains: dict[int, float], differ: bool) -> None:
    differences = {(pair.source, pair.target): pair.sizes_differ for pair in by_size(gains).overall}
    assert differences == {("a", "b"): differ, ("b", "a"): False}


def test_equal_gains_are_seldom_called_different() -> None:
    """Of 60 matrices of two pairs each."""
    gains = dict.fromkeys((16, 64, 256), 0.5)
    random = np.random.default_rng(3)
    claims = 0
    for _ in range(60):
        runs = [
            run(source, target, size, seed, 3 - (0.5 if source else 0) + random.normal(0, 0.1))
            for size, seed, (source, target) in itertools.product(
                gains, range(3), ((None, "a"), (None, "b"), ("a", "b"), ("b", "a"))
            )
        ]
        claims += sum(pair.sizes_differ for pair in transfer_matrix(runs).overall)
    assert claims <= 12, "a tenth"

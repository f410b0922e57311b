"""What the offline model learns is real: laws that predict, sources that help or hurt, and nothing from noise."""

import os
from collections.abc import Sequence

import pytest

from sweeps.analysis.transfer.transfer_gains import transfer_matrix
from sweeps.results import RunResult
from sweeps.scaling.fit import fit_scaling
from tests.acceptance.offline_model import OfflineModel, domain

SIZES = [32, 64, 128, 256, 512, 1024, 2048]
SEEDS = range(3)
# Large domains compute for long; `make test` has the smallest one.
LONG = pytest.mark.skipif(os.environ.get("METHODS") != "all", reason="in `make methods`")


@pytest.fixture(scope="module")
def model() -> OfflineModel:
    return OfflineModel.small()


@LONG
@pytest.mark.parametrize("name", ["code", "reference", "science"])
def test_the_shifted_law_predicts_the_two_largest_sizes(name: str, model: OfflineModel) -> None:
    """Fitted without them, within 2 %; the law that is chosen does four times the largest so, or says it may not."""
    data = domain(name, holdout=512)
    runs = [(size, seed) for size in SIZES for seed in SEEDS]
    losses = [model.loss(model.train(data.train, size, seed), data) for size, seed in runs]
    fit = fit_scaling([size for size, _ in runs], losses, seed=[seed for _, seed in runs], law="shifted")
    assert fit.refused is None
    assert fit.holdout_error is not None
    assert fit.holdout_error < 0.02
    assert fit.r2 is not None
    assert fit.r2 > 0.98
    assert fit.loss[-1] < fit.loss[0]
    within_or_warned(runs, losses, 4 * SIZES[-1], model.loss(model.train(data.train, 4 * SIZES[-1], 0), data))


def test_so_does_the_law_of_the_smallest_domain(model: OfflineModel) -> None:
    """Of licences there are too few for more: up to 512, for 2,048."""
    data = domain("legal", holdout=256)
    runs = [(size, seed) for size in SIZES[:-2] for seed in SEEDS]
    losses = [model.loss(model.train(data.train, size, seed), data) for size, seed in runs]
    within_or_warned(runs, losses, SIZES[-1], model.loss(model.train(data.train, SIZES[-1], 0), data))


def within_or_warned(runs: Sequence[tuple[int, int]], losses: Sequence[float], size: int, loss: float) -> None:
    """The curve that is chosen for what is smaller is within 2 % of what `size` examples really gave, or warns."""
    fit = fit_scaling([size for size, _ in runs], losses, seed=[seed for _, seed in runs])
    error = abs(fit.line(size)[0] / loss - 1)
    assert error < 0.02 or any(getattr(warning, "code", "") == "far_uncertain" for warning in fit.warnings), error


def test_one_source_helps_and_another_hurts_beyond_the_interval(model: OfflineModel) -> None:
    """The manual of Python helps to read its library; licences do not."""
    target, sources = domain("code", holdout=512), [domain(name, holdout=256) for name in ("reference", "legal")]
    results = []

    def measure(source: str | None, seed: int, loss: float) -> None:
        cell = {"source": source, "target": "code", "size": 128}
        results.append(RunResult(cell, seed, "succeeded", {"nll": loss}))

    for seed in SEEDS:
        measure(None, seed, model.loss(model.train(target.train, 128, seed), target))
        for source in sources:
            start = model.train(source.train, 1024, seed)
            measure(source.name, seed, model.loss(model.train(target.train, 128, seed, start=start), target))
    matrix = transfer_matrix(results)
    assert matrix.cell("reference", "code", 128).verdict == "helps"
    assert matrix.cell("legal", "code", 128).verdict == "hurts"


def test_shuffled_targets_do_not_help(model: OfflineModel) -> None:
    data = domain("code", holdout=512)
    zero_shot = model.loss(model.untrained(), data)
    assert model.loss(model.train(data.train, 512, 0), data) < zero_shot
    assert model.loss(model.train(data.train, 512, 0, shuffled=True), data) >= zero_shot

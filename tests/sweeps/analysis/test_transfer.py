"""A gain is paired by seed, its spread is pooled over the panel, and what is missing is said to be missing."""

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from sweeps.analysis.transfer.transfer_gains import AXES, transfer_matrix
from sweeps.errors import DataError
from sweeps.report.compose import compose, list_facts
from sweeps.report.document import Paragraph
from sweeps.results import RunResult
from tests.sweeps.reports import material

DOMAINS = ("a", "b", "c")
GAINS = {("a", "b"): 0.15, ("b", "a"): -0.10, ("c", "a"): 0.02}  # of the rest: 0


def run(
    source: str | None, target: str, size: int, seed: int, nll: float, *, on_source: float | None = None
) -> RunResult:
    metrics = {"nll": nll} if on_source is None else {"nll": nll, "source.nll": on_source}
    return RunResult(dict(zip(AXES, (source, target, size), strict=True)), seed, "succeeded", metrics)


def experiment(seeds: int = 3, noise: float = 0.01) -> list[RunResult]:
    """Planted gains, a large spread of the seeds that pairing takes out, a small one that it does not (seed 2)."""
    random = np.random.default_rng(2)
    luck = random.normal(0, 0.2, seeds)
    results = [run(None, target, 0, 0, 3.0) for target in DOMAINS]
    for seed in range(seeds):
        results += [run(None, target, 128, seed, 2.0 + luck[seed]) for target in DOMAINS]
        for source in DOMAINS:
            for target in sorted(set(DOMAINS) - {source}):
                gain = GAINS.get((source, target), 0) + random.normal(0, noise)
                results.append(run(source, target, 0, seed, 3.0 - gain, on_source=1.5))
                results.append(run(source, target, 128, seed, 2.0 + luck[seed] - gain, on_source=1.7))
    return results


def test_planted_gains_are_found_with_the_pooled_interval() -> None:
    matrix = transfer_matrix(experiment())
    assert (matrix.sources, matrix.targets, matrix.sizes) == (DOMAINS, DOMAINS, (0, 128))
    assert len(matrix.cells) == 2 * 6
    verdicts = {(cell.source, cell.target): cell.verdict for cell in matrix.cells if cell.size == 128}
    assert verdicts["a", "b"] == "helps"
    assert verdicts["b", "a"] == "hurts"
    assert matrix.cell("a", "b", 128).after_holm
    for (source, target), gain in GAINS.items():
        estimate = matrix.cell(source, target, 128).gain
        assert estimate
        assert estimate.half_width
        assert estimate.mean == pytest.approx(gain, abs=2 * estimate.half_width)


@pytest.mark.parametrize(("metric", "sign"), [("mrr", -1), ("accuracy", -1), ("bits_per_byte", 1)])
def test_what_helps_depends_on_which_way_the_metric_is_better(metric: str, sign: int) -> None:
    """The same runs, told by a metric that rises as the model gets better: it helps as much, and forgets as much."""
    before = transfer_matrix(experiment())
    turned = [
        replace(row, metrics={name.replace("nll", metric): sign * value for name, value in row.metrics.items()})
        for row in experiment()
    ]
    after = transfer_matrix(turned, metric=metric)
    assert [(cell.verdict, cell.after_holm) for cell in after.cells] == [
        (cell.verdict, cell.after_holm) for cell in before.cells
    ]
    cell, expected = (matrix.cell("a", "b", 128) for matrix in (after, before))
    assert cell.gain
    assert expected.gain
    assert cell.gain.mean == pytest.approx(expected.gain.mean)
    assert cell.forgetting
    assert cell.forgetting.mean == pytest.approx(0.2), "the source's loss rose from 1.5 to 1.7"


def test_an_improvement_of_a_rank_from_305_to_903_helps() -> None:
    rows = [
        RunResult({"source": source, "target": "b", "size": size}, seed, "succeeded", {"mrr": value + seed / 1000})
        for seed in range(3)
        for source, size, value in ((None, 0, 0.3), (None, 64, 0.305), ("a", 0, 0.3), ("a", 64, 0.903))
    ]
    cell = transfer_matrix(rows, metric="mrr").cell("a", "b", 64)
    assert cell.gain
    assert (cell.verdict, cell.after_holm) == ("helps", True)
    assert cell.gain.mean == pytest.approx(0.903 - 0.305)


def test_a_metric_without_a_known_direction_is_refused_until_it_is_said() -> None:
    rows = [replace(row, metrics={"episode.luck": row.metrics["nll"]}) for row in experiment()]
    with pytest.raises(DataError, match=r"episode\.luck.*better="):
        transfer_matrix(rows, metric="episode.luck")
    assert transfer_matrix(rows, metric="episode.luck", better="lower").cell("b", "a", 128).verdict == "hurts"
    assert transfer_matrix(rows, metric="episode.luck", better="higher").cell("b", "a", 128).verdict == "helps"
    with pytest.raises(DataError, match="expected better='lower', got 'higher'"):
        transfer_matrix(experiment(), better="higher")


def test_the_half_width_is_t_times_the_deviation_of_the_target() -> None:
    """Two sources of three seeds: four degrees of freedom, which are worth 3.2, and one width for each target."""
    results = experiment()
    loss = {(*map(str, result.cell.values()), result.seed): result.metrics["nll"] for result in results}
    from scipy.stats import t as student  # a second

    matrix, widths = transfer_matrix(results), set[float]()
    for target in DOMAINS:
        sources = [source for source in DOMAINS if source != target]
        differences = [
            [loss["None", target, "128", seed] - loss[source, target, "128", seed] for seed in range(3)]
            for source in sources
        ]
        deviation = math.sqrt(statistics.fmean(statistics.variance(three) for three in differences))
        for source in sources:
            gain = matrix.cell(source, target, 128).gain
            assert gain
            assert gain.half_width
            assert gain.half_width == pytest.approx(student.ppf(0.975, 3.2) * deviation / math.sqrt(3))
            widths.add(gain.half_width)
    assert len(widths) == 3


def test_size_0_is_the_source_alone_against_the_untrained_base() -> None:
    """One zero-shot measurement stands for all seeds."""
    cell = transfer_matrix(experiment()).cell("a", "b", 0)
    assert cell.gain
    assert (cell.gain.seeds, cell.verdict, cell.forgetting) == (3, "helps", None)


def test_forgetting_is_the_loss_on_the_source_after_minus_before() -> None:
    forgetting = transfer_matrix(experiment()).cell("a", "b", 128).forgetting
    assert forgetting
    assert tuple(forgetting)[:3] == pytest.approx((0.2, None, 3)), "all seeds agree, and nothing says how sure that is"


def test_forgetting_is_judged_as_gains_are_and_together() -> None:
    """Of a: 1 nat more after b, and nothing after c, with noise of .01."""
    random = np.random.default_rng(4)
    rows = [run(None, target, size, seed, 2.0) for target in DOMAINS for size in (0, 64) for seed in range(3)]
    lost = {("a", "b"): 1.0, ("c", "a"): -1.0}
    for source, target, seed in itertools.product(DOMAINS, DOMAINS, range(3)):
        if source != target:
            for size in (0, 64):
                rise = lost.get((source, target), 0.0) * bool(size) + random.normal(0, 0.01)
                rows.append(run(source, target, size, seed, 2 + random.normal(0, 0.01), on_source=1 + rise))
    verdicts = {
        (cell.source, cell.target): (cell.source_verdict, cell.source_after_holm)
        for cell in transfer_matrix(rows).cells
        if cell.size
    }
    assert verdicts.pop(("a", "b")) == ("forgotten", True)
    assert verdicts.pop(("c", "a")) == ("better", True)
    assert not any(after_holm for _, after_holm in verdicts.values()), verdicts
    assert {cell.source_verdict for cell in transfer_matrix(rows).cells if not cell.size} == {"missing"}
    report = compose(material("transfer", rows))
    (table,) = (figure.table for figure in report.figures if figure.name == "transfer-0-forgetting-64")
    assert [(line[0], "▼" in line[2], "*" in line[2]) for line in table.texts] == [
        ("a", True, True),
        ("b", False, False),
        ("c", False, False),
    ]
    assert any("a is forgotten after b" in sentence for sentence in report.answer)


def test_what_one_source_gives_beyond_another_cancels_the_target_alone() -> None:
    """Both help c, by 1.0 and .6; the runs of c alone are noisy, and the difference does not have their noise."""
    random, rows = np.random.default_rng(5), []
    for seed in range(3):
        rows.append(run(None, "c", 64, seed, 3 + random.normal(0, 0.05)))
        rows += [run(source, "c", 64, seed, nll + random.normal(0, 0.005)) for source, nll in (("a", 2.0), ("b", 2.4))]
    matrix = transfer_matrix(rows)
    (gap,) = matrix.source_differences
    assert gap[:4] == ("a", "b", "c", 64)
    assert (gap.clear, gap.after_holm) == (True, True)
    gain = matrix.cell("a", "c", 64).gain
    assert gain
    assert gain.half_width
    assert gap.difference.half_width
    assert gap.difference.mean == pytest.approx(0.4, abs=gap.difference.half_width)
    assert gap.difference.half_width < gain.half_width / 3
    assert transfer_matrix(experiment()).source_differences == (), "no target has two sources that clearly help"


def test_missing_and_diverged_runs_are_shown_as_missing() -> None:
    kept = [
        result
        for result in experiment()
        if tuple(result.cell.values()) not in {("a", "b", 128), ("b", "c", 128)}
        or (result.seed, result.cell["source"]) == (1, "b")
    ]
    matrix = transfer_matrix([*kept, run("a", "b", 128, 0, math.nan), RunResult(kept[-1].cell, 9, "failed")])
    missing, alone = matrix.cell("a", "b", 128), matrix.cell("b", "c", 128)
    assert (missing.verdict, missing.gain, missing.after_holm) == ("missing", None, False)
    assert alone.gain
    assert alone.gain.seeds == 1
    assert len(matrix.cells) == 12


def test_of_a_source_whose_other_seeds_are_lost_the_one_that_is_left_stands_for_itself() -> None:
    """What was to be measured once stands for all seeds; what survived once does not."""
    left = [
        replace(row, state="failed", metrics={}) if tuple(row.cell.values()) == ("a", "b", 0) and row.seed != 2 else row
        for row in experiment()
    ]
    matrix = transfer_matrix(left)
    alone, after = matrix.cell("a", "b", 0).gain, matrix.cell("a", "b", 128).forgetting
    assert alone
    assert after
    assert (alone.seeds, after.seeds) == (1, 1)


def test_sources_that_all_seeds_share_are_told_of() -> None:
    """Three targets from one trained source say how targets vary, and nothing of another training of the source."""
    assert not transfer_matrix(experiment()).shared
    assert not transfer_matrix(experiment(seeds=1)).shared
    once = [row for row in experiment() if row.cell["size"] or not row.seed]
    assert transfer_matrix(once).shared
    text = compose(material("transfer", once)).sections[0].parts[0]
    assert isinstance(text, Paragraph)
    assert "trained once for all seeds" in text.text


def test_one_seed_gives_gains_and_no_verdict() -> None:
    matrix = transfer_matrix(experiment(seeds=1))
    assert {cell.verdict for cell in matrix.cells} == {"unclear"}
    assert not any(cell.after_holm for cell in matrix.cells)


def test_no_results_make_an_empty_matrix() -> None:
    assert transfer_matrix([]).cells == ()


def test_a_matrix_of_what_was_not_measured_is_none() -> None:
    answered = [replace(row, metrics={"accuracy": 0.5}) for row in experiment()]
    with pytest.raises(DataError, match="accuracy found; gains are of nll, which no run has"):
        transfer_matrix(answered)
    facts = list_facts(material("transfer", answered))
    (matrix,) = facts["transfer"]
    assert {cell["verdict"] for cell in matrix["cells"]} == {"missing"}
    assert (matrix["runs"]["measured"], matrix["runs"]["unmeasured"]) == (0, len(answered))
    assert (facts["conclusion"]["claim"], facts["conclusion"]["caveats"]) == ("no_answer", ["unmeasured_runs"])


def test_other_experiments_and_mixed_variants_are_refused() -> None:
    with pytest.raises(DataError, match="has source, target and size"):
        transfer_matrix([RunResult({"data": "a", "size": 3}, 0, "succeeded")])
    varied = [
        RunResult({**result.cell, "train.rank": rank}, 0, "succeeded") for rank in (4, 8) for result in experiment()
    ]
    with pytest.raises(DataError, match="2 variants"):
        transfer_matrix(varied)

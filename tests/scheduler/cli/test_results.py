"""A result counts once, and the running aggregates are what the rows say."""

import random
import re
import shlex
import statistics
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scheduler.cli import results as module
from scheduler.cli.console.output import Output
from scheduler.cli.results import show_results
from scheduler.errors import UnknownSweep
from scheduler.settings import read_settings
from scheduler.state import keys, views
from scheduler.state.answer_inputs import read_answer_inputs
from scheduler.state.store import Store
from sweeps.report.compose import compose_answer
from sweeps.report.inputs import Material
from sweeps.results import summarize_cells
from sweeps.stage import Json, Run
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, scaling, train


def tally_all(store: Store, sweep: str) -> None:
    stages = store.client.zrange(keys.sweep_stages(sweep), 0, -1)
    store.scripts.run_many("update_sweep", [(sweep, stage) for stage in stages])


def play(night: Night, sizes: list[int], seeds: int, **options: Any) -> None:
    """A data scaling with noisy results, its stages done in no particular order."""
    chance = random.Random(5)
    question = scaling("s", sizes, seeds)
    night.submit(question, **options)
    for kind in ("train", "evaluate"):
        stages = [stage.id for stage in question.stages if stage.kind == kind]
        for stage in chance.sample(stages, len(stages)):
            night.do(stage, "s", {"nll": chance.gauss(2, 0.3), "bits_per_byte": chance.gauss(1, 0.1)})


def test_the_running_aggregates_are_the_cells_of_the_rows(night: Night) -> None:
    play(night, [8, 16, 32], seeds=5)
    running, recomputed = views.read_cells(night.store, "s"), summarize_cells(views.read_results(night.store, "s"))
    assert [cell["cell"] for cell in running] == [dict(summary.cell) for summary in recomputed]
    for kept, summary in zip(running, recomputed, strict=True):
        assert (
            kept["metrics"].keys()
            == summary.metrics.keys()
            == {"nll", "bits_per_byte", "zero_shot.nll"} | {"zero_shot.bits_per_byte"}
        )
        for metric, moments in summary.metrics.items():
            aggregate = kept["metrics"][metric]
            assert aggregate["count"] == moments.count == 5
            assert aggregate["mean"] == pytest.approx(moments.mean, rel=1e-13)
            assert aggregate["variance"] == pytest.approx(moments.variance, rel=1e-9, abs=1e-12)


def test_a_result_counts_once_however_often_it_is_tallied(night: Night) -> None:
    play(night, [8], seeds=3)
    before = night.snapshot()
    for _ in range(3):
        tally_all(night.store, "s")
    assert night.snapshot() == before


def test_a_shared_result_is_in_every_row_that_reads_it_and_once_in_each(night: Night) -> None:
    night.submit(scaling("s", [8, 16], seeds=2))
    night.do("evaluate-base", "s", {"nll": 3.25})
    assert [row.metrics for row in views.read_results(night.store, "s")] == [{"zero_shot.nll": 3.25}] * 4
    assert [cell["metrics"]["zero_shot.nll"]["count"] for cell in views.read_cells(night.store, "s")] == [2, 2]


def test_a_value_is_kept_to_the_last_bit(night: Night) -> None:
    night.submit(scaling("s", [8], seeds=1))
    exact = 1 / 3 + 2**-50
    night.do("evaluate-base", "s", {"nll": exact})
    (row,) = views.read_results(night.store, "s")
    assert row.metrics["zero_shot.nll"] == exact


@pytest.mark.parametrize("result", ['{"metrics": null}', "{}", '{"metrics": {"nll": null, "who": "x", "n": [1]}}'])
def test_a_result_with_no_number_in_it_stops_nothing(night: Night, result: str) -> None:
    night.submit(scaling("s", [8], seeds=1))
    lease = night.start("evaluate-base", "s")
    assert night.store.settle(lease, (0, 0), "succeeded", cost="exact", result=result)  # type: ignore[arg-type]  # plain values do
    night.spread()
    assert views.read_results(night.store, "s")[0].metrics == {}
    assert night.sweep_state("s") == "active"


def test_a_failed_stage_gives_no_result_and_its_rows_say_failed(night: Night) -> None:
    night.submit(scaling("s", [8], seeds=2))
    night.fail(night.start("train-n8s0", "s"))
    night.do("train-n8s1", "s")
    night.do("evaluate-n8s1", "s", {"nll": 2.0})
    night.do("evaluate-base", "s", {"nll": 3.0})
    first, second = views.read_results(night.store, "s")
    assert (first.state, second.state) == ("failed", "succeeded")
    assert (first.metrics, second.metrics) == ({"zero_shot.nll": 3.0}, {"nll": 2.0, "zero_shot.nll": 3.0})
    view = views.read_sweep(night.store, "s")
    assert (view.state, view.counts) == ("finished", {"failed": 1, "skipped": 1, "succeeded": 3})


def test_counts_are_those_of_the_stages(night: Night) -> None:
    night.submit(scaling("s", [8], seeds=2))
    night.start("train-n8s0", "s")
    night.spread()
    view = views.read_sweep(night.store, "s")
    assert view.counts == {"ready": 2, "running": 1, "waiting": 2}
    assert (view.total, view.ended, view.reserved) == (5, 0, 1_000)


def test_the_mean_and_variance_of_close_large_values_do_not_lose_their_digits(night: Night) -> None:
    stages = [evaluate(f"e{n}") for n in range(50)]
    from sweeps.planning.plan import Run  # beside the plan that needs it

    runs = [Run({"c": 1}, n, None, {"nll": f"evaluate-e{n}"}) for n in range(50)]
    night.submit(plan("s", [*stages, train("x")], runs))
    values = [1e9 + n % 7 for n in range(50)]
    for number, value in enumerate(values):
        night.succeed(night.start(f"evaluate-e{number}", "s"), {"nll": value})
    night.spread()
    (cell,) = views.read_cells(night.store, "s")
    aggregate: dict[str, Any] = cell["metrics"]["nll"]
    assert aggregate["variance"] == pytest.approx(statistics.variance(values), rel=1e-6), (
        "sums of squares would keep none"
    )


def test_a_sweep_that_nobody_submitted_is_named_with_those_there_are(night: Night) -> None:
    with pytest.raises(UnknownSweep, match="'nobody'"):
        views.read_sweep(night.store, "nobody")
    night.submit(scaling("s", [8]))
    with pytest.raises(UnknownSweep, match=r"'nobody'.*\bs\b"):
        views.read_sweep(night.store, "nobody")
    for read in (views.read_results, views.read_cells, views.read_planned_rows, views.read_stages):
        with pytest.raises(UnknownSweep, match=r"'nobody'.*\bs\b"):
            read(night.store, "nobody")
    assert [view.name for view in views.read_sweeps(night.store)] == ["s"]


def test_at_size_0_a_model_is_untrained_only_where_nothing_trained_it(night: Night, tmp_path: Path) -> None:
    """Of the pair a → b at size 0 the source a was trained, and no example of b."""
    stages = [evaluate("base"), train("source"), evaluate("source", "train-source")]
    cell: dict[str, Json] = {"source": None, "target": "b", "size": 0}
    runs = [
        Run(cell, 0, None, {"nll": "evaluate-base"}),
        Run({**cell, "source": "a"}, 0, "train-source", {"nll": "evaluate-source"}),
    ]
    spec: dict[str, Json] = {"sweep": "s", "experiment": "transfer", "model": "offline/ngram-s"}
    night.submit(plan("s", stages, runs), spec=spec)
    for stage in stages:
        night.do(stage.id, "s", {} if stage.kind == "train" else {"nll": 2.0})
    text = StringIO()
    show_results(night.store, read_settings({"SWEEP_STORE": str(tmp_path)}), "s", Output("table", Console(file=text)))
    rows = [line.split() for line in text.getvalue().splitlines()]
    assert [row[:4] for row in rows if row[:1] == ["none"]] == [["none", "b", "0", "(untrained)"]]
    assert [row[:4] for row in rows if row[:2] == ["a", "b"]] == [["a", "b", "0", "1/1"]]


def test_the_command_that_shows_a_hidden_metric_names_all_metrics_and_another_sweep(
    night: Night, tmp_path: Path
) -> None:
    stages = [train("n8"), evaluate("n8", "train-n8")]
    spec: dict[str, Json] = {"sweep": "s", "experiment": "data_scaling", "model": "offline/ngram-s"}
    night.submit(plan("s", stages, [Run({"size": 8}, 0, "train-n8", {"nll": "evaluate-n8"})]), spec=spec)
    night.do("train-n8", "s", {})
    night.do("evaluate-n8", "s", {"nll": 2.0, "bits_per_byte": 1.0})
    text = StringIO()
    console = Console(file=text, width=400, markup=False)
    show_results(night.store, read_settings({"SWEEP_STORE": str(tmp_path)}), "s", Output("table", console))
    (command,) = re.findall(r"`(sweep run .*?)`", text.getvalue())
    assert shlex.split(command)[3:] == ["sweep=NEW_NAME", "metrics=[nll,bits_per_byte]"]


def test_what_is_drawn_has_its_numbers_once_in_the_table_of_cells(night: Night, tmp_path: Path) -> None:
    spec = {
        "sweep": "s",
        "experiment": "data_scaling",
        "model": "offline/ngram-s",
        "target": {"metric": "nll", "below": 1.5},
    }
    play(night, [8, 16, 32, 64], seeds=3, spec=spec)
    text, rows = StringIO(), views.read_results(night.store, "s")
    show_results(
        night.store, read_settings({"SWEEP_STORE": str(tmp_path)}), "s", Output("table", Console(file=text, width=200))
    )
    view = views.read_sweep(night.store, "s")
    figures = compose_answer(Material("s", view.state, view.spec, rows)).figures
    drawn = [figure for figure in figures if figure.in_cells]
    assert drawn
    for figure in drawn:
        means = [row[figure.table.columns.index("mean")].text for row in figure.table.rows]
        assert len(means) == 4
        for mean in means:
            assert re.findall(rf"(?<![\d.]){re.escape(mean)}(?!\d)", text.getvalue()) == [mean]
    assert text.getvalue().count("┤") >= 4, "the chart is there"


def test_runs_cells_and_answer_are_of_one_moment_whatever_arrives_meanwhile(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.submit(scaling("s", [8], seeds=2), spec={"experiment": "data_scaling", "evaluate": [{"name": "nll"}]})

    def arrive(*known: Any) -> Material:
        night.do("train-n8s0", "s")
        night.do("evaluate-n8s0", "s", {"nll": 2.0})
        return read_answer_inputs(*known)

    monkeypatch.setattr(module, "read_answer_inputs", arrive)
    document = module.read_results_document(night.store, read_settings({}), "s")
    assert [run["metrics"] for run in document["runs"]] == [{}, {}]
    assert [cell["metrics"] for cell in document["cells"]] == [{}]
    assert document["conclusion"]["claim"] == "nothing_measured"


def test_a_run_that_succeeds_while_it_is_read_has_its_values(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.submit(scaling("s", [8], seeds=1))
    night.do("evaluate-base", "s", {"nll": 3.0})
    night.do("train-n8s0", "s")
    read_stages, waiting = views.read_stage_views, ["evaluate-n8s0"]

    def arrive(store: Store, stages: Sequence[str]) -> list[views.StageView]:
        while waiting:
            night.do(waiting.pop(), "s", {"nll": 2.0})
        return read_stages(store, stages)

    monkeypatch.setattr(views, "read_stage_views", arrive)
    (row,) = views.read_results(night.store, "s")
    assert (row.state, row.metrics["nll"]) == ("succeeded", 2.0)

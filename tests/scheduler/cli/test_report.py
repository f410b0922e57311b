"""What the truth holds of a sweep is what its report says."""

import csv
import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from rich.console import Console

from scheduler import report_inputs
from scheduler.cli import sweep as command
from scheduler.cli.console.output import Output, write_csv
from scheduler.cli.export import write_parquet
from scheduler.cli.results import show_results
from scheduler.errors import FiguresUnavailable
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.keeping.packing import pack_points
from scheduler.state.store import Meter, Store
from sweeps import DataError, NotInstalled, RunResult, best_cell, compare, frame, transfer_matrix
from sweeps.analysis.tables import flatten_run, list_columns
from sweeps.report.compose import compose
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.stage import Json, Run
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, scaling, train
from tests.scheduler.reported import large, lay
from tests.support import FakeClock, RedisServer
from tests.sweeps.reports import compare_rows, grid_rows, material, read, row, transfer_rows
from tests.wording import lacks

NOW = 1_800_000_000_000
SPEC: dict[str, Json] = {"sweep": "s", "experiment": "data_scaling", "question": "How much?"}


def told(night: Night) -> Material:
    """Two runs, one of which has failed with what came after it."""
    night.submit(scaling("s", [8], seeds=2), spec=SPEC)
    night.fail(night.start("train-n8s0", "s"), "<b>row 17 has no text</b>")
    lease = night.start("train-n8s1", "s")
    points: list[dict[str, Json]] = [{"step": 0, "nll": 3.0}, {"step": 1, "nll": 2.5}]
    assert night.store.report_progress(lease, Meter(10, 10), {"step": 2, "steps": 2}, points)
    night.succeed(lease)
    night.spread()
    night.do("evaluate-n8s1", "s", {"nll": 2.0})
    night.do("evaluate-base", "s", {"nll": 3.0})
    return report_inputs.gather_inputs(night.store, "s", NOW)


def test_failures_are_told_with_their_cause_and_what_they_cost(night: Night) -> None:
    material = told(night)
    causes = {trouble.state: (trouble.cause, tuple(trouble.labels)) for trouble in material.troubles}
    assert causes["failed"] == ("<b>row 17 has no text</b>", ("train n8s0",))
    assert causes["skipped"][1] == ("evaluate n8s0",)
    whole = compose(material)
    assert whole.notices[0].startswith("INCOMPLETE: 2 of 2 runs"), "the failed run has the score of its base"
    assert lacks(whole.notices[0], "1 lacks an evaluation") == []
    page = render_html(whole, report_inputs.read_style())
    read(page)
    assert "&lt;b&gt;row 17 has no text&lt;/b&gt;" in page


def test_curves_are_of_the_trainings_and_count_the_steps_done(night: Night) -> None:
    (curve,) = told(night).curves
    assert (curve.label, curve.what, list(curve.points)) == ("train n8s1", "nll", [(1, 3.0), (2, 2.5)])


def test_a_chain_has_the_curves_of_all_its_trainings(night: Night) -> None:
    """Also where the first one is another method's own: it is read once."""
    stages = [train("sl"), train("rl", "train-sl"), evaluate("sl", "train-sl"), evaluate("rl", "train-rl")]
    runs = [
        Run({"method": "sl"}, 0, "train-sl", {"nll": "evaluate-sl"}),
        Run({"method": "both"}, 0, "train-rl", {"nll": "evaluate-rl"}, before=("train-sl",)),
    ]
    night.submit(plan("s", stages, runs[1:]), spec=SPEC)
    night.submit(plan("t", stages, runs), spec=SPEC)
    client: Any = night.store.client
    for name, what, value in (("train-sl", "nll", 3.0), ("train-rl", "reward", 0.5)):
        client.set(keys.curve(name), pack_points([{"step": 0, what: value}]))
    for sweep in ("s", "t"):
        material = report_inputs.gather_inputs(night.store, sweep, NOW)
        assert [(curve.stage, curve.what) for curve in material.curves] == [("train-sl", "nll"), ("train-rl", "reward")]
        assert [row.before for row in material.rows if row.cell["method"] == "both"] == [("train-sl",)]


def test_times_versions_and_money_are_there(night: Night) -> None:
    material = told(night)
    assert (material.made, material.state) == ("2027-01-15 08:00 UTC", "finished")
    assert material.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert [(costs.kind, costs.stages) for costs in material.spending] == [("train", 2), ("evaluate", 3)]
    assert sum(costs.metered for costs in material.spending) == 3_000


def test_the_defaults_of_the_plan_are_kept(night: Night) -> None:
    question = scaling("s", [8])
    object.__setattr__(question, "defaults", (("train.rank", 32),))
    night.submit(question, spec=SPEC)
    assert report_inputs.gather_inputs(night.store, "s", NOW).defaults == {"train.rank": 32}
    night.store.client.hdel(keys.sweep("s"), "defaults")  # as of a sweep that was submitted before they were kept
    assert report_inputs.gather_inputs(night.store, "s", NOW).defaults is None


def test_data_is_named_by_its_content(night: Night) -> None:
    night.submit(scaling("s", [8], seeds=2), spec=SPEC)
    recipe = json.dumps({"data": {"records": "ab" * 32}})
    for seed in (0, 1):
        night.store.client.hset(keys.stage(f"train-n8s{seed}"), "recipe", recipe)
    (used,) = report_inputs.gather_inputs(night.store, "s", NOW).data
    assert (used.records, used.what, used.stages, used.example) == ("ab" * 32, "train", 2, "train n8s0")


def test_what_was_skipped_for_many_stages_is_one_cause_that_says_so(night: Night) -> None:
    """Whether or not the address of a stage begins with a digit."""
    trained = [train(f"{name}0000000000000") for name in ("abc", "fed", "012")]
    stages = [*trained, *(evaluate(f"of-{stage.id}", stage.id) for stage in trained)]
    night.submit(plan("s", stages, [Run({"data": stage.id}, 0, stage.id, {}) for stage in trained]))
    for stage in trained:
        night.fail(night.start(stage.id, "s"), "no text")
    night.spread()
    causes = {trouble.state: trouble for trouble in report_inputs.gather_inputs(night.store, "s", NOW).troubles}
    assert len(causes["skipped"].labels) == 3
    assert causes["skipped"].cause.endswith("failed; others name 2 other stages")
    assert causes["failed"].cause == "no text"


def test_a_thousand_runs_out_of_the_store_can_be_sent_by_mail(redis: RedisServer) -> None:
    """Without the fixtures that look at every key: there are ten thousand."""
    client = redis.client()
    store = Store(client, FakeClock())
    lay(store, large())
    known = report_inputs.gather_inputs(store, "large", NOW)
    client.flushall()
    client.close()
    report = compose(known)
    assert 0 < len(known.curves) <= report_inputs.MOST_CURVES
    assert len({curve.label.rpartition("s")[0] for curve in known.curves}) == 50, "of every cell"
    page = render_html(report, report_inputs.read_style())
    assert len(page.encode()) < 5_000_000
    assert report.conclusion
    assert (report.conclusion.claim, report.conclusion.subject) == ("minimum_data", "domain 0")
    assert dict(report.facts)["runs"] == "1,000 of 1,000"


def test_a_figure_is_a_file_of_its_own() -> None:
    for figure in compose(material("data_scaling")).figures:
        text = report_inputs.write_svg(figure)
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in text
        assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"], "a name, and no address"


def test_pixels_need_what_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(FiguresUnavailable, match="pip install resvg_py"):
        report_inputs.draw_png(compose(material("data_scaling")).figures[0])


def test_pixels_are_drawn_where_it_is_installed() -> None:
    pytest.importorskip("resvg_py", reason="the extra `figures` is not installed")
    assert report_inputs.draw_png(compose(material("data_scaling")).figures[0]).startswith(b"\x89PNG")


def said(redis: RedisServer, monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> str:
    """A command, in a folder, with the test's server as its Redis."""
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda _client, _url: None)  # ours is not durable
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(command, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_writes_what_it_is_asked_for(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told(night)
    said(redis, monkeypatch, tmp_path, "report", "s")
    read((tmp_path / "s-report.html").read_text())
    assert said(redis, monkeypatch, tmp_path, "report", "s", "--format", "md", "-o", "-").startswith("## s\n")
    said(redis, monkeypatch, tmp_path, "report", "s", "--format", "md", "--figures", "drawn")
    linked = re.findall(r"\]\((drawn/[^)]+)\)", (tmp_path / "s-report.md").read_text())
    assert [name for name in linked if not (tmp_path / name).exists()] == []
    assert len(linked) == len(list((tmp_path / "drawn").iterdir())) > 0
    listed = json.loads(said(redis, monkeypatch, tmp_path, "-f", "json", "report", "s", "--format", "svg"))["files"]
    assert {written["file"] for written in listed} == {str(path) for path in Path("s-figures").iterdir()}
    exported = said(redis, monkeypatch, tmp_path, "export", "s")
    assert exported == said(redis, monkeypatch, tmp_path, "-f", "csv", "results", "s")


def test_every_block_of_a_narrow_terminal_says_whose_it_is(night: Night) -> None:
    """Values that are none have names: no method is the untrained model, no source none."""
    cells: list[dict[str, Json]] = [
        {"method": None},
        {"method": "sl"},
        {"source": None, "target": "code"},
        {"source": "law", "target": "code"},
    ]
    stages = [evaluate(str(place)) for place in range(len(cells))]
    runs = [Run(cell, 0, None, {"nll": stage.id}) for cell, stage in zip(cells, stages, strict=True)]
    night.submit(plan("s", stages, runs), spec=SPEC)
    written = io.StringIO()
    show_results(night.store, read_settings({}), "s", Output("table", Console(file=written, width=24)))
    lines = [line.split() for line in written.getvalue().splitlines()]
    for words in (["method", "untrained"], ["method", "sl"], ["source", "none"], ["source", "law"]):
        assert words in lines


def test_figures_are_linked_as_the_file_sees_them(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In another folder than the one where one stands, and with a space in its name."""
    told(night)
    (tmp_path / "out").mkdir()
    words = ("report", "s", "--format", "md", "-o", "out/s.md", "--figures", "out/the figures")
    said(redis, monkeypatch, tmp_path, *words)
    linked = re.findall(r"\]\((\S+\.svg)\)", (tmp_path / "out" / "s.md").read_text())
    assert len(linked) == len(list((tmp_path / "out" / "the figures").iterdir())) > 0
    assert [name for name in linked if not (tmp_path / "out" / unquote(name)).exists()] == []


def test_a_loss_that_is_no_number_leaves_json_that_programs_can_read(
    night: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    night.submit(scaling("s", [8], seeds=1), spec=SPEC)
    night.do("train-n8s0", "s")
    night.do("evaluate-n8s0", "s", {"nll": float("nan")})
    night.do("evaluate-base", "s", {"nll": float("inf")})
    show_results(night.store, read_settings({}), "s", Output("json", Console()))

    def refused(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    (run,) = json.loads(capsys.readouterr().out, parse_constant=refused)["runs"]
    assert run["metrics"] == {"nll": None, "zero_shot.nll": None}


def test_a_long_name_is_folded_and_never_cut_off() -> None:
    names = [f"{'a-long-name-' * 5}{end}" for end in ("one", "two")]
    written = io.StringIO()
    rows = [{"data": name, "size": 1, "loss": "1.0000 ± 0.1000"} for name in names]
    Output("table", Console(file=written, width=60)).print_table(rows)
    words = [line.split()[0] for line in written.getvalue().splitlines()]
    assert "".join(words).endswith("".join(names))


def test_sweeps_are_compared_where_they_ask_the_same(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told(night)
    night.submit(scaling("other", [8, 16], seeds=2), spec={**SPEC, "model": "offline/ngram-m"})
    printed = said(redis, monkeypatch, tmp_path, "-f", "json", "results", "--sweeps", "s,other")
    conditions = {(entry["cell"]["size"], entry["metric"]): entry for entry in json.loads(printed)["conditions"]}
    assert set(conditions) == {(8, "nll"), (8, "zero_shot.nll")}
    first, second = conditions[8, "nll"]["sweeps"]
    assert (first["sweep"], first["difference"]) == ("s", None)
    assert (second["sweep"], second["difference"]["mean"]) == ("other", 0), "the same stage, measured once"
    printed = said(redis, monkeypatch, tmp_path, "-f", "csv", "results", "--sweeps", "s,other")
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert list(rows[0]) == ["data", "size", "metric", "sweep", "mean", "seeds", "difference", "half_width", "told"]
    assert [(row["sweep"], row["mean"]) for row in rows[:2]] == [
        (row["sweep"], str(row["mean"])) for row in (first, second)
    ]
    text = said(redis, monkeypatch, tmp_path, "results", "--sweeps", "s,other")
    assert "\n1 condition " in text
    night.submit(scaling("apart", [32], seeds=2), spec=SPEC)
    printed = said(redis, monkeypatch, tmp_path, "-f", "json", "results", "--sweeps", "s,apart")
    assert json.loads(printed) == {"conditions": []}
    assert 'model: not set in s, "offline/ngram-m" in other' in text


def test_sweeps_that_were_measured_on_other_items_are_told_apart(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where a file has changed between two nights: the spec is the same, and the losses are not comparable."""
    for name, items in {"s": "aa", "same": "aa", "other": "bb"}.items():
        stage = evaluate(name)
        stage = replace(stage, recipe={**stage.recipe, "items": items})
        night.submit(plan(name, [stage], [Run({"data": "code", "size": 8}, 0, None, {"nll": stage.id})]))
    printed = said(redis, monkeypatch, tmp_path, "results", "--sweeps", "s,same,other")
    assert "other made 1 measurement on other items than s" in printed
    assert "same made" not in printed


def test_the_columns_are_those_of_the_results() -> None:
    rows = compare_rows()
    assert list_columns(rows) == ["method", "seed", "state", "task_completion", "steps", "tokens", "usd", "stage"]
    written = io.StringIO()
    write_csv(list_columns(rows), map(flatten_run, rows), written)
    header, first, *_ = written.getvalue().splitlines()
    assert header == ",".join(list_columns(rows))
    assert first == ",0,succeeded,0.1,10,1000,0.0004,"


def test_a_frame_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NotInstalled, match="pip install pandas pyarrow"):
        frame(compare_rows())


def test_a_frame_means_what_its_runs_mean(tmp_path: Path) -> None:
    """Also one that went through a file, where what is missing has made floats of whole numbers."""
    pandas = pytest.importorskip("pandas", reason="the extra `export` is not installed")
    every: list[tuple[list[RunResult], Callable[[Any], object]]] = [
        (compare_rows(), lambda runs: compare(runs, metric="task_completion")),
        (transfer_rows(), transfer_matrix),
        (grid_rows(), lambda runs: best_cell(runs, metric="nll")),
    ]
    for rows, analysed in every:
        frame(rows).to_csv(tmp_path / "runs.csv", index=False)
        for table in (frame(rows), pandas.read_csv(tmp_path / "runs.csv")):
            assert analysed(table) == analysed(rows)
            assert analysed(table[table["seed"] < 2]) == analysed([row for row in rows if row.seed < 2])
    with pytest.raises(DataError, match="column `seed`"):
        compare(frame(compare_rows()).drop(columns="seed"), metric="task_completion")
    with pytest.raises(DataError, match=r"column note: .*'x'"):
        compare(frame(compare_rows()).assign(note="x"), metric="task_completion")


def test_a_frame_and_parquet_hold_every_run(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="the extra `export` is not installed")
    pytest.importorskip("pyarrow", reason="the extra `export` is not installed")
    rows = [*compare_rows(), row({"method": "mixed", "sizes": [1, 2]}, 0), row({"method": 3, "sizes": "all"}, 1)]
    table = frame(rows)
    assert list(table.columns) == list_columns(rows)
    assert table["task_completion"].count() == 7
    write_parquet(list_columns(rows), list(map(flatten_run, rows)), tmp_path / "rows.parquet")
    again = pandas.read_parquet(tmp_path / "rows.parquet")
    assert list(again.columns) == list_columns(rows)
    assert again["sizes"].tolist()[-2:] == ["[1, 2]", "all"]

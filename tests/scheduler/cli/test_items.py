"""Items out of the artefact store: what the terminal says is what they say, and what is lost costs a note."""

import csv
import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from scheduler import notebook, report_inputs
from scheduler.artefacts import Artefacts, compress_rows, decode_rows
from scheduler.cli import sweep as command
from scheduler.cli.console.output import Output
from scheduler.cli.export import make_table
from scheduler.cli.results import show_results
from scheduler.cli.track import track
from scheduler.errors import ItemsUnread, UnknownMetric, UnknownSweep
from scheduler.settings import read_settings
from scheduler.state import evaluation_items as reading
from scheduler.state import keys, views
from scheduler.state.evaluation_items import KeptItems, read_items
from scheduler.state.runs import run_history
from scheduler.state.store import Store
from sweeps import best_cell, compare, item_key
from sweeps.analysis.changes import compare_with_baselines
from sweeps.analysis.item_analysis import WantedItems, choose_items
from sweeps.evaluation.item_rows import ItemRow, write_rows
from sweeps.experiments.caveats import WORDS
from sweeps.report.compose import compose
from sweeps.report.document import Figure
from sweeps.report.plain_values import simplify
from sweeps.report.tracker_runs import track_run
from sweeps.stage import Json, Run
from tests.scheduler.kept import COMPARE, answered, compared, lay_comparison, lay_items, many
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, scaling, submission, train
from tests.support import FakeClock, RedisServer

from scheduler.state.submission import submit  # isort: skip

SHARES = {None: 0.1, "sl": 0.5, "rl": 0.6}
ALL = {"answers": WantedItems(("accuracy",)), "rag": WantedItems(("uplift",))}


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return str(tmp_path / "store")


def laid(night: Night, url: str, seeds: int = 3) -> None:
    lay_comparison(night.store, Artefacts(url), SHARES, seeds)


def told(night: Night, url: str, width: int = 100) -> str:
    text = StringIO()
    settings = read_settings({"SWEEP_STORE": url})
    show_results(night.store, settings, "s", Output("table", Console(file=text, width=width)))
    return text.getvalue()


def in_json(night: Night, url: str, capsys: pytest.CaptureFixture[str]) -> Any:
    show_results(night.store, read_settings({"SWEEP_STORE": url}), "s", Output("json", Console()))
    return json.loads(capsys.readouterr().out)


def test_what_the_terminal_says_is_what_the_items_say(
    night: Night, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(night, store_url)
    rows, kept = views.read_results(night.store, "s"), read_items(night.store, store_url, "s", ALL, bounded=False)
    comparison = compare(rows, metric="accuracy", items=kept.items["answers"])
    lines = [line.split() for line in told(night, store_url).splitlines()]
    for difference in comparison.differences:
        assert difference.by_item is not None
        assert difference.by_item.checkpoints is not None
        assert difference.by_item.recipe is not None
        pair = [difference.one or "untrained", "−", difference.other or "untrained"]
        (line,) = (line for line in lines if line[:3] == pair)
        shown = " ".join(line[3:]).replace("−", "-")
        verdict = "all pairs" if difference.after_holm else "alone" if difference.clear else "no"
        recipe = f"{difference.by_item.mean:+.4f} ± {difference.by_item.recipe.half_width:.4f} {verdict} "
        assert shown.startswith(recipe), "the interval for other seeds and items, and the verdict by it"
        assert difference.after_holm == difference.by_item.recipe.after_holm
        checkpoints, mcnemar = shown.removeprefix(recipe).split()[:2]
        assert checkpoints.rstrip("*") == f"±{difference.by_item.checkpoints.half_width:.4f}"
        assert [checkpoints.endswith("*"), mcnemar.endswith("*")] == [
            difference.by_item.checkpoints.after_holm,
            difference.by_item.mcnemar_after_holm,
        ]
    document = in_json(night, store_url, capsys)
    apart = ("told", "no_better_than", "deflated_sharpe")  # what is said of the methods besides
    pairs = [
        {key: value for key, value in difference.items() if key not in apart} for difference in document["differences"]
    ]
    assert [
        {"variant": {}, "metric": "accuracy", **simplify(difference)} for difference in comparison.differences
    ] == pairs
    assert all(
        difference["told"]["one"]["items"] == difference["told"]["one"]["of"] > 0
        for difference in document["differences"]
    )
    assert document["unread"] == []


def test_what_training_changed_is_told_for_every_metric_but_the_loss(
    night: Night, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(night, store_url)
    rows, kept = views.read_results(night.store, "s"), read_items(night.store, store_url, "s", ALL)
    text, document = told(night, store_url), in_json(night, store_url, capsys)
    shown = {(change["cell"]["method"], change["metric"]): change for change in document["changes"]}
    assert {metric for _, metric in shown} == {
        *("accuracy", "ece", "adaptive_ece", "brier", "aurc", "selective_accuracy"),
        *("open_book", "closed_book", "uplift", "utilisation"),
    }
    for metric, measure in (("accuracy", "answers"), ("ece", "answers"), ("uplift", "rag")):
        for changed in compare_with_baselines(rows, kept.items[measure], metric=metric):
            assert shown[changed.cell["method"], metric] == {
                "cell": dict(changed.cell),
                "against": "untrained",
                **simplify(changed.change),
            }
    assert {shown[method, "uplift"]["clear"] for method in ("sl", "rl")} == {True, False}
    flat = " ".join(text.split()).replace("−", "-")
    for method in ("sl", "rl"):
        uplift = shown[method, "uplift"]
        width = (uplift["high"] - uplift["low"]) / 2
        (line,) = (line for line in flat.split("(uplift ") if line.endswith(f" {uplift['mean']:+.2f} ± {width:.2f} "))
        assert f"{method}: " in line
    assert "What did training change?" in text


def test_a_table_fits_a_terminal_of_eighty_columns(night: Night, store_url: str) -> None:
    laid(night, store_url)
    wide, narrow = told(night, store_url, 160), told(night, store_url, 80)
    for heading in ("difference  ", "metric  "):
        (line, *_) = (line for line in wide.splitlines() if line.startswith(heading))
        assert line.rstrip() in narrow, "columns, and no list of names and values"


@pytest.mark.parametrize("loss", ["away", "gone", "cut off", "empty", "not ours", "short"])
def test_lost_items_cost_a_note_and_never_the_table(night: Night, store_url: str, loss: str) -> None:
    laid(night, store_url)
    whole = told(night, store_url)
    file = next(Path(store_url).glob("stages/*/*/evaluate-answers-sl1.*.items.jsonl.gz"))
    if loss == "away":
        shutil.rmtree(store_url)
    elif loss == "gone":
        file.unlink()
    else:
        whole_file = file.read_bytes()
        left = {"cut off": whole_file[:-20], "empty": b"", "not ours": compress_rows([{"nobody": 1}])}
        left["short"] = compress_rows(decode_rows(whole_file)[::2])
        file.write_bytes(left[loss])
    text = told(night, store_url)
    assert "could not be read" in text
    assert store_url not in text, "an address may hold a secret"
    by_seed = whole[whole.index("Which method?") : whole.index("Differences (")]
    assert by_seed in text, "the means need no items"
    assert "Differences" in text
    assert ("McNemar" in text) == (loss != "away")
    assert ("What did training change?" in text) == (loss != "away")
    report = compose(report_inputs.gather_inputs(night.store, "s", 0, url=store_url))
    assert any("could not be read" in str(section.parts) for section in report.sections)
    assert report.conclusion is not None
    assert (report.conclusion.subject, report.conclusion.against) == ("rl", "sl")


def test_where_items_are_not_read_every_command_says_so_and_no_mean_changes(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, store_url: str, tmp_path: Path
) -> None:
    """Half of the files are over the limit, as in a sweep of 64 evaluations of which 31 were read."""
    question = compared(("sl", "rl"), 3, ("rag",))
    submit(
        night.store,
        submission(question, spec={**COMPARE, "sweep": "s", "best": {"metric": "open_book", "mode": "max"}}),
    )
    kept = [
        ItemRow(
            item, {"open_book": 1.0, "closed_book": 0.0, "silent": 0.0, **({"faithfulness": 1.0} if item < 25 else {})}
        )
        for item in range(40)
    ]
    lay_items(night.store, Artefacts(store_url), question, {run.measures["rag"]: kept for run in question.runs})
    environment(redis, monkeypatch, store_url)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[str, str]:
        done = CliRunner().invoke(command, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout, done.stderr

    whole, whole_rows = json.loads(call("-f", "json", "results", "s")[0]), call("-f", "csv", "results", "s")[0]
    assert (whole["unread"], "items_unread" in whole["conclusion"]["caveats"]) == ([], False)
    monkeypatch.setattr(reading, "MOST_VALUES", 40 * 4)
    part = json.loads(call("-f", "json", "results", "s")[0])
    assert "items_unread" in part["conclusion"]["caveats"]
    assert "were not read" in part["unread"][0]
    assert part["runs"] == whole["runs"]
    without = [
        [{**metric, "told": None} for metric in cell["metrics"].values()] for cell in (*part["cells"], *whole["cells"])
    ]
    assert without[: len(part["cells"])] == without[len(part["cells"]) :], "means, counts and variances are of the runs"
    assert WORDS["items_unread"] in call("results", "s")[0]
    assert WORDS["items_unread"] in call("digest", "s")[0]
    assert "were not read" in call("results", "s")[0]
    for words in (["-f", "csv", "results", "s"], ["export", "s"], ["export", "s", "--to", "tensorboard:there"]):
        assert re.search(r"^Warning: of 7 evaluations the items of \d were not read", call(*words)[1])
    rows = [list(csv.DictReader(StringIO(text))) for text in (whole_rows, call("export", "s")[0])]
    told_items = [{row.pop("faithfulness.items") for row in table} for table in rows]
    assert rows[0] == rows[1]
    assert told_items == [{"25"}, {"25", ""}], "what is not known is empty"


def test_a_store_that_cannot_be_used_costs_a_note_too(night: Night, store_url: str) -> None:
    laid(night, store_url)
    text = told(night, "oss://secret@there/store")
    assert "artefact store" in text
    assert "McNemar" not in text
    assert "secret" not in text
    assert WORDS["these_items_only"] in " ".join(text.split())


@pytest.fixture
def quiet(redis: RedisServer) -> Iterator[Store]:
    """A store without the fixtures that look at every key: there are a thousand."""
    client = redis.client()
    yield Store(client, FakeClock())
    client.flushall()
    client.close()


def test_a_store_that_is_away_is_not_asked_a_thousand_times(quiet: Store, store_url: str) -> None:
    planned, results = many(1000, "stages/gone/{}/items.jsonl.gz", 200)
    put(quiet, planned, results)
    kept, asked = read_counted(quiet, store_url, {"answers": WantedItems(("accuracy",))})
    assert kept.items == {}
    assert len(kept.unread) == 1
    assert len(asked) <= reading.IN_A_ROW


def read_counted(store: Store, url: str, wanted: Mapping[str, WantedItems]) -> tuple[KeptItems, list[str]]:
    """What is read, and which files were asked for."""
    asked: list[str] = []

    class Counting(Artefacts):
        def read(self, path: str) -> bytes:
            asked.append(path)
            return super().read(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "Artefacts", Counting)
        return read_items(store, url, "s", wanted), asked


def put(store: Store, planned: Any, results: Any) -> None:
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    pipe.hset(keys.sweep_runs("s"), mapping=planned)
    for stage, result in results.items():
        pipe.hset(keys.stage(stage), mapping={"state": "succeeded", "result": result})
    pipe.execute()


def test_of_a_thousand_runs_as_many_rows_are_read_as_there_is_time_for(quiet: Store, store_url: str) -> None:
    path = Artefacts(store_url).write("stages/one/items.jsonl.gz", write_rows(answered(0.5, 0, 200)))
    put(quiet, *many(1000, path, 200))
    metrics = ("accuracy", "ece", "adaptive_ece", "brier", "aurc")
    kept = read_items(quiet, store_url, "s", {"answers": WantedItems(metrics)})
    files = len(kept.items["answers"])
    assert kept.rows == 200 * files
    assert kept.rows * len(metrics) <= reading.MOST_VALUES < (kept.rows + 200) * len(metrics)
    assert f"of 1,000 evaluations the items of {1000 - files} were not read" in kept.unread[0]
    seeds = {seed: sum(key[1] == seed for key in kept.items["answers"]) for seed in range(20)}
    assert list(seeds.values()) == sorted(seeds.values(), reverse=True), "the first seeds first"
    assert sum(0 < count < 50 for count in seeds.values()) <= 1, "cells are compared over the same seeds"
    (first_rows, *_) = kept.items["answers"].values()
    assert {name for row in first_rows for name in row.values} == {"accuracy", "confidence", "right", "brier"}
    assert not any(row.details for row in first_rows), "texts are not held"


def test_what_was_measured_once_is_read_once_and_stands_in_every_run(night: Night, store_url: str) -> None:
    question = scaling("s", [8, 16], seeds=2)
    submit(night.store, submission(question))
    rows = [ItemRow(item, {"nll": 3.0, "tokens": 2, "bytes": 2}) for item in range(2)]
    lay_items(night.store, Artefacts(store_url), question, {"evaluate-base": rows})
    kept, asked = read_counted(night.store, store_url, {"zero_shot.nll": WantedItems(("zero_shot.nll",))})
    assert kept.rows == 2
    assert len(asked) == 1
    assert len(kept.items["zero_shot.nll"]) == 4
    assert len({id(item_rows) for item_rows in kept.items["zero_shot.nll"].values()}) == 1


def test_losses_are_read_where_they_decide_and_nowhere_else(night: Night) -> None:
    question = compared(["sl"], 2, ["nll", "answers"])
    submit(night.store, submission(question, spec={**COMPARE, "best": {"metric": "nll", "mode": "min"}}))
    lay_items(night.store, Artefacts("memory://losses"), question, {})
    rows = [
        result.__class__(
            result.cell,
            result.seed,
            "succeeded",
            {"nll": 1.0, "bits_per_byte": 1.0, "validation.nll": 1.0, "accuracy": 0.5},
        )
        for result in views.read_results(night.store, "s")
    ]
    spec: dict[str, Json] = {**COMPARE, "best": {"metric": "nll", "mode": "min"}}
    assert {name: tuple(wanted.metrics) for name, wanted in choose_items(spec, rows).items()} == {
        "nll": ("nll",),
        "answers": ("accuracy",),
    }
    assert choose_items({**spec, "experiment": "data_scaling"}, rows).keys() == {"answers"}


def grid(night: Night, url: str, cells: int = 8) -> None:
    """Cells of which the items hardly differ, so that none is told apart from the best."""
    stages, runs, rows = [], [], {}
    for rank in range(cells):
        for seed in range(2):
            name = f"r{rank}s{seed}"
            stages += [train(name), evaluate(name, f"train-{name}")]
            runs.append(Run({"train.rank": rank}, seed, f"train-{name}", {"answers": f"evaluate-{name}"}))
            rows[f"evaluate-{name}"] = answered(0.5 + rank / 1000, seed)
    question = plan("s", stages, runs)
    spec: dict[str, Json] = {"experiment": "grid", "best": {"metric": "accuracy", "mode": "max"}}
    submit(night.store, submission(question, spec=spec))
    lay_items(night.store, Artefacts(url), question, rows)


def test_of_a_grid_the_best_and_what_may_be_as_good_are_compared_item_by_item(
    night: Night, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    grid(night, store_url)
    text, (document,) = told(night, store_url), in_json(night, store_url, capsys)["best"]
    rows = views.read_results(night.store, "s")
    kept = read_items(night.store, store_url, "s", choose_items(views.read_sweep(night.store, "s").spec, rows))
    choice = best_cell(rows, metric="accuracy", mode="max", items=kept.items["answers"])
    assert document["best"] == simplify(choice.best)
    assert document["alike"] == simplify(choice.alike)
    near = [cell for cell in choice.alike if cell.by_item]
    assert 1 <= len(near) <= 4 < len(choice.alike)
    assert kept.rows == (len(near) + 1) * 2 * 60, "of no other cell a row is read"
    for cell in near:
        assert cell.by_item is not None
        shown = f"{cell.by_item.mean:+.4f}".replace("-", "−")
        assert re.search(rf"rank={cell.cell['train.rank']} +\{shown} ", text)


def environment(redis: RedisServer, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setenv("SWEEP_STORE", url)
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda _client, _url: None)  # ours is not durable


def test_a_notebook_has_the_rows_and_whole_items(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, store_url: str
) -> None:
    laid(night, store_url)
    environment(redis, monkeypatch, store_url)
    rows, items = notebook.results("s"), notebook.items("s", "accuracy")
    assert rows == views.read_results(night.store, "s")
    assert items.keys() == {item_key(row.cell, row.seed) for row in rows}
    assert next(iter(items.values()))[0].details["said"] == "some text"
    with pytest.raises(UnknownMetric, match="'acuracy'"):
        notebook.items("s", "acuracy")
    with pytest.raises(UnknownSweep):
        notebook.items("nobody", "accuracy")
    with pytest.raises(UnknownSweep, match=r"'nope'.*\bs\b"):
        notebook.results("nope")
    shutil.rmtree(store_url)
    with pytest.warns(ItemsUnread, match="could not be read"):
        assert notebook.items("s", "accuracy") == {}


def test_the_example_of_the_page_runs(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, store_url: str
) -> None:
    laid(night, store_url)
    environment(redis, monkeypatch, store_url)
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "analyse-in-a-notebook.md").read_text()
    (example,) = re.findall(r"```python\n(from scheduler.notebook.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(example.replace('"reading-methods"', '"s"'), names)  # ours: what the page tells people to write
    by_hand = compare(
        views.read_results(night.store, "s"), metric="accuracy", items=notebook.items("s", "accuracy")
    ).differences
    assert names["comparison"].differences == by_hand
    assert names["changed"].mean > 0


def test_the_report_shows_what_the_items_say(night: Night, store_url: str, redis: RedisServer, tmp_path: Path) -> None:
    laid(night, store_url)
    report = compose(report_inputs.gather_inputs(night.store, "s", 0, url=store_url))
    (which,) = (section for section in report.sections if section.title == "Which method?")
    (table,) = (part.table for part in which.parts if isinstance(part, Figure) and "McNemar" in part.table.columns)
    assert [row[0] for row in table.texts] == ["sl − untrained", "rl − untrained", "rl − sl"]
    (changed,) = (section for section in report.sections if section.title == "What did training change?")
    assert [part.name for part in changed.parts if hasattr(part, "name")] == ["changes-0", "changes-1"]
    assert [sentence.partition(":")[0] for sentence in report.answer[1:]] == ["sl", "rl"]
    with pytest.MonkeyPatch.context() as patch:
        environment(redis, patch, store_url)
        done = CliRunner().invoke(command, ["report", "s", "-o", str(tmp_path / "r.html")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "What did training change?" in (tmp_path / "r.html").read_text()


def test_nothing_wanted_reads_nothing(night: Night) -> None:
    assert read_items(night.store, "nonsense://", "s", {}) == KeptItems({})


def test_tables_and_trackers_show_how_many_items_tell_what_not_all_tell(
    night: Night, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = compared(("sl",), 2, ("rag",))
    answers = {"open_book": 1.0, "closed_book": 0.0, "uplift": 1.0, "silent": 0.0}
    kept = [ItemRow(item, {**answers, **({"faithfulness": 1.0} if item < 5 else {})}) for item in range(40)]
    submit(night.store, submission(question, spec={**COMPARE, "sweep": "s"}))
    lay_items(night.store, Artefacts(store_url), question, {run.measures["rag"]: kept for run in question.runs})
    table = make_table(night.store, store_url, "s")
    for row in table.rows:
        assert (row["faithfulness"], row["faithfulness.items"]) == (1.0, 5)
    assert "open_book.items" not in table.columns
    show_results(night.store, read_settings({"SWEEP_STORE": store_url}), "s", Output("csv", Console()))
    printed = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert [row["faithfulness.items"] for row in printed] == ["5"] * 3
    track(night.store, store_url, "s", f"tensorboard:{tmp_path / 'runs'}", Output("json", Console()))
    assert b"faithfulness.items" in b"".join(path.read_bytes() for path in (tmp_path / "runs").rglob("*tfevents*"))
    sweep = run_history.read_shared_facts(night.store, "s")
    rows = reading.read_told_results(night.store, store_url, "s").rows
    for history in run_history.follow_runs(night.store, "s", rows):
        assert track_run(sweep, history).summary["eval/faithfulness.items"] == 5

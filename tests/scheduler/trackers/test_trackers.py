"""Trackers show every run once, as it stands: told again they add what has grown and double nothing.

Each tracker is asked through its own library what it holds, where that is installed; TensorBoard's always is.
"""

import csv
import importlib.util
import io
import json
import math
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.errors import TrackerUnusable
from scheduler.state import keys, views
from scheduler.state.answer_inputs import read_conclusion
from scheduler.state.runs import run_history
from scheduler.state.store import CURVE_POINTS, Meter, Store
from scheduler.trackers import KINDS, open_tracker
from sweeps.errors import NotInstalled
from sweeps.experiments.conclusion import Conclusion
from sweeps.report.tracker_runs import (
    RunHistory,
    TrackedRun,
    TrackedSweep,
    TrackedTraining,
    track_conclusion,
    track_run,
)
from sweeps.results import RunResult
from sweeps.stage import Json, Run
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, train
from tests.scheduler.reported import large, lay
from tests.support import FakeClock, RedisServer
from tests.wording import naming

SPEC: dict[str, Json] = {"sweep": "s", "experiment": "compare", "model": "offline/ngram-s"}
SWEEP = TrackedSweep("s", "d1", {"experiment": "compare"})
Curve = list[dict[str, Json]]


def curve(what: str, *values: float) -> Curve:
    return [{"step": step, what: value} for step, value in enumerate(values)]


def run(
    *curves: Curve, state: str = "succeeded", seed: int = 0, since: int = 9_000, cause: str = "", steps: int = 3
) -> TrackedRun:
    """A run with a training for each curve."""
    row = RunResult({"method": "both", "size": 8}, seed, state, {"nll": 2.0, "source.nll": math.nan}, steps, 90, 5_000)
    recipe: dict[str, Json] = {"rank": 4, "adam": {"eps": 1e-8}, "parent": None, "layers": ["mlp"]}
    trainings = [
        TrackedTraining(f"train-{place}", recipe, steps, since, curve_of) for place, curve_of in enumerate(curves)
    ]
    return track_run(SWEEP, RunHistory(seed, row, trainings, cause, 1_000, since))


GROWING = run(curve("nll", 3.0, 2.5), state="running", since=5_000)
GROWN = run(curve("nll", 3.0, 2.5, 2.25))
LOST = run(curve("nll", 3.0, math.inf), state="failed", seed=1, cause="diverged")
POINTS = [(1, 3.0), (2, 2.5), (3, 2.25)]
FIRST = Conclusion("measured", "nll", "both", None, 2.5, caveats=("unfinished_runs", "one_seed"))
LAST = Conclusion("better", "nll", "both", "sl", 0.5, 0.25, 0.75)
EARLY, CONCLUDED = track_conclusion(SWEEP, FIRST, [GROWING, LOST]), track_conclusion(SWEEP, LAST, [GROWN, LOST])
SAID = {"conclusion": LAST.sentence, "claim": "better", "metric": "nll", "against": "sl", "caveats": ""}

# What is told, whoever is told.


def test_the_steps_of_a_chain_are_counted_through() -> None:
    tracked = run(curve("nll", 3.0, 2.5, 2.25), curve("reward", 0.1, 0.4))
    assert [(point.metric, point.step) for point in tracked.points] == [
        *(("train/nll", step) for step in (1, 2, 3)),
        *(("train/reward", step) for step in (4, 5)),
    ]
    assert tracked.last == 5


def test_a_run_is_its_cell_its_recipe_and_what_was_measured() -> None:
    tracked = run(curve("nll", 3.0), curve("reward", 0.1))
    assert tracked.name == "method=both, size=8, seed 0"
    recipes = {f"{place}.{key}": value for place in ("before.1", "recipe") for key, value in RECIPE.items()}
    assert tracked.config == {"method": "both", "size": 8, "seed": 0} | recipes
    totals = {"total/steps": 3, "total/tokens": 90, "total/usd": 0.005}
    measured = {name: value for name, value in tracked.summary.items() if name != "eval/source.nll"}
    assert measured == {"eval/nll": 2.0} | totals
    assert math.isnan(tracked.summary["eval/source.nll"]), "what diverged is shown, not dropped"
    assert tracked.tags == {"sweep": "s", "experiment": "compare"}


RECIPE = {"rank": 4, "adam.eps": 1e-8, "layers": '["mlp"]'}


def test_a_run_is_known_by_its_sweep_and_its_place_and_its_content_by_all_of_it() -> None:
    assert GROWING.id == GROWN.id
    assert GROWING.id != run(seed=1).id
    assert GROWING.id != track_run(replace(SWEEP, digest="d2"), RunHistory(0, RunResult({}, 0, ""), [], "", 0, 0)).id
    assert GROWN.content == run(curve("nll", 3.0, 2.5, 2.25)).content
    changes = [GROWING, run(curve("nll", 3.0, 2.5, 2.26)), run(curve("nll", 3.0, 2.5, 2.25), cause="x")]
    assert len({GROWN.content, *(change.content for change in changes)}) == 4


def test_the_untrained_base_has_no_curve() -> None:
    tracked = track_run(SWEEP, RunHistory(0, RunResult({}, 0, "succeeded", {"nll": 3.0}), [], "", 1, 2))
    assert (tracked.name, tracked.points, tracked.last, tracked.config) == ("seed 0", [], 0, {"seed": 0})


def test_the_conclusion_is_one_more_run_that_changes_with_what_is_concluded() -> None:
    assert (EARLY.id, EARLY.name) == (CONCLUDED.id, "conclusion")
    assert EARLY.id not in {GROWN.id, LOST.id}
    assert EARLY.content != CONCLUDED.content
    assert (EARLY.state, CONCLUDED.state) == ("running", "succeeded")
    assert EARLY.summary == {"conclusion/effect": 2.5}
    assert CONCLUDED.summary == {"conclusion/effect": 0.5, "conclusion/low": 0.25, "conclusion/high": 0.75}
    assert EARLY.notes["caveats"] == "unfinished_runs, one_seed"
    assert CONCLUDED.notes == SAID


# What is read of the truth.


def half_a_night(night: Night) -> None:
    """A chain whose second training is under way, one that has failed in its first, and the untrained base."""
    stages, runs = [evaluate("base")], [Run({"method": None}, 0, None, {"nll": "evaluate-base"})]
    for seed in (0, 1):
        first, last, measure = f"sl{seed}", f"rl{seed}", f"e{seed}"
        stages += [train(first), train(last, f"train-{first}"), evaluate(measure, f"train-{last}")]
        measures = {"nll": f"evaluate-{measure}"}
        runs.append(Run({"method": "both"}, seed, f"train-{last}", measures, before=(f"train-{first}",)))
    night.submit(plan("s", stages, runs), spec=SPEC)
    learn(night, "train-sl0", curve("nll", 3.0, 2.5))
    night.fail(night.start("train-sl1", "s"), "diverged")
    night.spread()
    night.do("evaluate-base", "s", {"nll": 3.5})


def learn(night: Night, stage: str, points: Curve) -> None:
    lease = night.start(stage, "s")
    assert night.store.report_progress(lease, Meter(10, 10), {"step": len(points), "steps": 10}, points)
    assert night.succeed(lease)
    night.spread()


def all_tracked(store: Store) -> list[TrackedRun]:
    rows = views.read_results(store, "s")
    return [
        track_run(run_history.read_shared_facts(store, "s"), history)
        for history in run_history.follow_runs(store, "s", rows)
    ]


def test_a_night_is_followed_as_it_stands(night: Night) -> None:
    half_a_night(night)
    base, going, lost = all_tracked(night.store)
    assert (base.state, base.summary["eval/nll"], base.points) == ("succeeded", 3.5, [])
    assert (going.state, [(point.step, point.value) for point in going.points]) == ("waiting", [(1, 3.0), (2, 2.5)])
    assert (going.config["before.1.name"], going.config["recipe.name"]) == ("sl0", "rl0")
    assert (lost.state, lost.cause, lost.lost) == ("failed", "diverged", True)
    assert lost.tags == {"sweep": "s", "experiment": "compare", "model": "offline/ngram-s", "user": "ada"}
    learn(night, "train-rl0", curve("reward", 0.1))
    again = all_tracked(night.store)
    assert [old.content == new.content for old, new in zip((base, going, lost), again, strict=True)] == [1, 0, 1]
    assert again[1].points[-1][:3] == ("train/reward", 11, 0.1), "behind the ten steps that the first was to make"


def test_the_table_of_curves_has_a_row_for_each_point(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_a_night(night)
    learn(night, "train-rl0", curve("reward", 0.1))
    points = list(csv.DictReader(io.StringIO(said(redis, monkeypatch, "export", "s", "--curves"))))
    assert [tuple(point.values()) for point in points] == [
        ("both", "0", "ready", "1", "train-sl0", "1", "nll", "3.0"),
        ("both", "0", "ready", "1", "train-sl0", "2", "nll", "2.5"),
        ("both", "0", "ready", "2", "train-rl0", "1", "reward", "0.1"),
    ]


def said(redis: RedisServer, monkeypatch: pytest.MonkeyPatch, *words: str, status: int = 0) -> str:
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda _client, _url: None)  # ours is not durable
    done = CliRunner().invoke(command, list(words), catch_exceptions=status == 2)
    assert done.exit_code == status, done.output
    return done.output if status else done.stdout


# Trackers, each asked what it holds. `told` is the state, the points of its curve by step, and the mean loss.

Told = tuple[str, list[tuple[int, float]], float]


def tensorboard_holds(folder: Path, name: str) -> Told:
    (file,) = (folder / "s" / name).iterdir()
    scalars, state = dict[str, list[tuple[int, float]]](), ""
    for event in events(file.read_bytes()):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
            if value.tag.startswith("state"):
                state = value.tensor.string_val[0].decode()
    ((_, loss),) = scalars["eval/nll"]
    return state, scalars["train/nll"], loss


def events(content: bytes) -> Iterator[Any]:
    """Records: length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    place = 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        yield Event.FromString(content[place + 12 : place + 12 + length])
        place += 16 + length


def test_tensorboard_is_told_once(tmp_path: Path) -> None:
    there = open_tracker(f"tensorboard:{tmp_path}", "s")
    assert [there.put(tracked) for tracked in (GROWING, LOST, GROWING)] == [True, True, False]
    assert tensorboard_holds(tmp_path, GROWN.name) == ("running", POINTS[:2], 2.0)
    again = open_tracker(f"tensorboard:{tmp_path}", "s")
    assert [again.put(tracked) for tracked in (GROWN, LOST, GROWN)] == [True, False, False]
    assert tensorboard_holds(tmp_path, GROWN.name) == ("succeeded", POINTS, 2.0)
    assert tensorboard_holds(tmp_path, LOST.name) == ("failed: diverged", [(1, 3.0), (2, math.inf)], 2.0)


def test_tensorboard_has_the_last_conclusion_only(tmp_path: Path) -> None:
    there = open_tracker(f"tensorboard:{tmp_path}", "s")
    assert [there.put(tracked) for tracked in (EARLY, CONCLUDED, CONCLUDED)] == [True, True, False]
    (file,) = (tmp_path / "s" / "conclusion").iterdir()
    values = [value for event in events(file.read_bytes()) for value in event.summary.value]
    texts = {
        value.tag.partition("/")[0]: value.tensor.string_val[0].decode() for value in values if value.HasField("tensor")
    }
    assert texts == {"state": "succeeded", **SAID}
    assert {value.tag: value.simple_value for value in values if value.HasField("simple_value")} == CONCLUDED.summary


def test_a_name_that_is_no_folder_is_told_from_others_by_its_id(tmp_path: Path) -> None:
    there = open_tracker(f"tensorboard:{tmp_path}", "s")
    names = ("model=a/b", "model=a_b", "../../x", "x" * 300)
    assert all(there.put(replace(GROWN, name=name, id=f"{place}")) for place, name in enumerate(names))
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == sorted(
        ["model=a_b 0", "model=a_b", ".._.._x 2", f"{'x' * 120} 3"]
    )


def test_tensorboard_itself_reads_what_was_written(tmp_path: Path) -> None:
    needed = "tensorboard itself is not installed: .venv/bin/python -m pip install tensorboard"
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason=needed)
    metadata = importlib.import_module("tensorboard.plugins.hparams.metadata")
    open_tracker(f"tensorboard:{tmp_path}", "s").put(LOST)
    events = reader.EventAccumulator(str(tmp_path / "s" / LOST.name)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("train/nll")] == [(1, 3.0), (2, math.inf)]
    content = events.PluginTagToContent("hparams")
    begun = metadata.parse_session_start_info_plugin_data(content["_hparams_/session_start_info"])
    ended = metadata.parse_session_end_info_plugin_data(content["_hparams_/session_end_info"])
    assert begun.hparams["recipe.rank"].number_value == 4
    assert begun.hparams["method"].string_value == "both"
    assert ended.status == 2, "STATUS_FAILURE"


@pytest.fixture
def mlflow_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of its own where MLflow is there as a whole; what mlflow-skinny can keep without a server, else."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", raising=False)
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    whole = importlib.util.find_spec("sqlalchemy") is not None
    return f"sqlite:///{tmp_path / 'mlflow.db'}" if whole else f"file:{tmp_path / 'runs'}"


@pytest.mark.filterwarnings("ignore")  # of a library that is not ours
def test_mlflow_is_told_once(mlflow_at: str, capfd: pytest.CaptureFixture[str]) -> None:
    from mlflow import MlflowClient

    there = open_tracker(f"mlflow:{mlflow_at}", "s")
    assert [there.put(tracked) for tracked in (GROWING, LOST)] == [True, True]
    client = MlflowClient(mlflow_at, registry_uri=mlflow_at)

    def held(tracked: TrackedRun) -> tuple[str, list[tuple[int, float]], list[float], dict[str, str]]:
        experiment = client.get_experiment_by_name("s").experiment_id
        (kept_run,) = [
            kept_run for kept_run in client.search_runs([experiment]) if kept_run.info.run_name == tracked.name
        ]
        points = client.get_metric_history(kept_run.info.run_id, "train/nll")
        losses = [point.value for point in client.get_metric_history(kept_run.info.run_id, "eval/nll")]
        steps = sorted((point.step, point.value) for point in points)
        return kept_run.info.status, steps, losses, {**kept_run.data.params, **kept_run.data.tags}

    assert held(GROWING)[:3] == ("RUNNING", POINTS[:2], [2.0])
    again = open_tracker(f"mlflow:{mlflow_at}", "s")
    assert [again.put(tracked) for tracked in (GROWN, LOST)] == [True, False]
    third = open_tracker(f"mlflow:{mlflow_at}", "s")
    assert [third.put(tracked) for tracked in (GROWN, LOST)] == [False, False]
    status, points, losses, parameters = held(GROWN)
    assert (status, points, losses) == ("FINISHED", POINTS, [2.0])
    assert (parameters["recipe.rank"], parameters["method"], parameters["state"], parameters["experiment"]) == (
        "4",
        "both",
        "succeeded",
        "compare",
    )
    status, points, _, parameters = held(LOST)
    assert (status, parameters["cause"], points[0], points[1][1] > 1e300) == ("FAILED", "diverged", (1, 3.0), True)
    assert capfd.readouterr().out == "", "what we print is ours alone"
    for tracked in (EARLY, CONCLUDED):
        assert open_tracker(f"mlflow:{mlflow_at}", "s").put(tracked)
    (concluded,) = [
        run
        for run in client.search_runs([client.get_experiment_by_name("s").experiment_id])
        if run.info.run_name == "conclusion"
    ]
    assert concluded.data.tags.items() >= SAID.items()
    assert concluded.data.metrics == CONCLUDED.summary


@pytest.mark.filterwarnings("ignore")
def test_mlflow_that_was_cut_off_is_told_the_rest_and_nothing_twice(
    mlflow_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(mlflow_at, registry_uri=mlflow_at)
    monkeypatch.setattr("scheduler.trackers.mlflow.METRICS", 2)
    whole = MlflowClient.log_batch

    def breaks(self: Any, run_id: str, metrics: Sequence[Any] = (), **others: Any) -> None:
        if any(metric.step == 3 for metric in metrics):
            raise KeyboardInterrupt
        whole(self, run_id, metrics=metrics, **others)

    monkeypatch.setattr(MlflowClient, "log_batch", breaks)
    with pytest.raises(KeyboardInterrupt):
        open_tracker(f"mlflow:{mlflow_at}", "s").put(GROWN)
    monkeypatch.setattr(MlflowClient, "log_batch", whole)
    assert open_tracker(f"mlflow:{mlflow_at}", "s").put(GROWN)
    (kept_run,) = client.search_runs([client.get_experiment_by_name("s").experiment_id])
    assert sorted(point.step for point in client.get_metric_history(kept_run.info.run_id, "train/nll")) == [1, 2, 3]


@pytest.mark.filterwarnings("ignore")
def test_wandb_off_line_has_one_folder_for_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    there = open_tracker("wandb:team/project", "s")
    assert [there.put(tracked) for tracked in (GROWING, LOST, LOST)] == [True, True, False]
    again = open_tracker("wandb:team/project", "s")
    assert [again.put(tracked) for tracked in (GROWN, LOST)] == [True, False]
    grown, lost = wandb_holds(tmp_path, GROWN.id), wandb_holds(tmp_path, LOST.id)
    begun = grown["run"]
    assert (begun.run_id, begun.run_group, begun.display_name) == (GROWN.id, "s", GROWN.name)
    assert (begun.entity, begun.project, list(begun.tags)) == ("team", "project", ["compare"])
    config = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in begun.config.update}
    assert (config["recipe.rank"], config["method"]) == (4, "both")
    assert [(step["_step"], step["train/nll"]) for step in grown["history"]] == POINTS
    assert (grown["summary"]["eval/nll"], grown["summary"]["state"], grown["exit"]) == (2.0, "succeeded", 0)
    assert (lost["summary"]["state"], lost["summary"]["cause"], lost["exit"]) == ("failed", "diverged", 1)
    for tracked in (EARLY, CONCLUDED):
        assert open_tracker("wandb:team/project", "s").put(tracked)
    assert wandb_holds(tmp_path, CONCLUDED.id)["summary"].items() >= {**SAID, **CONCLUDED.summary}.items()
    assert capfd.readouterr().out == "", "what we print is ours alone"


def wandb_holds(folder: Path, run_id: str) -> dict[str, Any]:
    """What `wandb sync` would send: the one file of a run, as the library's own records."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = (folder / "wandb").glob(f"offline-run-*-{run_id}/run-{run_id}.wandb")
    contents: dict[str, Any] = {"history": [], "summary": {}}
    for content in log_records(file.read_bytes()):
        record = Record.FromString(content)
        match record.WhichOneof("record_type"):
            case "run":
                contents["run"] = record.run
            case "exit":
                contents["exit"] = record.exit.exit_code
            case "history":
                items = record.history.item
                contents["history"].append(
                    {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in items}
                )
            case "summary":
                items = record.summary.update
                contents["summary"] |= {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in items}
    return contents


def log_records(content: bytes) -> Iterator[bytes]:
    """A log of blocks of 32 kB behind seven bytes: checksum, length and kind (whole, first, middle, last) of a part."""
    place, parts = 7, b""
    while place + 7 <= len(content):
        if 32_768 - place % 32_768 < 7:
            place += 32_768 - place % 32_768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


# The command.


def test_the_command_shows_a_night_and_what_has_grown(
    night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    half_a_night(night)
    place = f"tensorboard:{tmp_path}"
    text = said(redis, monkeypatch, "export", "s", "--to", place)
    summary, sentence, where = text.splitlines()
    assert re.findall(r"\d+ \w+", summary) == ["3 runs", "1 succeeded", "1 waiting", "1 failed", "3 new", "0 unchanged"]
    assert sentence == read_conclusion(night.store, "s", None).sentence
    assert where == f"tensorboard --logdir {tmp_path}"
    learn(night, "train-rl0", curve("reward", 0.1))
    document = json.loads(said(redis, monkeypatch, "-f", "json", "export", "s", "--to", place))
    assert [row["new"] for row in document["runs"]] == [False, True, False]
    assert document["conclusion"].items() >= read_conclusion(night.store, "s", None).document().items()
    assert len(list(tmp_path.rglob("*tfevents*"))) == 4, "three runs, and the conclusion"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_installed_is_named_with_its_extra(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, package, _ = KINDS[kind]
    monkeypatch.delitem(sys.modules, f"scheduler.trackers.{kind}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotInstalled, match=naming(f"pip install {package}", kind)):
        open_tracker(kind, "s")


def test_what_is_no_tracker_is_refused() -> None:
    with pytest.raises(TrackerUnusable, match=naming("comet", "tensorboard[:FOLDER]", "mlflow[:URI]")):
        open_tracker("comet:x", "s")


def test_a_tracker_takes_no_table(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--curves" in said(redis, monkeypatch, "export", "s", "--to", "wandb", "--curves", status=2)


def test_runs_are_read_in_pages(redis: RedisServer) -> None:
    """Without the fixtures that look at every key. A page is read when it is asked for."""
    client = redis.client()
    store = Store(client, FakeClock())
    lay(store, large(domains=1, sizes=3, seeds=20))
    rows = views.read_results(store, "large")
    histories = run_history.follow_runs(store, "large", rows)
    assert len(next(histories).trainings[0].curve) == CURVE_POINTS
    client.delete(*(keys.curve(str(row.stage)) for row in rows[run_history.RUNS :]))
    assert sum(len(history.trainings[0].curve) for history in histories) == (run_history.RUNS - 1) * CURVE_POINTS
    client.flushall()
    client.close()

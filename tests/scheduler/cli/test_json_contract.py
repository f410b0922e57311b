"""docs/reference/json.md is what commands print: no key more, and none less but those that it calls optional."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from scheduler.artefacts import Artefacts
from scheduler.cli import sweep as command
from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.store import Store
from scheduler.state.views import read_stages
from sweeps.stage import Json, Plan, Run, Stage
from tests.scheduler.kept import lay_comparison
from tests.scheduler.night import Night
from tests.scheduler.plans import COST, evaluate, plan, submission, train
from tests.support import RedisServer

from scheduler.state.submission import submit  # isort: skip

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "json.md").read_text()
Cells = Sequence[dict[str, Json]]
# Keys that the contract with researchers names: they stay, whatever else is renamed.
FIXED = {
    "sweep plan": (
        *("sweep", "stages[].id", "stages[].kind", "stages[].parents[]", "runs[].cell.KEY", "runs[].seed"),
        *("totals.stages", "totals.train", "totals.evaluate", "totals.naive_train", "totals.examples"),
        *("totals.naive_examples", "totals.tokens", "totals.usd"),
    ),
    "sweep results": (
        *("runs[].cell.KEY", "runs[].seed", "runs[].state", "runs[].metrics.METRIC", "runs[].steps", "runs[].tokens"),
        *("runs[].usd", "runs[].stage", "cells[].cell.KEY", "conclusion"),
    ),
}
ESTIMATE = {"mean", "half_width", "seeds", "low", "high"}
SHAPES = {"sweep", "pool", "account", "counts", "grid cell", "item difference", "learning sign"}
SHAPES |= {"sample", "told", "guess", "conclusion"}
SPEC = """
sweep: planned
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 4}
data: {mine: {source: rows.jsonl, holdout: 8}}
sizes: [4, 8]
seeds: 1
"""


@dataclass(frozen=True)
class Key:
    """A documented key: its path in parts, and what the page says of its type."""

    path: tuple[str, ...]
    type: str

    def matches(self, path: Sequence[str]) -> bool:
        """Is this the path? What stands in capitals is any name."""
        return len(path) == len(self.path) and all(
            mine == other or mine.isupper() for mine, other in zip(self.path, path, strict=True)
        )


def documented(heading: str) -> list[Key]:
    """The keys of the table below a heading."""
    (part,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \| [^|]+ \|$", part, re.MULTILINE)
    return [Key(tuple(split_path(name)), kind) for names, kind in rows for name in re.findall(r"`([^`]+)`", names)]


def split_path(name: str) -> list[str]:
    """`runs[].cell.KEY` -> runs, [], cell, KEY."""
    return name.replace("[]", ".[]").split(".")


def leaves(value: Any, path: tuple[str, ...], keys: Sequence[Key]) -> Iterator[tuple[str, ...]]:
    """The paths of all values; a value of a documented type of ours is one, once it has the keys of that type."""
    known = next((key for key in keys if key.matches(path)), None)
    if known and value is not None and (shape := shape_of(known.type)):
        check_shape(value, shape, path)
        yield path
    elif known and "any" in known.type:
        yield path
    elif isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name), keys)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from leaves(inner, (*path, "[]"), keys)
    else:
        yield path


def shape_of(kind: str) -> str | None:
    """The name of one of our types in what the page says."""
    name = re.sub(r"[\[\]]|\([^)]*\)", "", kind).partition(" or ")[0].partition(" with ")[0].strip()
    return name if name in SHAPES or name == "estimate" else None


def check_shape(value: Any, shape: str, path: tuple[str, ...]) -> None:
    if shape == "estimate":
        assert value.keys() == ESTIMATE, path
        return
    described = documented(shape.capitalize())
    for name, field_value in value.items():
        known = [key for key in described if key.matches((name,))]
        assert known, f"{'.'.join(path)}.{name} is not documented"
        if field_value is not None and (inner := shape_of(known[0].type)):
            check_shape(field_value, inner, (*path, name))
    missing = [key.path for key in described if "optional" not in key.type and key.path[0] not in value]
    assert missing == [], path


def check(heading: str, *documents: Any, unseen: Sequence[str] = ()) -> None:
    """All that is printed is documented, and all that is documented is printed by one of them.

    Where a list is empty in all of them, nothing is asked of what its entries would have; `unseen` names what else no
    fixture has.
    """
    described = documented(heading)
    printed = {leaf for document in documents for leaf in leaves(document, (), described)}
    strange = [".".join(path) for path in printed if not any(covers(key, path) for key in described)]
    assert strange == []
    missing = [key for key in described if "optional" not in key.type and not any(covers(key, at) for at in printed)]
    assert [name for key in missing if (name := ".".join(key.path)) not in unseen] == []


def covers(key: Key, path: Sequence[str]) -> bool:
    """The path is the key's, or stops above it since there is nothing: null, an empty list or object."""
    return key.matches(path) or (len(path) < len(key.path) and Key(key.path[: len(path)], "").matches(path))


# Sweeps of every kind, laid straight into the store.


def lay(
    store: Store, name: str, spec: dict[str, Json], cells: Cells, value: Callable[[dict[str, Json], int], float]
) -> None:
    """A finished sweep with these cells, three seeds each, and this value of the loss."""
    stages, runs = list[Stage](), list[Run]()
    for number, cell in enumerate(cells):
        for seed in range(3):
            label = f"{name}{number}s{seed}"
            stages += [train(label), evaluate(label, f"train-{label}")]
            runs.append(Run(cell, seed, f"train-{label}", {"nll": f"evaluate-{label}"}))
    question: Plan = plan(name, stages, runs)
    submit(store, submission(question, spec={"sweep": name, **spec}))
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    for place, run in enumerate(runs):
        pipe.hset(keys.sweep_values(name), f"{place}|nll", repr(value(dict(run.cell), run.seed)))
    for stage in stages:
        pipe.hset(keys.stage(stage.id), mapping={"state": "succeeded", "tokens": 1000, "micro_usd": 1000})
    pipe.execute()


def noisy(value: float, *seed: int) -> float:
    return float(value + np.random.default_rng(seed).normal(0, 0.002))


def lay_flat(store: Store, name: str) -> None:
    """Have every training of a sweep say that its loss did not move."""
    facts = {"method": "sl", "steps": 8, "window": 2, "first": 3.0, "last": 3.0, "step_sd": 0.0}
    for stage in read_stages(store, name):
        if stage.id.startswith("train-"):
            store.client.hset(keys.stage(stage.id), "result", json.dumps({"learning": facts}))


def lay_scaling(store: Store, name: str = "scaling") -> None:
    spec: dict[str, Json] = {"experiment": "data_scaling", "target": {"metric": "nll", "below": 1.5}}
    cells: Cells = [{"data": "code", "size": 2**power} for power in range(4, 12)]
    lay(store, name, spec, cells, lambda cell, seed: noisy(1 + 3 * float(str(cell["size"])) ** -0.3, seed, 1))


def lay_transfer(store: Store) -> None:
    names = (None, "a", "b", "c")
    cells: Cells = [
        {"source": source, "target": target, "size": size}
        for target in names[1:]
        for source in names
        if source != target
        for size in (0, 16, 64)
    ]

    def loss(cell: dict[str, Json], seed: int) -> float:
        helped = 0.1 if cell["source"] == "a" else 0.0
        return noisy(
            3 - 0.1 * np.log1p(float(str(cell["size"]))) - helped, seed, len(str(cell)), names.index(cell["target"])
        )

    lay(store, "transfer", {"experiment": "transfer"}, cells, loss)


def lay_grid(store: Store) -> None:
    spec: dict[str, Json] = {"experiment": "grid", "best": {"metric": "nll", "mode": "min"}}
    cells: Cells = [
        {"data": "mine", "train.rank": rank, "train.learning_rate": rate} for rank in (4, 8) for rate in (0.1, 0.2)
    ]
    lay(store, "grid", spec, cells, lambda cell, seed: noisy(2.0, seed, int(str(cell["train.rank"]))))


@pytest.fixture
def run(client: Client, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """A command, and the JSON that it prints."""
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWEEP_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(
        "scheduler.cli.console.options.check_server", lambda _client, _url: None
    )  # ours forgets on purpose
    monkeypatch.chdir(tmp_path)
    client.flushall()

    def call(*words: str) -> Any:
        done = CliRunner().invoke(command, ["-f", "json", *words])
        assert done.exit_code == 0 or words == ("doctor",), done.output  # which does not like our server
        return json.loads(done.stdout)

    return call


@pytest.mark.parametrize("heading", FIXED)
def test_fixed_keys_are_never_renamed(heading: str) -> None:
    assert {tuple(split_path(name)) for name in FIXED[heading]} <= {key.path for key in documented(heading)}


def test_the_keys_of_results_are_documented(night: Night, run: Callable[..., Any], tmp_path: Path) -> None:
    lay_scaling(night.store)
    lay_transfer(night.store)
    lay_grid(night.store)
    lay_comparison(night.store, Artefacts(str(tmp_path / "store")), {None: 0.1, "sl": 0.5, "rl": 0.6}, 3)
    lay_flat(night.store, "grid")
    special = {"data_scaling": ("scaling", "fits"), "transfer": ("transfer", "transfer"), "grid": ("grid", "best")}
    special["compare"] = ("s", "differences")
    documents: dict[str, Mapping[str, Any]] = {}
    for heading, (name, key) in special.items():
        documents[heading] = run("results", name)
        check(heading, {key: documents[heading][key]})
        assert documents[heading][key], heading
    check(
        "sweep results",
        *(
            {k: v for k, v in document.items() if k not in dict(special.values()).values()}
            for document in documents.values()
        ),
    )
    assert documents["compare"]["changes"]
    check("sweep samples", run("samples", "s"))
    assert documents["grid"]["learning"]


def test_results_digest_and_exports_say_the_same_conclusion(
    night: Night, run: Callable[..., Any], tmp_path: Path
) -> None:
    lay_scaling(night.store)
    lay_transfer(night.store)
    lay_grid(night.store)
    lay_comparison(night.store, Artefacts(str(tmp_path / "store")), {None: 0.1, "sl": 0.5, "rl": 0.6}, 3)
    for name in ("scaling", "transfer", "grid", "s"):
        conclusion = run("results", name)["conclusion"]
        assert run("digest", name)["conclusion"] == conclusion
        exported = run("export", name)
        assert exported["conclusion"] == conclusion
        assert [row["seed"] for row in exported["runs"]] == [row["seed"] for row in run("results", name)["runs"]]
        CliRunner().invoke(command, ["export", name, "--conclusion", "-o", str(tmp_path / "concluded.csv")])
        rows = list(csv.DictReader((tmp_path / "concluded.csv").read_text().splitlines()))
        for row, claim in zip(rows, [conclusion, *conclusion["others"]], strict=True):
            texts = {key: "" if value is None else str(value) for key, value in claim.items() if key != "others"}
            assert row == {"sweep": name, **texts, "caveats": json.dumps(claim["caveats"])}
        for words in (["results", name], ["digest", name]):
            lines = CliRunner().invoke(command, words, env={"COLUMNS": "1000"}).stdout.splitlines()
            assert conclusion["sentence"] in lines[: words.index(name) + (words[0] == "digest")]


def test_the_keys_of_sweeps_side_by_side_are_documented(night: Night, run: Callable[..., Any]) -> None:
    for name in ("scaling", "other"):
        lay_scaling(night.store, name)
    document = run("results", "--sweeps", "scaling,other")
    check("results --sweeps", document)
    assert [entry["sweeps"][1]["difference"].keys() for entry in document["conditions"]] == [ESTIMATE] * 8


def test_the_keys_of_a_plan_and_of_a_submission_are_documented(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(json.dumps({"text": f"row {number} of many"}) for number in range(40))
    )
    (tmp_path / "spec.yaml").write_text(SPEC)
    check("sweep plan", run("plan", "spec.yaml"))
    check("sweep submit, sweep evaluate", run("submit", "spec.yaml"))


def test_the_keys_of_the_other_commands_are_documented(night: Night, run: Callable[..., Any], tmp_path: Path) -> None:
    lay_scaling(night.store)
    night.submit(plan("one", [train("x"), evaluate("x", "train-x"), train("y"), train("z")]))
    night.fail(night.start("train-x", "one"))
    night.spread()
    night.start("train-y", "one")
    check("sweep list, sweep watch, sweep wait", run("list"), run("wait", "scaling"))
    lay_flat(night.store, "scaling")
    check("sweep status", run("status", "one"), run("status", "scaling"), unseen=())
    assert run("status", "scaling")["learning"]
    check("sweep costs", run("costs"))
    check("sweep events", run("events", "one"))
    check("sweep digest", run("digest", "one"))
    check("sweep doctor", run("doctor"))
    night.store.report_worker("w1", threads=1, busy=0, ttl=60)
    check("sweep health", run("health", "worker", "--anywhere"))
    check("sweep sizing", run("sizing"))
    check("sweep agents", run("agents"))
    check("sweep play", run("play", "offline:arithmetic", "--expert", "--episodes", "2"))
    check("sweep report, sweep export, sweep incident", run("report", "scaling", "-o", str(tmp_path / "r.html")))
    changed = [run("pause", "one"), run("resume", "one"), run("priority", "one", "3"), run("budget", "one", "5")]
    check("sweep budget, pause, resume, cancel, retry, priority", *changed, run("cancel", "one"), run("retry", "one"))


def test_the_keys_of_tokens_and_of_the_audit_log_are_documented(run: Callable[..., Any]) -> None:
    made = run(
        "token", "create", "laptop", "--scope", "submit", "--user", "ada", "--expires", "30d", "--budget", "20/day"
    )
    listed = run("token", "list")
    assert made["tokens"][0].keys() - listed["tokens"][0].keys() == {"secret"}
    assert listed["tokens"][0]["expires"] - listed["tokens"][0]["made"] == pytest.approx(30 * 86_400, abs=1)
    limited = run("token", "budget", "ada", "none/day", "300.5/month")
    assert [row["budget_usd"] for row in (*made["users"], *limited["users"])] == [20, None, 300.5]
    assert [row["budget_usd"] for row in run("costs")["users"]] == [None, 300.5]
    check("sweep token, sweep audit", made, listed, limited, run("token", "revoke", "laptop"), run("audit"))


def test_the_keys_of_a_comparison_with_the_service_are_documented(
    night: Night, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    night.submit(plan("one", [train("x")]))
    night.do("train-x", "one")
    night.store.client.zadd(keys.SWEEPS, {"one": 4e12})  # its clock is not that of the command
    night.store.client.hset(keys.stage("train-x"), "since", 1)
    session = {"session": "a", "status": None, "began": 1.0, "sweep": "one", "stage": "train-x", "attempt": "1"}
    answer = {"sessions": [{**session, "canary": "", "tokens": 3, "usd": 0.1}]}
    monkeypatch.setattr("scheduler.cli.upkeep.reconcile_sessions.ask_service", lambda *_: answer)
    printed = run("reconcile", "--offline")
    assert [row["booked"] - row["counted"] for row in printed["differences"]] == [COST - 3]
    check("sweep reconcile", printed)


def test_the_columns_of_an_export_are_documented(night: Night, run: Callable[..., Any], tmp_path: Path) -> None:
    lay_scaling(night.store)
    run("list")
    (part,) = re.findall(r"^## Exported tables\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(\w+)`", part)
    for words in ([], ["--curves"], ["--conclusion"]):
        CliRunner().invoke(
            command, ["export", "scaling", *words, "-o", str(tmp_path / "t.csv")], catch_exceptions=False
        )
        columns = (tmp_path / "t.csv").read_text().splitlines()[0].split(",")
        assert [name for name in columns if name not in ("data", "size", *named)] == []

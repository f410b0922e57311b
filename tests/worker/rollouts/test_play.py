"""`sweep play`: walk through an environment, what the checks find wrong with it, and demonstrations to train on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.cells import cell_len

from scheduler.cli import main
from scheduler.plugins.containment.sandbox import Sandbox, SandboxLimits
from scheduler.plugins.tokenizers import tokenizer_for
from scheduler.state import views
from sweeps.data.dataset import load_dataset
from sweeps.environments import Split
from sweeps.environments.environment_checks import EnvironmentCheck, check_environment
from sweeps.environments.expert_demos import collect_demonstrations
from sweeps.environments.trials import Trials, follow_expert
from sweeps.rendering.render import render_rows
from sweeps.spec.sections import DataSpec
from tests.repository import ROOT
from tests.terminals import run_in_terminal
from tests.worker.workshop import Workshop

PLAYED = "tests.worker.rollouts.played"
LIMITS = SandboxLimits(step=30, memory=2**31)
TRAINING = """
sweep: one
experiment: compare
model: offline/ngram-s
equal: {examples: 800}
methods:
  sl: {method: sl, data: demos, rank: 16, learning_rate: 0.05, batch_size: 16}
data: {demos: {source: demos.jsonl, holdout: 20}}
seeds: 1
evaluate: [{task_completion: {environment: "offline:arithmetic", episodes: 40}}]
"""


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def run(*words: str, typed: str = "", folder: Path = ROOT, form: str = "table") -> Done:
    """Run `sweep play` without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "-f", form, "play", *words],
        input=typed,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SWEEP_ENVIRONMENTS": str(ROOT), "SWEEP_STEP": "20"},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


WRONG = {  # what is found wrong with each environment, and what the line names
    "Raises": {"returns": "no such move"},
    "WrongReturn": {"returns": "a tuple"},
    "WrongExpert": {"returns": "a int"},
    "Mixture": {"returns": "seed 0"},
    "TooLong": {"shape": "20 of 20", "reward": "0 of 20"},
    "Clock": {"deterministic": "fact at of step 1"},
    "Stateful": {"deterministic": "prompt"},
    "Moving": {"deterministic": "fact a of step 1", "reward": "0 of 20"},
    "Shared": {"splits": "at least 10 of 200"},
    "Unsolved": {"reward": "0 of 20"},
}
NOTED = {"NoExpert": {"reward": "expert()"}, "TooShort": {"shape": "2 turns"}, "Narrow": {"shape": "3 characters"}}
FINE = ("Sums", "Chats")


class Sandboxes:
    """The stages of an environment, each in a process of its own, as the command opens them."""

    def __init__(self, name: str, closing: ExitStack) -> None:
        self._name, self._closing = name, closing

    def open(self, split: Split) -> Sandbox:
        return self._closing.enter_context(Sandbox(f"{PLAYED}:{self._name}", split=split, limits=LIMITS, folder=ROOT))


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def find(name: str, closing: ExitStack) -> dict[str, EnvironmentCheck]:
    return {check.check: check for check in check_environment(Sandboxes(name, closing).open)}


@pytest.mark.parametrize("name", [*WRONG, *NOTED, *FINE])
def test_each_check_finds_what_is_wrong_and_nothing_else(name: str, closing: ExitStack) -> None:
    results = find(name, closing)
    for verdict, expected in (("wrong", WRONG.get(name, {})), ("note", NOTED.get(name, {}))):
        assert {check for check, result in results.items() if result.verdict == verdict} == expected.keys(), results
        for check, value in expected.items():
            assert value in results[check].message
    assert ("returns" in WRONG.get(name, {})) == (len(results) == 1), "what depends on it is left out"


def test_an_expert_that_raises_costs_its_episode_and_is_named(closing: ExitStack) -> None:
    stage = Sandboxes("SometimesLost", closing).open("train")
    episodes = Trials(stage).play(dict.fromkeys(range(6), follow_expert))
    lost = {episode.seed: episode.lost for episode in episodes if episode.lost}
    assert {seed: "ValueError" in cause or "status 3" in cause for seed, cause in lost.items()} == {2: True, 4: True}
    assert all(f"step 2 of the episode of seed {seed}" in cause for seed, cause in lost.items())
    assert all(episode.solved for episode in episodes if not episode.lost), "the others go on in a new process"


def test_without_a_terminal_lines_are_actions_and_nothing_is_asked() -> None:
    done = run(f"{PLAYED}:Sums", "--seed", "3", "--episodes", "2", typed="no\n")
    assert (done.status, done.err) == (0, "")
    assert "action 1>" not in done.out
    assert "\x1b" not in done.out
    for line in ("action 1: no ", "reward 0, solved 0", "not over after 1 turn:", "ok     splits"):
        assert line in done.out


def test_a_program_gets_the_episode_the_checks_and_a_status() -> None:
    document = run(f"{PLAYED}:Sums", "--expert", "--split", "test", "--episodes", "4", form="json").document
    episode = document["episode"]
    assert (episode["reward"], episode["done"], episode["lost"], len(episode["steps"])) == (1.0, True, None, 2)
    assert episode["steps"][0]["observation"] == " sum="
    assert document["shape"]["turns"] == [2, 2]
    assert {check["verdict"] for check in document["checks"]} == {"ok"}
    broken = run(f"{PLAYED}:Raises", "--random", form="json")
    assert broken.status == 1
    assert "no such move" in broken.document["episode"]["lost"]
    assert "returns" in broken.err


@pytest.mark.parametrize(
    ("words", "status", "value"),
    [
        (("offline:tool_us", "--expert"), 1, "`offline:tool_use`"),
        ((f"{PLAYED}:WrongShape", "--expert"), 1, "(3, 1)"),
        (("no_such_module:Env", "--expert"), 1, "no_such_module"),
        (("offline:market", "--demos", "3"), 2, "-o"),
    ],
)
def test_what_cannot_be_played_is_refused(
    words: tuple[str, ...], status: int, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["play", *words])
    printed = capsys.readouterr()
    assert (done.value.code, printed.out) == (status, "")
    assert value in printed.err


@pytest.mark.parametrize(("columns", "second", "end"), [(60, "x\n", "over after 2"), (140, "\x04", "not over after 1")])
def test_a_person_plays_in_a_terminal(tmp_path: Path, columns: int, second: str, end: str) -> None:
    seen = run_in_terminal(
        ["play", f"{PLAYED}:Chats", "--seed", "5", "--episodes", "2"],
        columns=columns,
        environment={"SWEEP_ENVIRONMENTS": str(ROOT)},
        folder=tmp_path,
        typed=[("action 1> ", "5\n"), ("action 2> ", second)],
    )
    assert seen.status == 0
    assert max(map(cell_len, seen.lines)) <= columns
    assert "".join(seen.text.split()).count("長い文章") == 40
    assert "\x1b" not in seen.text
    assert "reward 0, solved 0" in seen.text
    assert f"the episode is {end} turn" in seen.text
    assert any(line.startswith("ok     deterministic") for line in seen.lines), "the checks follow"


@pytest.mark.parametrize(("name", "form"), [("Sums", "transcript"), ("Chats", "chat")])
def test_demonstrations_are_rows_of_which_the_actions_are_learnt(
    name: str, form: str, tmp_path: Path, closing: ExitStack
) -> None:
    target = tmp_path / "demos.jsonl"
    demos = collect_demonstrations(Trials(Sandboxes(name, closing).open("train")), 40)
    assert (len(demos.rows), demos.left_out) == (40, 0)
    target.write_text("".join(json.dumps(row) + "\n" for row in demos.rows))
    data = load_dataset("demos", DataSpec(source=str(target), holdout=8), folder=tmp_path, cache=tmp_path)
    assert (data.train.format, len(data.train), len(data.holdout)) == (form, 32, 8)
    tokenizer = tokenizer_for("offline/ngram-s")
    for row, examples in zip(
        data.train.rows,
        render_rows(data.train, tokenizer, loss_mask="each" if form == "chat" else "completion"),
        strict=True,
    ):
        if form == "transcript":
            acted = [part["text"] for part in row["parts"] if part["loss"]]
        else:
            acted = [message["content"] for message in row["messages"] if message["role"] == "assistant"][1:]
        learnt = "".join(tokenizer.decode(example.tokens[1:][example.weights > 0].tolist()) for example in examples)
        assert all(action in learnt for action in acted)
        assert len(learnt) <= len("".join(acted)) + 8 * len(acted), "and nothing but what ends them"


def test_a_model_learns_from_demonstrations(workshop: Workshop) -> None:
    target = workshop.folder / "demos.jsonl"
    done = run("offline:arithmetic", "--demos", "300", "-o", str(target), "--episodes", "2", form="json")
    assert (done.status, done.document["demos"]["rows"]) == (0, 300)
    plan = workshop.submit(TRAINING).plan
    for stage in plan.stages:
        if workshop.state(stage) == "ready":
            workshop.attempt(stage)
    before, after = views.read_results(workshop.store, "one")
    assert after.metrics["task_completion"] > before.metrics["task_completion"] + 0.3


def test_without_an_expert_there_are_no_demonstrations(tmp_path: Path, closing: ExitStack) -> None:
    done = run(f"{PLAYED}:NoExpert", "--demos", "4", "-o", str(tmp_path / "x.jsonl"), "--episodes", "2")
    assert done.status == 1
    assert "expert" in done.err
    assert not (tmp_path / "x.jsonl").exists()
    unsolved = collect_demonstrations(Trials(Sandboxes("Unsolved", closing).open("train")), 4)
    assert (unsolved.rows, unsolved.left_out) == ([], 64)


def test_demonstrations_are_different_and_what_is_left_out_is_counted(closing: ExitStack) -> None:
    demos = collect_demonstrations(Trials(Sandboxes("FewTasks", closing).open("train")), 500)
    assert (len(demos.rows), demos.left_out) == (3, 1997)

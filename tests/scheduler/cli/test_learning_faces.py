"""Trainings that may not have learnt are named wherever a person or a program looks at a sweep."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.notify.digest import build_digest
from scheduler.state import keys
from scheduler.state.training_facts import read_training_facts
from scheduler.state.views import read_results
from sweeps.stage import Run
from sweeps.training.learning_facts import collect_learning_facts
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, train
from tests.support import RedisServer

RL = {"method": "rl", "groups": 4, "group_size": 8, "temperature": 1.0}
ITERATIONS = [
    {"reward": 0.25 if some else 0.0, "num_learnt": 8 * some, "num_mixed": some, "num_lost": 0, "entropy": 1.0}
    for some in (1, 1, *[0] * 10)
]
ALIKE = collect_learning_facts(ITERATIONS, RL)
FACES = (
    ("results", "s"),
    ("status", "s"),
    ("watch", "s"),
    ("digest", "s"),
    ("report", "s", "--format", "md", "-o", "-"),
    ("report", "s", "-o", "-"),
)


@pytest.fixture
def say(night: Night, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Submit a sweep of two conditions, of which one never differs from iteration 3 on; return its commands."""
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWEEP_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    stages, runs = [], []
    for rank in (4, 8):
        for seed in range(2):
            name = f"r{rank}s{seed}"
            stages += [train(name), evaluate(name, f"train-{name}")]
            runs.append(Run({"train.rank": rank}, seed, f"train-{name}", {"nll": f"evaluate-{name}"}))
    night.submit(plan("s", stages, runs), spec={"experiment": "grid", "best": {"metric": "nll", "mode": "min"}})
    for stage in stages:
        night.do(stage.id, "s", {"nll": 2.0})
    for seed in range(2):
        night.store.client.hset(keys.stage(f"train-r8s{seed}"), "result", json.dumps({"learning": ALIKE}))

    def call(*words: str) -> str:
        done = CliRunner().invoke(command, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return call


@pytest.mark.parametrize("words", FACES, ids=" ".join)
def test_every_face_names_the_condition_its_seeds_and_the_iteration(say: Callable[..., str], words: tuple[str]) -> None:
    shown = " ".join(say(*words).replace("\\", "").split())
    for part in ("train.rank=8, seeds 0, 1", "from iteration 3 on", "group_size"):
        assert part in shown
    assert "train.rank=4, seed" not in shown


def test_programs_read_the_sign_and_its_numbers(say: Callable[..., str]) -> None:
    for words in (("results", "s"), ("status", "s")):
        signs: list[dict[str, Any]] = json.loads(say("-f", "json", *words))["learning"]
        assert [(sign["code"], sign["cell"], sign["seeds"]) for sign in signs] == [
            (code, {"train.rank": 8}, [0, 1]) for code in ("groups_alike", "reward_fell")
        ]
        assert signs[0]["facts"] == [ALIKE, ALIKE]
        assert signs[0]["stages"] == ["train-r8s0", "train-r8s1"]


@pytest.mark.usefixtures("say")
def test_the_digest_of_a_notice_has_the_sentence(night: Night) -> None:
    digest = build_digest(night.store, "s")
    assert len(digest.learning) == 1
    assert "from iteration 3 on" in digest.text


def test_a_training_that_runs_is_judged_by_its_progress(night: Night) -> None:
    stages = [train("a"), evaluate("a", "train-a")]
    night.submit(plan("s", stages, [Run({"x": 1}, 0, "train-a", {"nll": "evaluate-a"})]))
    night.start("train-a", "s")
    rows = read_results(night.store, "s")
    assert not read_training_facts(night.store, rows).facts
    night.store.client.hset(keys.stage("train-a"), "progress", json.dumps({"step": 12, "learning": ALIKE}))
    training_facts = read_training_facts(night.store, rows)
    assert dict(training_facts.facts) == {"train-a": ALIKE}
    assert training_facts.running == {"train-a"}

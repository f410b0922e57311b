"""RL resumes to the same bits, is metered to the token, and survives an environment that fails."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scheduler.artefacts import decode_rows
from scheduler.engine.tick import take_back
from scheduler.plugins.containment.sandbox import SandboxLimits
from scheduler.state import keys
from scheduler.state.costs import read_costs
from scheduler.state.stage_causes import read_causes
from sweeps.cost import Usage
from sweeps.training.rollouts import Rollout
from tests.support import read_log
from tests.worker.results import count_at_service, read_result, read_usage
from tests.worker.specs import LAG, PENALTY, RL_SPEC, submit_rl, train_the_first_of_two
from tests.worker.workshop import Workshop, same, tokens
from worker.held_lease import EndRequest, LeaseLost
from worker.outcome import Failed, Lost, Stopped, Succeeded
from worker.rollouts.play import EpisodePlayer, OpenTasks, RolloutTask

BY_TOKENS = ("steps: 6", "tokens: 2500")


@pytest.mark.parametrize(("at", "train"), [(2, LAG), (3, PENALTY)])
def test_stopped_and_resumed(workshop: Workshop, stops: list[EndRequest | LeaseLost], at: int, train: str) -> None:
    """With a lag, a resume trains on the rollouts played ahead; with a penalty, it keeps the same reference."""
    whole, parted = train_the_first_of_two(workshop, train)
    stops[:] = [EndRequest.NOTHING] * at + [EndRequest.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    assert tokens(workshop, parted) == tokens(workshop, whole)


@pytest.mark.parametrize("train", ["", LAG])
def test_killed_inside_a_rollout(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, train: str) -> None:
    whole, parted = train_the_first_of_two(workshop, train)
    answer, waves = EpisodePlayer._answer, iter(range(100))

    def until_lost(players: EpisodePlayer, *playing: object) -> None:
        if next(waves) == 7:
            raise LeaseLost(parted.id)
        answer(players, *playing)  # type: ignore[arg-type]

    monkeypatch.setattr(EpisodePlayer, "_answer", until_lost)
    assert isinstance(workshop.attempt(parted, "parted"), Lost)
    monkeypatch.setattr(EpisodePlayer, "_answer", answer)
    workshop.store.client.zadd(keys.state("running"), {parted.id: 0})
    assert take_back(workshop.store, stall=60) == 1
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)


@pytest.mark.parametrize("train", ["", LAG, PENALTY], ids=["plain", "lag", "penalty"])
def test_tokens_of_every_kind_are_those_that_the_service_counted(workshop: Workshop, train: str) -> None:
    plan = submit_rl(workshop, train=train, steps=3)
    assert isinstance(workshop.attempt(plan.stages[0]), Succeeded)
    assert read_usage(workshop, *plan.stages) == count_at_service(workshop)
    for kind in read_costs(workshop.store, "one").kinds:
        assert (kind.reserved, kind.unreconciled) == (0, 0)
        assert kind.low is not None
        assert kind.high is not None
        assert kind.low <= kind.metered <= kind.high <= 5 * kind.low


def test_as_many_iterations_as_come_nearest_to_so_many_tokens(
    workshop: Workshop, stops: list[EndRequest | LeaseLost]
) -> None:
    stages = {}
    for name in ("whole", "parted"):
        spec = RL_SPEC.replace("sweep: one", f"sweep: {name}").replace(*BY_TOKENS).replace("constant", "linear")
        stages[name] = workshop.submit(spec).plan.stages[0]
    whole, parted = stages.values()
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [EndRequest.NOTHING] * 3 + [EndRequest.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    rows = workshop.metrics(whole).splitlines()
    per_iteration = tokens(workshop, whole) / len(rows)
    assert abs(tokens(workshop, whole) - 2500) <= per_iteration
    assert whole.low_tokens <= tokens(workshop, whole) <= whole.tokens


@pytest.mark.parametrize("length", ["steps: 6", "tokens: 1250"])
def test_nothing_is_played_ahead_that_is_not_learnt_from(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    """What is played ahead may come nearest to the tokens by itself: then it is trained on all the same."""
    played: list[int] = []
    play, opened = EpisodePlayer.play, EpisodePlayer.open
    open_: set[int] = set()

    def playing(players: EpisodePlayer, tables: OpenTasks, *others: Any) -> list[list[Rollout]]:
        played.append(tables.rollouts[0][0].task.iteration)
        return play(players, tables, *others)

    def opening(players: EpisodePlayer, tasks: Sequence[RolloutTask], size: int) -> OpenTasks:
        open_.update(task.iteration for task in tasks)
        return opened(players, tasks, size)

    monkeypatch.setattr(EpisodePlayer, "play", playing)
    monkeypatch.setattr(EpisodePlayer, "open", opening)
    stage = workshop.submit(RL_SPEC.replace("steps: 6", length + LAG)).plan.stages[0]
    monkeypatch.setattr("worker.pipeline._continue_on_live_client", lambda *_: None)
    assert isinstance(workshop.attempt(stage), Succeeded)
    rows = workshop.metrics(stage).splitlines()
    assert played == list(range(len(rows)))
    if length.startswith("steps"):
        assert open_ == set(played), "money was wanted for what is never played"


BAD = """
import time
from sweeps.environments import EpisodeShape, Turn

class Bad:
    version, shape, stop = 1, EpisodeShape((1, 1), (1, 1)), ()

    def episode(self, seed, split):
        return Episode(seed % 12)

class Episode:
    prompt = "so: "

    def __init__(self, kind):
        self.kind = kind

    def step(self, action):
        match self.kind:
            case 0: raise ValueError("no such tool")
            case 1: return Turn("", float("nan"), True)
            case 2: return Turn("x" * 2_000_000, 0.0, False)
            case 3: time.sleep(3600)
        return Turn("", float(action in "aeiou"), True)
"""


def test_an_environment_that_misbehaves_costs_its_rollouts_and_is_named(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bad_trials.py").write_text(BAD)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    workshop.context.sandbox = SandboxLimits(step=0.5)
    spec = RL_SPEC.replace('"tests.worker.vowels:Vowels", rank', '"bad_trials:Bad", rank')
    plan = workshop.submit(spec.replace("groups: 2", "groups: 4")).plan
    assert isinstance(workshop.attempt(plan.stages[0]), Succeeded)
    rows: list[Any] = decode_rows(workshop.metrics(plan.stages[0]))
    assert {row["num_rollouts"] + row["num_lost"] for row in rows} == {16}
    assert 0 < sum(row["num_lost"] for row in rows) < 16 * len(rows) / 2
    events = [row["detail"] for row in read_log(workshop.store.client)]
    assert any("bad_trials:Bad" in line and "lost" in line for line in events)
    causes = read_causes(workshop.store, "one")
    assert {cause.kind for cause in causes} == {"environment"}
    assert sum(cause.lost or 0 for cause in causes) == sum(row["num_lost"] for row in rows)
    assert {cause.among for cause in causes} == {16 * len(rows)}
    line = BAD.partition("raise ValueError")[0].count("\n") + 1
    assert f"raised ValueError: no such tool (bad_trials.py, line {line})" in {cause.cause for cause in causes}


@pytest.mark.parametrize("groups", [4, 1])  # of 4: sixteen episodes, after which it is given up; of 1: all of them
def test_an_environment_that_always_breaks_ends_the_stage_with_its_name(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, groups: int
) -> None:
    (tmp_path / "worse_trials.py").write_text(BAD.replace("self.kind:", "0:"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    spec = RL_SPEC.replace('"tests.worker.vowels:Vowels", rank', '"worse_trials:Bad", rank')
    plan = workshop.submit(spec.replace("groups: 2", f"groups: {groups}")).plan
    outcome = workshop.attempt(plan.stages[0])
    assert isinstance(outcome, Failed)
    assert outcome.cause.startswith("worse_trials:Bad: ")
    assert "raised ValueError" in outcome.cause
    assert (outcome.cause.count("16") == 2) == (groups == 4)
    assert workshop.state(plan.stages[0]) == "failed"


CHATTY = '''
from sweeps.environments import EpisodeShape, Turn

class Chatty:
    """Asked twice, in messages; a vowel is what is wanted to hear."""
    version, shape, stop = 1, EpisodeShape((2, 2), (1, 4), (1, 20)), ()

    def episode(self, seed, split):
        return Chat(seed)

class Chat:
    def __init__(self, seed):
        self.prompt = [{"role": "user", "content": f"say {seed % 10}"}]
        self.turn = 0

    def step(self, action):
        self.turn += 1
        heard = float(any(letter in "aeiou" for letter in action)) / 2
        return Turn([{"role": "user", "content": "and again"}], heard, self.turn == 2)
'''


def test_what_speaks_in_messages_is_read_as_the_renderer_writes_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "chatty_trials.py").write_text(CHATTY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    plan = workshop.submit(RL_SPEC.replace("tests.worker.vowels:Vowels", "chatty_trials:Chatty")).plan
    assert isinstance(workshop.attempt(plan.stages[0]), Succeeded)
    assert read_usage(workshop, *plan.stages) == count_at_service(workshop)
    (first, *_) = decode_rows(workshop.artefacts.read(str(read_result(workshop, plan.stages[1])["items"])))
    assert re.fullmatch(
        r"User: say \d\n\nAssistant: .{1,4}?User: and again\n\nAssistant: .{1,4}", str(first["text"]), re.DOTALL
    )


def test_what_was_said_last_is_kept_for_people(workshop: Workshop) -> None:
    plan = submit_rl(workshop, steps=2)
    assert isinstance(workshop.attempt(plan.stages[0]), Succeeded)
    for stage, key in ((plan.stages[0], "rollouts"), (plan.stages[1], "items")):
        rows = decode_rows(workshop.artefacts.read(str(read_result(workshop, stage)[key])))
        assert all(" and " in str(row["text"]) for row in rows)
    assert len(rows) == 16


def test_what_the_service_had_in_its_cache_is_booked_as_that(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many tokens as without, and those that were found there at their own price."""
    used: list[Usage] = []
    answers: list[object] = []

    def hit(_call: str, answer: object, _prompt: int) -> int:
        answers.append(answer)
        return 1

    for name in ("cold", "warm"):
        (stage, *_) = submit_rl(workshop, name, PENALTY, steps=2).stages
        with monkeypatch.context() as patch:
            patch.setattr("worker.pipeline._continue_on_live_client", lambda *_: None)
            if name == "warm":
                patch.setattr("worker.sdk.sampler.read_hits", hit)
            assert isinstance(workshop.attempt(stage, name), Succeeded)
        used.append(Usage.read(read_result(workshop, stage)["usage"]))
    cold, warm = used
    assert warm.minus(cold) == Usage(prefill=-len(answers), cached_prefill=len(answers))


@pytest.mark.parametrize("train", ["", LAG], ids=["plain", "lag"])
def test_who_plays_is_who_is_trained_or_with_a_lag_that_one_a_step_before(workshop: Workshop, train: str) -> None:
    (stage, *_) = submit_rl(workshop, train=train, steps=4).stages
    assert isinstance(workshop.attempt(stage), Succeeded)
    rows: list[Any] = decode_rows(workshop.metrics(stage))
    apart = [abs(row["kl_sample_train"]) > 1e-4 for row in rows]
    assert apart == [False, *([bool(train)] * 3)]

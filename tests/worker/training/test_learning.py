"""What trainings against the real offline service say of themselves, where they can learn and where they cannot."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeps.analysis.learning_signs import judge_training
from sweeps.data.generated_preferences import generate_pairs
from sweeps.errors import SweepsError
from tests.worker.results import read_result
from tests.worker.specs import PENALTY, RL_SPEC
from tests.worker.workshop import Workshop
from worker.outcome import Succeeded

HOPELESS = """
from sweeps.environments import EpisodeShape, Turn

class Hopeless:
    version, shape, stop = 1, EpisodeShape((1, 3), (1, 8), (0, 4)), ("\\x01",)

    def episode(self, seed, split):
        return Episode(seed)

class Episode:
    def __init__(self, seed):
        self.prompt = f"{seed % 89}: "

    def step(self, action):
        return Turn(" no.", float("impossible" in action), False)
"""
SL = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: RATE, batch_size: 16, steps: 16}
data: {facts: {source: "offline:facts", holdout: 12}}
seeds: 1
reuse: sweep
"""
DPO = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: dpo, rank: 8, learning_rate: RATE, batch_size: 32, steps: 16}
data: {pairs: {source: pairs.jsonl, holdout: 12}}
seeds: 1
evaluate: [preference]
reuse: sweep
"""


FEW = 256  # pairs: before the training all of them are read by the model that it is held to


def read_facts(workshop: Workshop, spec: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Train the first stage of a spec, and return the numbers that its result keeps."""
    monkeypatch.setattr("worker.pipeline._continue_on_live_client", lambda *_: None)
    stages = workshop.submit(spec).plan.stages
    stage = next(stage for stage in stages if stage.kind == "train")
    for needed in (*(parent for parent in stages if parent.id in stage.parents), stage):
        assert isinstance(workshop.attempt(needed), Succeeded)
        workshop.spread()
    facts = read_result(workshop, stage)["learning"]
    assert isinstance(facts, dict)
    return facts


def test_a_reward_that_cannot_be_had_makes_no_step(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "hopeless_trials.py").write_text(HOPELESS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    spec = RL_SPEC.replace("tests.worker.vowels:Vowels", "hopeless_trials:Hopeless").replace("steps: 6", "steps: 10")
    facts = read_facts(workshop, spec, monkeypatch)
    assert (facts["steps"], facts["mixed_iterations"], facts["reward_after"]) == (10, 0, 0.0)
    assert (facts["cut_turns"], facts["unfinished"]) == (1.0, 1.0)
    assert judge_training(facts) == ["no_group_differed", "actions_cut", "episodes_unfinished"]


def test_episodes_without_chance_are_all_alike(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = read_facts(workshop, RL_SPEC.replace("group_size: 4}", "group_size: 4, temperature: 0.0001}"), monkeypatch)
    assert facts["mixed_groups"] == 0.0
    assert facts["temperature"] == 0.0001
    assert judge_training(facts)[0] == "no_group_differed"


def test_a_reward_that_can_be_learnt_shows_no_sign(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = read_facts(
        workshop, RL_SPEC.replace("steps: 6", "steps: 20").replace("groups: 2", "groups: 4"), monkeypatch
    )
    assert facts["mixed_iterations"] > 10
    assert facts["last"] > facts["first"]
    assert judge_training(facts) == []


@pytest.mark.parametrize(("rate", "codes"), [("1e-9", ["barely_moved"]), ("0.02", [])])
def test_a_rate_so_small_that_the_loss_does_not_move(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, rate: str, codes: list[str]
) -> None:
    assert judge_training(read_facts(workshop, SL.replace("RATE", rate), monkeypatch)) == codes


@pytest.mark.parametrize(("rate", "codes"), [("1e-9", ["barely_moved"]), ("1e-5", ["loss_flat"]), ("0.02", [])])
def test_preferences_that_hardly_move(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, rate: str, codes: list[str]
) -> None:
    pairs = generate_pairs("preferences").train[:FEW]
    (workshop.folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    assert judge_training(read_facts(workshop, DPO.replace("RATE", rate), monkeypatch)) == codes


@pytest.mark.parametrize(
    "row",
    [
        '{"prompt": "what?", "completion": ""}',
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]}',
    ],
)
def test_rows_without_anything_to_learn_are_refused_before_they_cost(
    workshop: Workshop, tmp_path: Path, row: str
) -> None:
    (tmp_path / "mute.jsonl").write_text(f"{row}\n" * 40)
    spec = SL.replace('"offline:facts"', f'"{tmp_path / "mute.jsonl"}"').replace("RATE", "0.02")
    with pytest.raises(SweepsError):
        workshop.submit(spec)


def test_a_penalty_says_how_far_the_model_moved(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RL_SPEC.replace("groups: 2, group_size: 4}", f"groups: 4, group_size: 4{PENALTY}}}")
    facts = read_facts(workshop, spec, monkeypatch)
    assert 0 < facts["kl_start"] < 1

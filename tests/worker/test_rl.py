"""RL learns what is rewarded, and nothing from chance; stopped anywhere it goes on to the same bits."""

import json

import pytest

from scheduler import keys
from sweeps.stage import Json, Plan, Stage
from tests.worker.workshop import Workshop, same, tokens
from worker.leases import Asked, LeaseLost
from worker.outcome import Stopped, Succeeded

SPEC = """
sweep: one
experiment: grid
model: offline/ngram-m
train:
  {method: rl, environment: "offline:tool_use", rank: 8, learning_rate: 0.03, schedule: constant, steps: 6,
   groups: 4, group_size: 4}
seeds: 1
evaluate: [{task_completion: {environment: "offline:tool_use", episodes: 20}}]
checkpoint: {every_steps: 2}
reuse: sweep
"""


def submitted(workshop: Workshop, name: str = "one", *, spec: str = SPEC, train: str = "") -> Plan:
    text = spec.replace("sweep: one", f"sweep: {name}").replace("group_size: 4}", f"group_size: 4{train}}}")
    return workshop.submit(text).plan


def result(workshop: Workshop, stage: Stage) -> dict[str, Json]:
    found: dict[str, Json] = json.loads(workshop.store.client.hget(keys.stage(stage.id), "result") or "{}")
    return found


@pytest.mark.parametrize("how", ["", ", lag: 1", ", kl_penalty: 0.1, substeps: 2"])
@pytest.mark.parametrize("at", [0, 1, 2, 3, 5])
def test_stopped_and_resumed(workshop: Workshop, stops: list[Asked | LeaseLost], at: int, how: str) -> None:
    whole, parted = (submitted(workshop, name, train=how).stages[0] for name in ("whole", "parted"))
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [Asked.NOTHING] * at + [Asked.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    assert tokens(workshop, parted) == tokens(workshop, whole)

"""Several roles in one environment: each learns from what it earns itself, with the same weights."""

import json

import numpy as np
import pytest

from scheduler.state import views
from sweeps.training.rollouts import Rollout, compare_roles, select_informative, weigh_tokens
from tests.worker.workshop import Workshop

SPEC = """
sweep: one
experiment: compare
model: offline/ngram-s
equal: {examples: 160}
methods:
  rl: {method: rl, environment: "tests.worker.dialogue:Dialogue", rank: 8, learning_rate: 0.05, schedule: constant,
       groups: 8, group_size: 8}
seeds: 1
evaluate: [{task_completion: {environment: "tests.worker.dialogue:Dialogue", episodes: 100}}]
metrics: [{episode.reward_asker: max}, {episode.reward_answerer: max}]
"""


def speak(asker: float, answerer: float, *, own: tuple[int, int] = (2, 1)) -> Rollout:
    """An episode of two tokens read, then the tokens of each role with one token between them."""
    acted = np.array([False] + [True] * own[0] + [False] + [True] * own[1])
    return Rollout(
        tokens=np.arange(len(acted) + 1, dtype=np.int32),
        acted=acted,
        logprobs=np.zeros(len(acted), np.float32),
        reward=0.0,
        turns=2,
        facts={"reward_asker": asker, "reward_answerer": answerer},
        spoken=(("asker", own[0]), ("answerer", own[1])),
    )


def test_each_token_has_the_advantage_of_who_said_it() -> None:
    """By hand: .5 above and below the mean of the asker, .2 of who answers; six tokens are the model's own."""
    group = [speak(1.0, 0.1), speak(0.0, 0.5)]
    first, second = (weights.tolist() for weights in weigh_tokens([group]))
    assert first == pytest.approx([0, 0.5 / 6, 0.5 / 6, 0, -0.2 / 6])
    assert second == pytest.approx([0, -0.5 / 6, -0.5 / 6, 0, 0.2 / 6])


def test_a_role_that_earns_the_same_everywhere_is_taught_nothing() -> None:
    group = [speak(1.0, 0.3), speak(0.0, 0.3)]
    assert [[*advantages] for advantages in compare_roles(group)] == [["asker"]] * 2
    assert [weights.tolist()[-1] for weights in weigh_tokens([group])] == [0, 0]
    assert select_informative([group, [speak(1.0, 0.3)] * 2]) == [group]


def test_a_role_is_compared_among_the_rollouts_in_which_it_acts() -> None:
    alone = Rollout(
        np.arange(3, dtype=np.int32), np.array([False, True]), np.zeros(2, np.float32), 0.0, 1,
        {"reward_asker": 0.6}, spoken=(("asker", 1),),
    )  # fmt: skip
    advantages = compare_roles([speak(0.0, 0.2), speak(0.3, 0.4), alone])
    assert [by_role.get("asker") for by_role in advantages] == pytest.approx([-0.3, 0.0, 0.3])
    assert [by_role.get("answerer") for by_role in advantages] == pytest.approx([-0.1, 0.1, None])


def test_a_role_of_which_nothing_is_said_earns_the_reward_and_rollouts_are_read_back() -> None:
    whole = Rollout(
        np.arange(3, dtype=np.int32), np.array([True, True]), np.zeros(2, np.float32), 2.0, 2,
        {"reward_asker": 1.0}, spoken=(("asker", 1), ("critic", 1)), regime="hard",
    )  # fmt: skip
    assert whole.rewards == {"asker": 1.0, "critic": 2.0}
    again = Rollout.read(json.loads(json.dumps(whole.document())))
    assert (again.spoken, again.regime, again.speakers) == (whole.spoken, "hard", ["asker", "critic"])
    bare = Rollout(np.arange(3, dtype=np.int32), np.array([True, True]), np.zeros(2, np.float32), 2.0, 1)
    assert (bare.rewards, bare.speakers) == ({"": 2.0}, ["", ""])
    assert not {"spoken", "regime"} & {*bare.document()}, "what is kept of other episodes stays as it was"


def test_both_roles_learn_from_their_own_rewards_though_the_whole_earns_nothing(workshop: Workshop) -> None:
    plan = workshop.submit(SPEC).plan
    for stage in plan.stages:
        if workshop.state(stage) == "ready":
            workshop.attempt(stage)
    before, after = (row.metrics for row in views.read_results(workshop.store, "one"))
    assert before["reward"] == after["reward"] == 0
    assert after["episode.reward_asker"] > before["episode.reward_asker"] + 0.2
    assert after["episode.reward_answerer"] > before["episode.reward_answerer"] + 0.05
    curve = [json.loads(line) for line in workshop.metrics(plan.stages[-2]).splitlines()]
    assert curve[-1]["episode.reward_asker"] > curve[0]["episode.reward_asker"]
    assert curve[0]["num_mixed"] > 0

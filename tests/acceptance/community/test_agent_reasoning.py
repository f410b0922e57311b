"""The example `agent_reasoning`: rewards teach the recovery that its logs lack, and a coin teaches nothing."""

import json

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT, import_module
from tests.acceptance.community.example_results import find_difference, read_means
from tests.acceptance.community.example_runs import EXAMPLES, run_example

NAME = "agent_reasoning"


def test_no_order_is_both_trained_and_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = import_module(monkeypatch, NAME, "environment").Desk()
    orders = {split: {desk.episode(seed, split).order for seed in range(2_000)} for split in ("train", "test")}
    assert len(orders["test"]) > 300
    assert not orders["train"] & orders["test"]
    chats = [json.loads(line)["messages"] for line in (EXAMPLES / NAME / "logs.jsonl").read_text().splitlines()]
    assert not {chat[0]["content"].split()[1] for chat in chats} & orders["test"]


def test_the_logs_recover_by_chance_and_know_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is planted: 5 of 9 failures are got over in time, and every order without a failure is completed."""
    errors = import_module(monkeypatch, NAME, "environment").CURES
    chats = [json.loads(line)["messages"] for line in (EXAMPLES / NAME / "logs.jsonl").read_text().splitlines()]
    done = {failed: [0, 0] for failed in (False, True)}
    for chat in chats:
        counts = done[chat[2]["content"] in errors]
        counts[0] += chat[-1]["content"].startswith(("refund", "resend"))
        counts[1] += 1
    assert done[False][0] == done[False][1] > 250
    assert done[True][0] / done[True][1] == pytest.approx(5 / 9, abs=0.05)


def test_an_expert_completes_every_order_with_the_fewest_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = import_module(monkeypatch, NAME, "environment").Desk()
    for seed in range(300):
        job, done = desk.episode(seed, "test"), False
        while not done:
            turn = job.step(job.expert())
            done = turn.done
        assert turn.facts["solved"] == turn.reward == 1
        assert turn.facts["calls"] == turn.facts["fewest_calls"]


@IN_SHORT
def test_imitation_learns_the_calls_and_rewards_alone_do_not(desk: Desk) -> None:
    """Reduced: no try of the untrained model earns anything, so rewards alone are stuck, and the answer says so."""
    evaluate = 'evaluate=[task_completion: {environment: "environment:Desk", episodes: 30, attempts: 2}]'
    shared = "rank: 16, learning_rate"
    sl = f"sl: {{method: sl, data: logs, {shared}: 0.02, batch_size: 8}}"
    rl = f'rl: {{method: rl, environment: "environment:Desk", {shared}: 0.015, groups: 8, group_size: 8}}'
    short = (
        *("equal.tokens=100000", "seeds=3"),
        evaluate,
        "metrics=[task_completion, recovery_rate]",
        f"methods={{{sl}, {rl}}}",
    )
    results = run_example(desk, NAME, *short)
    conclusion, means = results["conclusion"], read_means(results, "task_completion")
    assert conclusion["claim"] == "better"
    assert conclusion["against"] == "untrained"
    assert [claim["subject"] for claim in conclusion["others"] if claim["claim"] == "not_trained"] == ["rl"]
    assert conclusion["sentence"].startswith("sl ")
    assert conclusion["low"] > 0
    assert means["rl"] == means[None] == 0
    assert {sign["cell"]["method"] for sign in results["learning"] if sign["code"] == "no_group_differed"} == {"rl"}


@IN_FULL
def test_rewards_after_imitation_teach_the_recovery_that_the_logs_lack(desk: Desk) -> None:
    results = run_example(desk, NAME)
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"], conclusion["against"]) == ("better", "task_completion", "sl")
    assert conclusion["sentence"].startswith("sl_then_rl")
    assert conclusion["low"] > 0
    lost = [claim["subject"] for claim in conclusion["others"] if claim["claim"] == "not_trained"]
    assert lost == ["rl"], "rewards alone had nothing to learn from"
    for metric in ("recovery_rate", "task_pass_hat_k"):
        difference = find_difference(results, metric, "sl_then_rl", "sl")
        assert difference["mean"] > 0.1
        assert difference["after_holm"], metric

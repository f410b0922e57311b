"""The example `agent_reasoning`: rewards teach the recovery that its logs lack, and a coin teaches nothing."""

import json

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import FALSE_CLAIMS, IN_FULL, IN_SHORT, NULL_RUNS, import_module
from tests.acceptance.community.example_runs import EXAMPLES, run_example

NAME = "agent_reasoning"
COIN = "methods.rl.environment=environment:CoinDesk"


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
def test_too_few_tokens_teach_nothing_and_the_answer_says_so(desk: Desk) -> None:
    """A reduced form: what is measured, over which seeds, and that rewards alone never differed."""
    results = run_example(
        desk,
        NAME,
        "equal.tokens=24000",
        "seeds=2",
        'evaluate=[task_completion: {environment: "environment:Desk", episodes: 20, attempts: 2}]',
        "metrics=[task_completion, recovery_rate]",
    )
    conclusion = results["conclusion"]
    assert conclusion["metric"] == "task_completion"
    assert conclusion["claim"] in ("nothing_learnt", "not_judged", "no_clear_difference")
    assert any(sign["code"] == "no_group_differed" for sign in results["learning"])


@IN_FULL
def test_rewards_after_imitation_teach_the_recovery_that_the_logs_lack(desk: Desk) -> None:
    results = run_example(desk, NAME, wait=1_500)
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["against"]) == ("better", "sl")
    assert conclusion["sentence"].startswith("sl_then_rl")
    assert conclusion["low"] > 0.05


@IN_FULL
def test_a_coin_teaches_nothing(desk: Desk) -> None:
    claims = 0
    for run in range(NULL_RUNS):
        own = Desk(desk.folder / str(run))
        own.folder.mkdir()
        seeds = f"seeds=[{2 * run}, {2 * run + 1}]"
        conclusion = run_example(own, NAME, COIN, seeds, wait=1_500)["conclusion"]
        claims += conclusion["claim"] == "better" and conclusion["sentence"].startswith("sl_then_rl")
    assert claims <= FALSE_CLAIMS

"""What a night may cost, and where the money went: as a person asks, and changes, it."""

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.plan import print_summary
from tests.acceptance.command import Desk, Said
from tests.scheduler.plans import plan, train

FILE = """
sweep: small
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 4, batch_size: 4, steps: 3, learning_rate: 0.01}
data: {mine: {source: mine.jsonl, holdout: 4}}
seeds: 2
"""
DEAR = '{model: offline/ngram-s, train: 4, prefill: 1, source: "my contract", date: 2026-01-02}'
UNKNOWN = '{model: offline/ngram-s, prefill: 1, source: "a rumour", date: 2026-01-02}'


@pytest.fixture
def file(desk: Desk) -> str:
    desk.write("mine.jsonl", "".join(json.dumps({"text": f"line {n} of the text"}) + "\n" for n in range(24)))
    return str(desk.write("small.yaml", FILE))


def costs(desk: Desk, *names: str) -> dict[str, Any]:
    return desk.call("-f", "json", "costs", *names).json


def refused(output: Said, *parts: str, status: int = 1) -> None:
    assert (output.status, output.out) == (status, "")
    assert "Traceback" not in output.err
    for part in parts:
        assert part in output.err, output.err


def test_prices_of_ones_own_take_the_place_of_ours_and_the_plan_says_so(desk: Desk, file: str) -> None:
    ours = desk.call("-f", "json", "plan", file).json["totals"]
    mine = str(desk.write("mine.yaml", f"prices: [{DEAR}]"))
    theirs = desk.call("-f", "json", "plan", file, SWEEP_PRICES=mine).json["totals"]
    assert theirs["usd"] == pytest.approx(10 * ours["usd"], rel=0.02)
    assert (theirs["low_usd"], theirs["low_tokens"]) == (theirs["usd"], theirs["tokens"])
    assert theirs["price_dates"] == ["2026-01-02", "2026-01-02"]
    output = desk.call("plan", file, SWEEP_PRICES=mine).out
    assert re.search(r"offline/ngram-s .*2026-01-02 \(my contract\)", output)
    assert "per GB" not in output, "checkpoints of an offline model cost nothing at Tinker"


def test_what_lacks_a_price_runs_under_no_limit(desk: Desk, file: str) -> None:
    """A row may know what sampling costs and not what training does: then a plan has no estimate."""
    book = str(desk.write("mine.yaml", f"prices: [{UNKNOWN}]"))
    assert desk.call("-f", "json", "plan", file, SWEEP_PRICES=book).json["totals"]["usd"] is None
    refused(
        desk.call("plan", file, "budget.usd=1", SWEEP_PRICES=book), "offline/ngram-s", "mine.yaml", "complete the row"
    )
    limits = {"SWEEP_PRICES": book, "SWEEP_DAY_BUDGET": "5"}
    refused(desk.call("submit", file, **limits), "SWEEP_DAY_BUDGET", "offline/ngram-s", "mine.yaml")
    refused(desk.call("plan", file, SWEEP_DAY_BUDGET="lots"), "SWEEP_DAY_BUDGET", "lots")
    refused(
        desk.call("plan", file, SWEEP_PRICES=str(desk.write("bad.yaml", "prices: [{model: m}]"))), "bad.yaml", "source"
    )


def test_a_budget_can_be_raised_and_lowered_and_costs_says_where_the_money_is(quiet_desk: Desk, file: str) -> None:
    planned = quiet_desk.call("-f", "json", "plan", file).json["totals"]
    assert quiet_desk.call("submit", file, "budget.usd=1").status == 0
    assert costs(quiet_desk)["sweeps"] == costs(quiet_desk, "small")["sweeps"]
    (sweep_costs,) = costs(quiet_desk)["sweeps"]
    assert sweep_costs["budget_usd"] == 1
    for bound in ("low_usd", "high_usd"):
        assert sum(kind[bound] for kind in sweep_costs["kinds"]) == pytest.approx(planned["usd"])
    assert [kind["spent_usd"] for kind in sweep_costs["kinds"]] == [0, 0]
    assert "$2.50" in quiet_desk.call("budget", "small", "2.50").out
    assert costs(quiet_desk)["sweeps"][0]["budget_usd"] == 2.5
    assert quiet_desk.call("-f", "json", "budget", "small", "0").json == {
        "sweeps": [{"sweep": "small", "budget_usd": 0.0}]
    }
    (entry,) = costs(quiet_desk)["sweeps"]
    assert entry["budget_usd"] == 0
    assert entry["kinds"], "else nothing was counted"
    assert {kind[key] for kind in entry["kinds"] for key in ("spent_usd", "reserved_usd")} == {0}
    refused(quiet_desk.call("budget", "nobody", "3"), "nobody", "small")
    refused(quiet_desk.call("costs", "nobody"), "nobody")
    refused(quiet_desk.call("budget", "small", "much"), "much", "12.50", status=2)
    refused(quiet_desk.call("budget", "small", "nan"), "nan", status=2)


def test_a_plan_whose_cost_is_not_known_beforehand_says_low_and_high() -> None:
    """As that of what samples until it is done: the high estimate is the one that is reserved."""
    console = Console(file=io.StringIO(), width=200)
    print_summary(Output("table", console), plan("s", [train("a", cost=3_000_000, low=1_000_000)]))
    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert "1,000,000 to 3,000,000 tokens, $1.00 to $3.00" in output

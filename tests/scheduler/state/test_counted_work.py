"""What a stage and a tick ask of Redis, counted: a guard for speed that no busy machine disturbs.

`make bench` has the seconds. A bar here is what the code needs now; whoever must raise one says why beside it.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from scheduler.state.scripts import build_script, link, load_verbs, wrap_verb
from scheduler.state.states import StageState
from scheduler.state.store import Meter, Renewal
from tests.scheduler.night import LEASE, Fleet, Night
from tests.scheduler.plans import COST, single
from tests.support import RedisServer

SUCCEEDED = '{"metrics":{"nll":1.0}}'
TRANSITIONS = 3  # round trips: claim, progress, settlement
INSIDE = 109  # commands that these three run within the server: all laws on
TICK = (16, 46)  # round trips and commands of a tick that finds nothing


def count_work(night: Night, action: Callable[[], object]) -> tuple[int, int]:
    """Count the round trips of an action, and the commands that the server ran for it."""
    client: Any = night.store.client
    client.config_resetstat()
    action()
    trips = int(client.info("stats")["total_reads_processed"]) - 1  # that question is one
    asked = ("info", "config")
    calls = {name: row["calls"] for name, row in client.info("commandstats").items() if not name[8:].startswith(asked)}
    return trips, sum(calls.values())


def test_a_stage_takes_three_round_trips_from_its_claim_to_its_end(night: Night) -> None:
    night.submit(single("s", 5))
    night.do("train-0000", "s")  # scripts are loaded at their first use
    night.store.report_progress(night.start("train-0001", "s"), Meter(1, 1), {"step": 1})
    sent = night.store.dispatch("train-0002", sweep="s", patience=60)
    assert sent.attempt

    def perform() -> None:
        lease = night.store.claim("train-0002", attempt=sent.attempt, worker="w1", lease=LEASE)
        assert lease is not None
        assert night.store.report_progress(lease, Meter(1, 1), {"step": 5, "nll": 1.0})
        done = night.store.settle(
            lease, Meter(COST, COST), StageState.SUCCEEDED, cost="exact", result=SUCCEEDED, cause=""
        )
        assert done

    trips, commands = count_work(night, perform)
    assert trips == TRANSITIONS
    assert commands <= INSIDE


def test_a_script_has_what_its_verb_uses_and_nothing_else() -> None:
    """The server runs a whole script at every call: all preludes took it longer than most verbs do."""
    for name, body in load_verbs().items():
        linked = link(wrap_verb(name, body))
        users = [*(definition.words for definition in linked), {*re.findall(r"\w+", wrap_verb(name, body))}]
        for place, definition in enumerate(linked):
            assert any(definition.names & words for words in users[place + 1 :]), f"{name}: {definition.names}"
    assert len(link(wrap_verb("report_progress", load_verbs()["report_progress"]))) <= 45
    assert "BREAKER_MOVES" not in build_script("settle_stage", load_verbs()["settle_stage"])


def test_all_leases_of_a_worker_are_renewed_in_one_round_trip(night: Night) -> None:
    night.submit(single("s", 40))
    leases = [night.start(f"train-{number:04d}", "s") for number in range(40)]
    renewals = [Renewal(lease, 0.0) for lease in leases]
    night.store.renew(renewals, lease=LEASE)
    trips, commands = count_work(night, lambda: night.store.renew(renewals, lease=LEASE))
    assert trips == 1
    few, fewer = count_work(night, lambda: night.store.renew(renewals[:20], lease=LEASE))
    assert (few, commands < 2.2 * fewer) == (1, True), "it grows with the leases, and no faster"


@pytest.mark.parametrize("waiting", [50, 1_000])
def test_a_tick_that_finds_nothing_asks_as_much_whatever_waits(night: Night, redis: RedisServer, waiting: int) -> None:
    fleet = Fleet(night, redis.url, threads=2)
    night.submit(single("s", waiting))
    while not fleet.tick(slots=1).idle:
        fleet.claim_all()
    asked = count_work(night, lambda: fleet.tick(slots=1))
    fleet.nudges.close()
    assert asked == TICK

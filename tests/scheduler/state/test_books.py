"""Books that may lack writes are closed: nothing starts and nothing is forgotten until they are compared."""

import json
from collections.abc import Callable

import pytest

from scheduler.cli.status import make_status_document
from scheduler.notify.digest import build_digest
from scheduler.settings import read_settings
from scheduler.state import keys, views
from scheduler.state.server.failover import ServerWatch, close_books, read_books, read_lost_sessions
from scheduler.state.states import StageState
from scheduler.state.store import Meter
from scheduler.waiting_reasons import format_clock
from sweeps.formatting import format_usd
from tests.scheduler.night import LEASE, PATIENCE, Night
from tests.scheduler.plans import COST, evaluate, plan, single, train
from tests.scheduler.seen import LANE
from tests.wording import lacks

STAGE = "train-0000"
POOL = "offline/training"


def lose_writes(night: Night) -> None:
    """Another server took over: these books are another one's."""
    assert not ServerWatch().look(night.store)
    night.store.client.hset(keys.BOOKS, "run", "0" * 40)


def reopen(night: Night, *untold: str, listed: int = 0) -> bool:
    books = read_books(night.store)
    return bool(night.store.scripts.run("reopen_books", books.run, books.asked, listed or night.clock(), *untold))


def settle(night: Night, attempt: str, tokens: int) -> None:
    assert night.store.scripts.run("reconcile_cost", attempt, json.dumps({"training": tokens}))


def book(night: Night, attempt: int, *, stage: str = STAGE, sweep: str = "s") -> str:
    return str(night.store.scripts.run("book_lost_attempt", stage, attempt, sweep, night.clock()))


def test_books_that_another_server_has_are_closed_at_once_and_open_once_compared(night: Night) -> None:
    night.submit(single("s", 1))
    lose_writes(night)
    assert read_books(night.store).closed, "before any process has looked"
    assert night.store.dispatch(STAGE, sweep="s", patience=PATIENCE).refused == "books"
    night.clock.pass_seconds(5)
    watch = ServerWatch()
    assert watch.look(night.store)
    books = read_books(night.store)
    assert (books.closed - books.since, books.cause != "") == (5000, True)
    night.clock.pass_seconds(5)
    assert watch.look(night.store)
    assert read_books(night.store).asked == books.asked, "one closing"
    assert reopen(night)
    assert not watch.look(night.store)
    assert read_books(night.store).closed == 0
    assert night.store.dispatch(STAGE, sweep="s", patience=PATIENCE).attempt == 1


def test_status_and_digest_say_since_when_they_are_closed_and_what_is_uncertain(night: Night) -> None:
    night.submit(single("s", 1))
    lose_writes(night)
    ServerWatch().look(night.store)
    settings = read_settings({})
    document = make_status_document(night.store, settings, [views.read_sweep(night.store, "s")], "s")
    assert document["sweeps"][0]["gate"] == "books"
    assert document["books"]["closed_at"] == night.clock() / 1000
    assert build_digest(night.store, "s").parked == 1
    book(night, 2)
    assert reopen(night)
    books = make_status_document(night.store, settings, [], "s")["books"]
    assert (books["closed_at"], books["uncertain_usd"], books["uncertain_attempts"]) == (None, COST / 1e6, 1)
    assert not lacks(build_digest(night.store, "s").books, f"{format_usd(COST)} {format_clock(night.clock())}")


def test_what_is_asked_again_meanwhile_is_compared_again(night: Night) -> None:
    lose_writes(night)
    ServerWatch().look(night.store)
    books = read_books(night.store)
    night.clock.pass_seconds(1)
    night.store.scripts.run("check_books", "f" * 40)  # a process that comes from the old server
    assert not night.store.scripts.run("reopen_books", books.run, books.asked, night.clock())
    assert reopen(night)
    assert not night.store.scripts.run("reopen_books", "f" * 40, "", night.clock())
    night.clock.pass_seconds(60)
    assert night.store.scripts.run("check_books", "f" * 40)[1] == 1
    assert read_books(night.store).since == night.clock() - 60_000, "since the last comparison"


def test_our_own_server_that_was_started_again_is_known(night: Night) -> None:
    watch = ServerWatch()
    watch.look(night.store)
    run = read_books(night.store).run
    night.store.client.hset(keys.BOOKS, "before", "0" * 40)
    assert night.store.scripts.run("check_books", "0" * 40) == [run, 0]


def test_a_claim_that_may_be_lost_is_unreconciled_and_no_message_brings_it_back(night: Night) -> None:
    night.submit(single("s", 1))
    sent = night.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    lose_writes(night)
    close_books(night.store, "restored")
    assert night.store.claim(STAGE, attempt=sent.attempt, worker="w1", lease=LEASE) is None
    assert not reopen(night)
    night.spread()
    assert night.state(STAGE) == "ready"
    assert night.money("s") == (0, 0, COST)
    assert reopen(night)
    assert (read_books(night.store).attempts, read_books(night.store).doubtful) == (1, COST)
    settle(night, f"{STAGE}|1", 300)
    assert night.money("s") == (300, 0, 0)
    assert read_books(night.store).attempts == 0
    assert night.start(STAGE, "s").fence
    assert night.store.client.hget(keys.stage(STAGE), "attempt") == "2"


def test_an_attempt_of_which_the_books_know_nothing_is_booked_once_and_its_number_is_not_used_again(
    night: Night,
) -> None:
    night.submit(single("s", 2), notify=("HOOK",))
    lease = night.start(STAGE, "s")
    lose_writes(night)
    ServerWatch().look(night.store)
    assert book(night, 1) == "known"
    assert [book(night, 3, sweep="a sweep that is lost"), book(night, 3)] == ["booked", "known"]
    assert book(night, 1, stage="train-of-another-sweep") == "stranger"
    assert reopen(night)
    assert read_books(night.store).attempts == 1
    assert night.money("s") == (0, COST, COST)
    night.store.give_back(lease, Meter(10, 10), delay=0, failure="", cost="exact", cause="")
    assert night.store.dispatch(STAGE, sweep="s", patience=PATIENCE).attempt == 4
    night.store.scripts.run("abandon_reconciliation", f"{STAGE}|3")
    assert read_books(night.store).doubted == 0


def test_what_a_live_client_went_on_with_is_booked_beyond_what_its_training_used(night: Night) -> None:
    night.submit(plan("s", [train("a"), evaluate("b", "train-a"), evaluate("c", "train-a")]))
    lease = night.start("train-a", "s")
    usage = {"session": "train-a|1", "session_usage": json.dumps({"training": 600})}
    night.store.settle(lease, Meter(600, 600), StageState.SUCCEEDED, cost="exact", result="{}", **usage)
    night.spread()
    first = night.continue_on_client("evaluate-b", "s", used=600)
    assert first is not None
    usage["session_usage"] = json.dumps({"training": 900})
    night.store.settle(first, Meter(300, 300), StageState.SUCCEEDED, cost="exact", result="{}", **usage)
    night.spread()
    lose_writes(night)
    ServerWatch().look(night.store)
    for _ in range(2):
        night.store.scripts.run("book_lost_continuations", POOL)
    assert night.money("s") == (900, 0, COST), "what the second evaluation may cost, once"
    settle(night, "train-a|1", 1150)
    assert night.money("s") == (1150, 0, 0)
    assert reopen(night)


@pytest.mark.parametrize("is_reconciled", [False, True])
def test_a_continuation_whose_lease_ran_out_is_booked_once(night: Night, is_reconciled: bool) -> None:
    night.submit(plan("s", [train("a"), evaluate("b", "train-a"), evaluate("c", "train-a")]))
    lease = night.start("train-a", "s")
    usage = {"session": "train-a|1", "session_usage": json.dumps({"training": 600})}
    night.store.settle(lease, Meter(600, 600), StageState.SUCCEEDED, cost="exact", result="{}", **usage)
    night.spread()
    assert night.continue_on_client("evaluate-b", "s", used=600)
    lose_writes(night)
    ServerWatch().look(night.store)
    night.clock.pass_seconds(LEASE)
    night.spread()
    if is_reconciled:
        settle(night, "evaluate-b|1", 800)
    night.store.scripts.run("book_lost_continuations", POOL)
    for attempt in night.store.client.zrange(keys.UNRECONCILED, 0, -1):
        settle(night, attempt, 800)
    assert night.money("s") == (800, 0, 0)


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_may_have_followed_an_attempt_that_runs_here_is_held_until_it_ends(night: Night, is_lost: bool) -> None:
    night.submit(plan("s", [train("a"), evaluate("b", "train-a"), evaluate("c", "train-a")]))
    lease = night.start("train-a", "s")
    lose_writes(night)
    ServerWatch().look(night.store)
    for _ in range(2):
        night.store.scripts.run("book_lost_continuations", POOL)
    assert night.money("s") == (0, 3 * COST, 0), "with both evaluations, once"
    assert reopen(night)
    if is_lost:
        night.clock.pass_seconds(LEASE)
        night.spread()
        assert night.money("s") == (0, 0, 3 * COST)
        settle(night, "train-a|1", 1300)
        assert night.money("s") == (1300, 0, 0)
    else:
        assert night.succeed(lease)
        assert night.money("s") == (COST, 0, 0)


@pytest.mark.parametrize("end", ["running", "continued", "closed"])
def test_a_client_whose_end_the_books_know_is_left_alone(night: Night, end: str) -> None:
    night.submit(plan("s", [train("a"), evaluate("b", "train-a")]))
    lease = night.start("train-a", "s")
    usage = {"session": "train-a|1", "session_usage": json.dumps({"training": 600})}
    if end != "running":
        night.store.settle(lease, Meter(600, 600), StageState.SUCCEEDED, cost="exact", result="{}", **usage)
        night.spread()
    if end == "continued":
        assert night.continue_on_client("evaluate-b", "s", used=600)
    if end == "closed":
        night.close(lease)
    lose_writes(night)
    ServerWatch().look(night.store)
    assert night.store.scripts.run("book_lost_continuations", POOL) == 0


def test_slots_are_not_cleared_while_the_books_are_closed(night: Night) -> None:
    night.submit(single("s", 1))
    night.start(STAGE, "s")
    lose_writes(night)
    ServerWatch().look(night.store)
    night.clock.pass_seconds(2 * LEASE)
    night.store.scripts.run("read_service", "offline", 60_000, POOL)
    assert night.store.client.zcard(keys.slots(POOL)) == 1
    night.spread()
    assert reopen(night)
    night.store.scripts.run("read_service", "offline", 60_000, POOL)
    assert night.store.client.zcard(keys.slots(POOL)) == 0


def test_a_session_that_belongs_to_nothing_is_spent_on_its_day_once(night: Night) -> None:
    lose_writes(night)
    ServerWatch().look(night.store)
    note: Callable[[str, str], int] = lambda name, label: night.store.scripts.run(  # noqa: E731
        "note_lost_session", "offline", name, label, night.clock(), 1000
    )
    night.store.client.hset(keys.day("offline", night.clock() // 86_400_000), "canary:known", 1)
    assert [note("a", "lost"), note("a", "lost"), note("b", "canary known"), note("c", "canary new")] == [1, 0, 0, 1]
    assert reopen(night)
    assert read_books(night.store).attempts == 2
    assert read_lost_sessions(night.store) == []
    night.clock.pass_seconds(1)
    assert sorted(session.name for session in read_lost_sessions(night.store)) == ["a", "c"]
    for name in ("a", "a", "c"):
        night.store.scripts.run("book_lost_session", name, 30, 40)
    assert night.store.client.hget(keys.day("offline", night.clock() // 86_400_000), "spent") == "80"
    assert (read_books(night.store).attempts, read_lost_sessions(night.store)) == (0, [])


def test_a_service_that_cannot_tell_may_have_spent_what_the_budgets_had_room_for(night: Night) -> None:
    night.submit(single("s", 1), limit=5 * COST)
    night.start(STAGE, "s")
    close_books(night.store, "restored")
    assert reopen(night, "offline")
    assert read_books(night.store).untold == {"offline": (night.clock(), 4 * COST)}
    night.store.scripts.run("set_limits", "day:offline", 3 * COST)
    close_books(night.store, "restored")
    assert reopen(night, "offline")
    assert read_books(night.store).untold["offline"][1] == 3 * COST
    night.submit(single("unlimited", 1))
    night.store.scripts.run("set_limits", LANE, 1)
    close_books(night.store, "restored")
    assert reopen(night, "offline")
    assert read_books(night.store).untold["offline"][1] is None

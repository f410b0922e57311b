"""After a failover that lost writes, the books are never below what the service did, and equal to it in the end.

A primary and a replica as real processes: at a chosen verb the replica loses its link, the worker goes on at the
primary, the primary is killed, and the replica takes its place.
"""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from scheduler.engine.retry import Fault
from scheduler.prepare import read_price_book
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.connection import connect
from scheduler.state.scripts import Scripts
from scheduler.state.server.failover import ServerWatch, close_books, read_books
from scheduler.state.store import Store
from sweeps.cost import Usage
from sweeps.stage import Stage
from tests.sentinels import Pair, pair_of_servers
from tests.support import wait_until
from tests.tinker_offline.process import Server
from tests.worker.dead_attempts import count_tokens
from tests.worker.workshop import SPEC, Workshop
from worker.attempt import WorkerContext
from worker.leases import Leases
from worker.maintenance.canary import try_service
from worker.maintenance.housekeeping import Housekeeping
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient

MODEL = "offline/ngram-s"
HOUR = timedelta(hours=1)
PRICES = read_price_book(read_settings({"SWEEP_HOME": "/nowhere"}))


class Failover:
    """A workshop on a pair of servers, one of which takes over."""

    def __init__(self, workshop: Workshop, pair: Pair) -> None:
        self.workshop = workshop
        self.pair = pair
        self.watch = ServerWatch()
        self.housekeeping = Housekeeping(workshop.context, period=0, lag=0, rates=PRICES.rates)
        self.watch.look(self.store)

    @property
    def store(self) -> Store:
        return self.workshop.store

    def cut_link(self) -> None:
        self.pair.await_same()
        self.pair.cut()

    def take_over(self) -> None:
        """The replica answers where the primary did."""
        self.pair.primary.end(signal.SIGKILL)
        self.pair.promote()
        socket = Path(self.pair.replica.url.removeprefix("unix://"))
        socket.rename(self.pair.primary.url.removeprefix("unix://"))
        assert self.watch.look(self.store), "another server answers"

    def read_booked(self) -> dict[str, int]:
        client = self.store.client
        rows = [client.hgetall(keys.sweep(name)) for name in client.zrange(keys.SWEEPS, 0, -1)]
        names = ("tokens", "spent", "reserved", "unreconciled")
        booked = {name: sum(int(row.get(name, 0)) for row in rows) for name in names}
        row = client.hgetall(keys.day("offline", self.store.scripts.read_time() // 86_400_000))
        return booked | {"day": int(row.get("spent", 0)) + int(row.get("unreconciled", 0))}

    def price_counted(self) -> int:
        """What this installation owes by the service's count."""
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        account = AccountClient(self.workshop.context.endpoint(MODEL))
        used = account.read_usage(hour - HOUR, hour + 2 * HOUR)
        mine = [usage.usage for usage in used if usage.metadata.get("fleet") == self.workshop.context.fleet]
        return PRICES.rates(MODEL).price(reduce(Usage.plus, mine, Usage()))

    def expire(self) -> None:
        """The leases of workers that are gone run out, and so do the claims of the closed books."""
        for stage in self.store.client.zrange(keys.state("running"), 0, -1):
            self.store.client.zadd(keys.state("running"), {stage: 0})
        self.store.scripts.run("expire_attempts", 100, 10**9, 10, 5, 3)
        self.workshop.spread()

    def settle_books(self) -> None:
        """What ticks and housekeeping do, until nothing is of unknown cost."""
        self.expire()
        assert self.housekeeping._lost_writes.compare_if_closed()
        booked = self.read_booked()
        assert booked["spent"] + booked["unreconciled"] + booked["reserved"] + self.sum_lost() >= self.price_counted()
        wait_until(self._is_reconciled, "everything to be reconciled")

    def sum_lost(self) -> int:
        """Upper bound of the sessions that are noted without their cost: they are said to be of unknown cost."""
        rows = [json.loads(text) for text in self.store.client.hgetall(keys.LOST_SESSIONS).values()]
        return 10**12 if any("tokens" not in row for row in rows) else 0

    def _is_reconciled(self) -> bool:
        self.housekeeping.round()
        return not self.store.client.zcard(keys.UNRECONCILED) and not read_books(self.store).attempts


@pytest.fixture
def failover(tinker: Server, workshop: Workshop, tmp_path: Path) -> Iterator[Failover]:
    with pair_of_servers(tmp_path / "pair") as pair:
        client = connect(pair.primary.url)
        store = Store(client)
        leases = Leases(store, worker="w1", threads=4, seconds=600, grace=3, about={})  # not started: no thread looks
        context = WorkerContext(store, workshop.artefacts, leases, workshop.context.examples, workshop.context.endpoint)
        yield Failover(Workshop(context, tinker, tmp_path), pair)
        client.close()


def cut_before(failover: Failover, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Let the replica lose its link right before this verb is sent for the first time."""
    run, sent = Scripts.run, list[str]()

    def run_after_cut(scripts: Scripts, name: str, *arguments: Any) -> Any:
        if name == verb and not sent:
            sent.append(name)
            failover.cut_link()
        return run(scripts, name, *arguments)

    monkeypatch.setattr(Scripts, "run", run_after_cut)


def be_away(*_: object) -> None:
    """A dead address would hold the SDK's lock for minutes, for every test that follows."""
    raise ServiceError(Fault.OUTAGE, "no answer from the service in 2 s")


def trainings(workshop: Workshop, name: str = "one") -> list[Stage]:
    plan = workshop.submit(SPEC.replace("sweep: one", f"sweep: {name}") + "reuse: sweep\n").plan
    return [stage for stage in plan.stages if stage.kind == "train"]


@pytest.mark.parametrize(
    "verb", ["dispatch_stage", "claim_stage", "commit_checkpoint", "settle_stage", "continue_on_client", "free_slot"]
)
def test_whatever_is_lost_is_booked_before_anything_starts_and_exact_in_the_end(
    failover: Failover, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    (stage,) = trainings(failover.workshop)
    cut_before(failover, monkeypatch, verb)
    failover.workshop.attempt(stage)  # and its evaluation, on the live client
    service = count_tokens(failover.workshop)
    assert failover.read_booked()["tokens"] == service > 0, "the primary knows"
    failover.take_over()
    if verb != "free_slot":
        assert failover.read_booked()["tokens"] < service, "the replica does not"
    assert failover.store.dispatch(stage.id, sweep="one", patience=20).attempt == 0
    failover.settle_books()
    booked = failover.read_booked()
    assert booked["tokens"] == service
    assert (booked["unreconciled"], booked["reserved"]) == (0, 0)
    assert booked["spent"] == booked["day"]
    assert not read_books(failover.store).closed
    failover.workshop.spread()
    for again in failover.workshop.store.client.zrange(keys.state("ready"), 0, -1):
        if again == stage.id:
            failover.workshop.attempt(stage)
    assert failover.read_booked()["tokens"] == count_tokens(failover.workshop)


def test_a_sweep_of_which_the_books_know_nothing_is_spent_on_its_day(
    failover: Failover, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,) = trainings(failover.workshop)
    failover.workshop.attempt(known)
    before, price = failover.read_booked(), failover.price_counted()
    cut_before(failover, monkeypatch, "open_sweep")
    (lost,) = trainings(failover.workshop, "two")
    failover.workshop.attempt(lost, "two")
    name = {"fleet": failover.workshop.context.fleet, "canary": "of-which-nobody-knows"}
    endpoint = failover.workshop.context.endpoint(MODEL)
    assert try_service(lambda: endpoint, MODEL, name, 20).word == "healthy"
    failover.take_over()
    failover.settle_books()
    booked = failover.read_booked()
    assert booked["tokens"] == before["tokens"]
    assert booked["day"] - before["day"] >= failover.price_counted() - price > 0
    unknown = [json.loads(text)["tokens"] for text in failover.store.client.hgetall(keys.LOST_SESSIONS).values()]
    assert before["tokens"] + sum(unknown) == count_tokens(failover.workshop)
    failover.housekeeping.round()
    assert failover.read_booked()["day"] == booked["day"], "once"


def test_a_restart_that_lost_nothing_costs_one_look(failover: Failover) -> None:
    (stage,) = trainings(failover.workshop)
    failover.workshop.attempt(stage)
    before = failover.read_booked()
    failover.pair.primary.end()
    failover.pair.primary.start()
    assert failover.watch.look(failover.store)
    failover.expire()
    assert failover.housekeeping._lost_writes.compare_if_closed()
    books = read_books(failover.store)
    assert (books.closed, books.attempts, books.doubtful, books.untold) == (0, 0, 0, {})
    assert failover.read_booked() == before
    assert not failover.watch.look(failover.store)


def test_a_process_that_comes_late_from_the_old_server_closes_the_books_again(failover: Failover) -> None:
    late = ServerWatch()
    late.look(failover.store)
    failover.cut_link()
    failover.take_over()
    failover.settle_books()
    assert not failover.watch.look(failover.store)
    assert late.look(failover.store), "what it did at the old server after the comparison may be missing"
    failover.settle_books()
    assert not late.look(failover.store)


def test_a_service_that_is_away_keeps_them_closed_and_one_that_cannot_tell_is_named(
    failover: Failover, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stage,) = trainings(failover.workshop)
    close_books(failover.store, "an older state was restored")
    with monkeypatch.context() as outage:
        outage.setattr(AccountClient, "find_sessions", be_away)
        assert not failover.housekeeping._lost_writes.compare_if_closed()
    assert failover.store.dispatch(stage.id, sweep="one", patience=20).refused == "books"
    failover.store.scripts.run("set_limits", "day:offline", 5_000_000)
    actions = failover.housekeeping._actions
    monkeypatch.setattr(actions.capabilities, "ask", lambda _service, _call, _do, lacking: lacking)
    assert failover.housekeeping._lost_writes.compare_if_closed()
    ((since, most),) = read_books(failover.store).untold.values()
    assert most == 5_000_000
    assert since > 0
    assert failover.store.dispatch(stage.id, sweep="one", patience=20).attempt == 1

"""A process sends as fast as its permits allow: it draws them in batches and spends them without a round trip."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from scheduler.engine.rate_limit import BURST, Rate
from scheduler.settings import read_settings
from scheduler.state.connection import Client, Unable, connect
from tests.support import RedisServer
from tests.worker.workshop import Workshop
from worker.held_lease import LeaseLost
from worker.leases import Leases
from worker.outcome import Succeeded
from worker.sdk.rate_limiter import Permits, RateLimiter, make_rate_limiters


class Tap:
    """A source in a time of its own, which passes only while somebody sleeps."""

    def __init__(self, per_second: float, batch: int) -> None:
        self.batch = batch
        self.now = 0.0
        self.drawn = 0
        self.away = False
        self._per_second = per_second

    def draw(self) -> float:
        if self.away:
            raise Unable("away")
        wait = (self.drawn + self.batch) / self._per_second - self.now
        if wait <= 1e-9:
            self.drawn += self.batch
        return max(wait, 0.0) if wait > 1e-9 else 0.0

    def permits(self) -> Permits:
        return Permits(self, clock=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def client(redis: RedisServer) -> Iterator[Client]:
    client = connect(redis.url)
    client.flushall()
    yield client
    client.close()


def go_on() -> None:
    """Waiting is all right."""


def test_more_than_a_minutes_worth_is_waited_for_and_not_refused_for_ever() -> None:
    """A batch of 131,072 tokens, where 100,000 a minute are allowed."""
    tap = Tap(100_000 / 60, 417)
    permits = tap.permits()
    permits.take(131_072, go_on)
    assert tap.now == pytest.approx(60 * 131_072 / 100_000, rel=0.01)
    assert tap.drawn - permits._held == 131_072


def test_waiting_can_be_abandoned_and_what_was_there_is_the_others() -> None:
    tap = Tap(10, 5)
    permits = tap.permits()
    looks = iter([None, None, None, LeaseLost("s")])

    def check() -> None:
        if (lost := next(looks)) is not None:
            raise lost

    with pytest.raises(LeaseLost):
        permits.take(100, check)
    drawn = tap.drawn
    assert 0 < drawn < 100
    permits.take(drawn, go_on)
    assert (tap.drawn, permits._held) == (drawn, 0)


def test_a_redis_that_is_away_is_waited_for_as_long_as_the_lease_allows() -> None:
    tap = Tap(10, 5)
    permits, looks = tap.permits(), 0
    tap.away = True

    def check() -> None:
        nonlocal looks
        looks += 1
        tap.away = looks < 3

    permits.take(1, check)
    assert looks >= 3


def test_any_interleaving_spends_what_was_drawn_and_no_more(redis: RedisServer, client: Client) -> None:  # noqa: ARG001
    """Two processes with three attempts each, which want more or less at a time, over a short time."""
    per_second, began, until = 300.0, time.monotonic(), time.monotonic() + 0.8
    clients = [connect(redis.url) for _ in range(2)]
    taken: list[int] = []

    def spend(permits: Permits, count: int) -> None:
        while time.monotonic() < until:
            permits.take(count, go_on)
            taken.append(count)

    of_process = [Permits(Rate(client, "tokens|offline", per_second=per_second)) for client in clients]
    threads = [
        threading.Thread(target=spend, args=(permits, count)) for permits in of_process for count in (1, 40, 170)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for opened in clients:
        opened.close()
    assert sum(taken) <= per_second * (time.monotonic() - began + BURST)
    assert set(taken) == {1, 40, 170}, "every attempt gets permits"


def test_between_two_batches_nothing_is_asked_of_redis(client: Client) -> None:
    settings = read_settings({"SWEEP_REQUESTS_PER_SECOND": "4000", "SWEEP_TOKENS_PER_MINUTE": "240000000"})
    pace = make_rate_limiters(client, settings)("offline/ngram-s")
    pace.take(requests=1, tokens=1000, check=go_on)
    before = asked(client)
    for _ in range(900):
        pace.take(requests=1, tokens=1000, check=go_on)
    assert asked(client) == before
    for _ in range(1000):
        pace.take(requests=1, tokens=1000, check=go_on)
    assert asked(client) == before + 2


def test_no_limit_asks_nothing_at_all_and_counts_what_is_sent(client: Client) -> None:
    report: dict[str, str | int] = {"host": "h"}
    pace = make_rate_limiters(client, read_settings({}), report)("offline/ngram-s")
    before = asked(client)
    for _ in range(100):
        pace.take(requests=1, tokens=1000, check=go_on)
    assert asked(client) == before
    assert report == {"host": "h", "sent:offline": 100, "sent:tinker": 0}


def asked(client: Client) -> int:
    """How often the server was asked for permits: in no other way is anything asked here."""
    return sum(
        int(statistics["calls"]) for name, statistics in client.info("commandstats").items() if "evalsha" in name
    )


def test_our_own_limit_is_no_stall(workshop: Workshop) -> None:
    """The fleet may send nothing for longer than the stall."""
    stall, until = 1.0, time.monotonic() + 2.5
    leases = Leases(workshop.store, worker="w", threads=1, seconds=30, grace=3, about={}, stall=stall)
    leases.start()

    class Shut:
        batch = 1000

        def draw(self) -> float:
            return max(0.0, until - time.monotonic())

    pace = RateLimiter(requests=Permits(Shut()))
    context = replace(workshop.context, leases=leases, rate_limiter=lambda _: pace)
    slow = Workshop(context, workshop.tinker, workshop.folder)
    stage = next(stage for stage in slow.submit().plan.stages if stage.kind == "train")
    assert isinstance(slow.attempt(stage), Succeeded)
    assert time.monotonic() > until
    leases.stop()

"""An address that is down, slow or hostile delays nothing, is reported, and is never seen itself."""

import hashlib
import hmac
import json
import logging
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.notify.outbox import (
    FIRST_WAIT,
    LONGEST_RETRY_AFTER,
    TITLES,
    Outbox,
    OutboxNotice,
    describe_troubled_webhooks,
)
from scheduler.notify.sender import NoticeSender
from scheduler.notify.webhooks import DISCORD_LENGTH, Delivery, build_headers, compose, send
from scheduler.settings import WEBHOOK_SECRET
from scheduler.state import keys
from tests.scheduler.night import Fleet, Night
from tests.scheduler.plans import scaling, single
from tests.scheduler.receiver import (
    TOKEN,
    Behaviour,
    Request,
    babbles,
    drips,
    floods,
    floods_its_headers,
    hangs_up,
    keeps_silent,
    receiver,
    says,
)
from tests.support import RedisServer, wait_until

DEADLINE = 60.0  # seconds that no test waits for: a busy machine is no hostile one
SHORT = 0.4  # for what would hang, though it would for ever
NOTICE = OutboxNotice(
    "1800000000000-000000001-failure", "HOOK", "failure", "s", 1_800_000_000_000, "train a: <b> & @all", 0
)


def sent_to(url: str, *, deadline: float = DEADLINE) -> Delivery:
    body = compose(url, NOTICE, NOTICE.headline)
    return send(url, body, build_headers(NOTICE, body, "", 0), deadline=deadline)


# What is said.


def test_slack_and_discord_get_their_own_form_and_everybody_else_all_there_is() -> None:
    text = "s: <b> & @all"
    assert json.loads(compose("https://hooks.slack.com/services/T/B/x", NOTICE, text)) == {
        "text": "s: &lt;b&gt; &amp; @all"
    }
    discord = json.loads(compose("https://canary.discord.com/api/webhooks/1/x", NOTICE, text * 1000))
    assert discord["content"].startswith(text)
    assert len(discord["content"]) == DISCORD_LENGTH
    assert discord["allowed_mentions"] == {"parse": []}, "a cause that holds @everyone wakes nobody"
    assert json.loads(compose("https://slack.example/hooks.slack.com", NOTICE, text)) == {
        "id": NOTICE.id,
        "kind": "failure",
        "sweep": "s",
        "at": "2027-01-15T08:00:00+00:00",
        "detail": "train a: <b> & @all",
        "text": text,
    }


def test_a_receiver_can_tell_that_it_is_ours_and_that_it_came_before() -> None:
    """By the very lines of the page that tells how."""
    with receiver(says(200)) as far:
        body = compose(far.url, NOTICE, "ünï")
        assert send(far.url, body, build_headers(NOTICE, body, "s3cret", time.time())) == Delivery("")
    (request,) = far.requests
    assert request.headers["x-sweep-id"] == NOTICE.id
    assert request.headers["content-type"] == "application/json"
    assert [_genuine(request, secret) for secret in (b"s3cret", b"another")] == [True, False]
    assert not _genuine(replace(request, body=request.body + b" "), b"s3cret")
    assert "X-Sweep-Signature" not in build_headers(NOTICE, body, "", 0)


def _genuine(request: Request, secret: bytes) -> bool:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "get-notified.md").read_text()
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    given = {"X-Sweep-Signature": request.headers["x-sweep-signature"]}
    names = {"hmac": hmac, "hashlib": hashlib, "time": time, "headers": given, "body": request.body, "secret": secret}
    exec(lines, names)
    return bool(names["genuine"])


# What the far side does.


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (says(204), ""),
        (floods, ""),
        (says(500), "answers 500"),
        (says(302, "Location: http://127.0.0.1:1/elsewhere"), "answers 302, a redirect, which is not followed"),
        (keeps_silent, "no answer within 0.4 s"),
        (drips, "no answer within 0.4 s"),
        (floods_its_headers, "what it answers is no HTTP"),
        (babbles, "what it answers is no HTTP"),
        (hangs_up, "what it answers is no HTTP"),
    ],
    ids=["204", "100 MB", "500", "redirect", "silent", "drips", "100 MB of header", "babbles", "hangs up"],
)
def test_whatever_it_does_is_a_value_within_the_deadline(
    behaviour: Behaviour, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    began = time.monotonic()
    with receiver(behaviour) as far:
        answer = sent_to(far.url, deadline=SHORT if behaviour in (keeps_silent, drips) else DEADLINE)
        assert time.monotonic() - began < DEADLINE / 2
        assert answer.reason.startswith(reason)
        assert bool(answer.reason) == bool(reason)
        assert len(far.requests) == 1, "and nobody is asked twice"
        assert far.megabytes < 20, "what it says at length is not read"
    assert TOKEN not in answer.reason + caplog.text


def test_an_address_where_nobody_listens_is_one_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert sent_to(f"http://127.0.0.1:{port}/{TOKEN}") == Delivery("cannot be reached: connection refused")


def test_without_a_trusted_certificate_nothing_is_sent() -> None:
    with receiver(says(200)) as far:
        answer = sent_to(far.url.replace("http://", "https://"))
    assert answer == Delivery("cannot be reached: no TLS connection, or a certificate that is not trusted")
    assert far.requests == []


@pytest.mark.parametrize("address", ["", "T0KEN", "file:///etc/T0KEN", "ftp://x/T0KEN", "http://", "http://a\0T0KEN"])
def test_what_is_no_address_is_told_as_such_and_not_quoted(address: str) -> None:
    assert sent_to(address) == Delivery("what it holds is no address; http://… or https://… is right")


@pytest.mark.parametrize(
    ("line", "wish"), [("120", 120.0), ("1.5", 1.5), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0)]
)
def test_a_429_may_say_for_how_long_it_wants_to_be_left_alone(line: str, wish: float) -> None:
    with receiver(says(429, f"Retry-After: {line}")) as far:
        assert sent_to(far.url) == Delivery("answers 429", wish)


def test_no_proxy_and_no_password_file_of_the_environment_comes_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with receiver(says(200)) as far:
        assert sent_to(far.url) == Delivery("")


# The post.


class Office:
    """A post in the hands of a test: it looks when it is told to."""

    def __init__(self, night: Night, addresses: Mapping[str, str], deadline: float = DEADLINE) -> None:
        self.post = NoticeSender(night.store, (), addresses, deadline=deadline)

    def round(self) -> int:
        """Everything that is due, until the last one is done."""
        taken = self.post.send_due()
        self.rest()
        return taken

    def rest(self) -> None:
        wait_until(lambda: not self.post._busy, "every sender to be done")


@pytest.fixture
def started(night: Night) -> Iterator[Night]:
    """A sweep that has something to say to HOOK; no address may be seen in what is stored."""
    night.submit(single("s", 3), notify=("HOOK",))
    night.start("train-0000", "s")
    yield night
    assert TOKEN not in str(night.snapshot())


def test_what_failed_is_sent_again_under_the_same_name(started: Night, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiver(says(500), says(200)) as far:
        office = Office(started, {"HOOK": far.url, WEBHOOK_SECRET: "s3cret"})
        office.round()
        (line,) = describe_troubled_webhooks(started.store)
        assert line.endswith(": answers 500; 1 notice waits")
        assert office.round() == 0
        started.clock.pass_seconds(2 * FIRST_WAIT)
        assert (office.round(), describe_troubled_webhooks(started.store)) == (1, [])
        first, second = far.requests
    assert first.headers["x-sweep-id"] == second.headers["x-sweep-id"]
    assert json.loads(second.body)["text"] == "s: started: with train 0000"
    assert "webhook HOOK: answers 500" in caplog.text
    assert TOKEN not in caplog.text
    assert "s3cret" not in caplog.text + str(started.snapshot())


def test_an_address_that_hangs_delays_neither_the_tick_nor_another_address(started: Night, redis: RedisServer) -> None:
    started.submit(single("t", 1, prefix="t"), notify=("OTHER",))
    fleet = Fleet(started, redis.url)
    with receiver(keeps_silent) as slow, receiver(says(200)) as quick:
        office = Office(started, {"HOOK": slow.url, "OTHER": quick.url})
        assert office.post.send_due() == 1
        wait_until(lambda: len(slow.requests) == 1, "the slow one to be asked")
        assert fleet.tick().dispatched == 3, "nobody waits for it"
        fleet.claim_all()
        started.tell("cancel_sweep", "s")
        assert office.post.send_due() == 1, "what else there is for the slow one waits for it"
        wait_until(lambda: len(quick.requests) == 1, "the quick one to be told")
        assert len(slow.requests) == 1
    office.rest()
    (line,) = describe_troubled_webhooks(started.store)
    assert "webhook HOOK" in line
    assert line.endswith("2 notices wait")
    fleet.nudges.close()


def test_a_variable_that_is_not_set_is_reported_and_tried_again(started: Night) -> None:
    Office(started, {}).round()
    (line,) = describe_troubled_webhooks(started.store)
    assert line.endswith("the variable is not set where the scheduler runs; 1 notice waits")
    started.clock.pass_seconds(2 * FIRST_WAIT)
    with receiver(says(200)) as far:
        Office(started, {"HOOK": far.url}).round()
    assert len(far.requests) == 1


def test_whoever_asks_to_be_left_alone_is_within_reason(started: Night) -> None:
    with receiver(says(429, "Retry-After: 1e9"), says(200)) as far:
        office = Office(started, {"HOOK": far.url})
        office.round()
        started.clock.pass_seconds(LONGEST_RETRY_AFTER - 1)
        assert office.round() == 0
        started.clock.pass_seconds(1)
        assert office.round() == 1


def test_the_end_comes_with_the_digest(night: Night) -> None:
    night.submit(scaling("s", [8], seeds=1), notify=("HOOK",))
    night.do("evaluate-base", "s", {"nll": 3.0})
    night.fail(night.start("train-n8s0", "s"), "the loss is no number")
    night.spread()
    with receiver(says(200)) as far:
        office = Office(night, {"HOOK": far.url})
        while office.round():
            pass
    said = [json.loads(request.body)["text"] for request in far.requests]
    assert said[-1].splitlines() == [
        "s: finished",
        "1 of 3 stages done, 1 failed, 1 skipped",
        "$0.0010 spent",
        "look at: 1 × the loss is no number (train n8s0)",
    ]


def test_a_post_that_looks_by_itself_tells_who_looks_after_the_fleet(night: Night) -> None:
    with receiver(says(200)) as far:
        post = NoticeSender(night.store, ["OPS"], {"OPS": far.url})
        post.start()
        outbox = Outbox(night.store)
        wait_until(lambda: bool(night.store.client.smembers(keys.FLEET_ADDRESSES)), "the fleet's address to be known")
        night.run_lua("notify_all('breaker_open', 'tinker', 1)")
        wait_until(lambda: len(far.requests) == 1, "it to be told")
        post.stop()
        wait_until(lambda: not post._busy and not outbox.take(9, []), "the outbox to be empty")
    assert json.loads(far.requests[0].body)["text"] == f"fleet: {TITLES['breaker_open']}: tinker"

"""An address that is down, slow or hostile delays nothing, is reported, and is never seen itself."""

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from scheduler.cli import main
from scheduler.errors import SettingInvalid
from scheduler.notify.outbox import (
    FIRST_WAIT,
    LONGEST_RETRY_AFTER,
    TITLES,
    Outbox,
    OutboxNotice,
    list_troubled_webhooks,
)
from scheduler.notify.sender import NoticeSender
from scheduler.notify.webhooks import DISCORD_LENGTH, Delivery, build_headers, compose, send
from scheduler.settings import WEBHOOK_SECRET, read_settings
from scheduler.state import keys
from scheduler.state.answer_inputs import read_conclusion
from tests.scheduler.night import Fleet, Night
from tests.scheduler.plans import scaling, single
from tests.scheduler.receiver import (
    TOKEN,
    Behaviour,
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
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SHORT = 0.4  # for what would hang, though it would for ever
NOTICE = OutboxNotice(
    "1800000000000-000000001-failure", "HOOK", "failure", "s", 1_800_000_000_000, "train a: <b> & @all", 0
)


def sent_to(url: str, *, deadline: float = DEADLINE) -> Delivery:
    body = compose(url, NOTICE, NOTICE.headline)
    return send(url, body, build_headers(NOTICE, body, "", datetime.now(UTC)), deadline=deadline)


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
        "conclusion": None,
    }


def test_a_receiver_can_tell_that_it_is_ours_and_that_it_came_before() -> None:
    with receiver(says(200)) as far:
        body = compose(far.url, NOTICE, "ünï")
        assert send(far.url, body, build_headers(NOTICE, body, SECRET, datetime.now(UTC))) == Delivery("")
    (request,) = far.requests
    assert request.headers["webhook-id"] == NOTICE.id
    assert request.headers["content-type"] == "application/json"
    assert Webhook(SECRET).verify(request.body, request.headers) == json.loads(body)
    for secret, sent in ((SECRET[:-2] + "A=", request.body), (SECRET, request.body + b" ")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(sent, request.headers)
    late = build_headers(NOTICE, body, SECRET, datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, late)
    assert "webhook-signature" not in build_headers(NOTICE, body, "", datetime.now(UTC))


def test_the_page_on_notices_verifies_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "get-notified.md").read_text()
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    body = compose("https://far.example", NOTICE, NOTICE.headline)
    headers = build_headers(NOTICE, body, SECRET, datetime.now(UTC))
    names = {"secret": SECRET, "body": body, "headers": headers}
    exec(lines, names)
    assert names["notice"] == json.loads(body)


@pytest.mark.parametrize("secret", ["s3cret", "whsec_", "whsec_c2hvcnQ=", "whsec_ü" * 9])
@pytest.mark.parametrize(
    "use",
    [
        lambda secret: build_headers(NOTICE, b"{}", secret, datetime.now(UTC)),
        lambda secret: read_settings({WEBHOOK_SECRET: secret}),
    ],
    ids=["when a notice is sent", "at start"],
)
def test_a_secret_that_cannot_sign_is_refused_and_not_quoted(secret: str, use: Callable[[str], object]) -> None:
    with pytest.raises(SettingInvalid, match="SWEEP_WEBHOOK_SECRET") as caught:
        use(secret)
    if kept_secret := secret.removeprefix("whsec_"):
        assert kept_secret not in str(caught.value)


@pytest.mark.parametrize("command", ["up", "doctor", "run"])
def test_no_command_starts_anything_with_a_secret_that_cannot_sign(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(WEBHOOK_SECRET, "s3cret")
    monkeypatch.setattr("sys.argv", ["sweep", command, *(["a.yaml"] if command == "run" else [])])
    (tmp_path / "a.yaml").write_text("sweep: a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    shown = "".join(capsys.readouterr())
    assert ended.value.code != 0
    assert WEBHOOK_SECRET in shown
    assert "s3cret" not in shown
    assert not (tmp_path / "home").exists()


# What the far side does.


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (says(204), ""),
        (floods, ""),
        (says(500), "500"),
        (says(302, "Location: http://127.0.0.1:1/elsewhere"), "302"),
        (keeps_silent, "0.4 s"),
        (drips, "0.4 s"),
        (floods_its_headers, "HTTP"),
        (babbles, "HTTP"),
        (hangs_up, "HTTP"),
    ],
    ids=["204", "100 MB", "500", "redirect", "silent", "drips", "100 MB of header", "babbles", "hangs up"],
)
def test_whatever_it_does_is_a_value_within_the_deadline(
    behaviour: Behaviour, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    began = time.monotonic()
    with receiver(behaviour) as far:
        is_short = behaviour in (keeps_silent, drips)
        answer = sent_to(far.url, deadline=SHORT if is_short else DEADLINE)
        assert time.monotonic() - began < DEADLINE / 2
        assert reason in answer.reason
        assert bool(answer.reason) == bool(reason)
        assert len(far.requests) <= 1, "and nobody is asked twice"
        assert far.requests or is_short, "a busy machine may take longer than that to ask"
        assert far.megabytes < 20, "what it says at length is not read"
    assert TOKEN not in answer.reason + caplog.text


def test_an_address_where_nobody_listens_is_one_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "connection refused" in sent_to(f"http://127.0.0.1:{port}/{TOKEN}").reason


def test_without_a_trusted_certificate_nothing_is_sent() -> None:
    with receiver(says(200)) as far:
        answer = sent_to(far.url.replace("http://", "https://"))
    assert "TLS" in answer.reason
    assert far.requests == []


@pytest.mark.parametrize("address", ["", "T0KEN", "file:///etc/T0KEN", "ftp://x/T0KEN", "http://", "http://a\0T0KEN"])
def test_what_is_no_address_is_told_as_such_and_not_quoted(address: str) -> None:
    reason = sent_to(address).reason
    assert "https://" in reason
    assert "T0KEN" not in reason


@pytest.mark.parametrize(
    ("line", "seconds"), [("120", 120.0), ("1.5", 1.5), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0)]
)
def test_a_429_may_say_for_how_long_it_wants_to_be_left_alone(line: str, seconds: float) -> None:
    with receiver(says(429, f"Retry-After: {line}")) as far:
        answer = sent_to(far.url)
        assert "429" in answer.reason
        assert answer.retry_after == seconds


def test_no_proxy_and_no_password_file_of_the_environment_comes_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with receiver(says(200)) as far:
        assert sent_to(far.url) == Delivery("")


# The sender.


class Office:
    """A sender in the hands of a test: it looks when it is told to."""

    def __init__(self, night: Night, addresses: Mapping[str, str], deadline: float = DEADLINE) -> None:
        self.sender = NoticeSender(night.store, (), addresses, deadline=deadline)

    def round(self) -> int:
        """Everything that is due, until the last one is done."""
        taken = self.sender.send_due()
        self.rest()
        return taken

    def rest(self) -> None:
        wait_until(lambda: not self.sender._busy, "every sender to be done")


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
        office = Office(started, {"HOOK": far.url, WEBHOOK_SECRET: SECRET})
        office.round()
        (trouble,) = list_troubled_webhooks(started.store)
        assert "500" in trouble.reason
        assert (trouble.variable, trouble.waiting, trouble.given_up) == ("HOOK", 1, 0)
        assert office.round() == 0
        started.clock.pass_seconds(2 * FIRST_WAIT)
        assert (office.round(), list_troubled_webhooks(started.store)) == (1, [])
        first, second = far.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    text = json.loads(second.body)["text"]
    assert text.startswith(f"s: {TITLES['started']}")
    assert text.endswith("train 0000")
    assert "HOOK" in caplog.text
    assert TOKEN not in caplog.text
    assert SECRET not in caplog.text + str(started.snapshot())


def test_an_address_that_hangs_delays_neither_the_tick_nor_another_address(started: Night, redis: RedisServer) -> None:
    started.submit(single("t", 1, prefix="t"), notify=("OTHER",))
    fleet = Fleet(started, redis.url)
    with receiver(keeps_silent) as slow, receiver(says(200)) as quick:
        office = Office(started, {"HOOK": slow.url, "OTHER": quick.url})
        assert office.sender.send_due() == 1
        wait_until(lambda: len(slow.requests) == 1, "the slow one to be asked")
        assert fleet.tick().dispatched == 3, "nobody waits for it"
        fleet.claim_all()
        started.tell("cancel_sweep", "s")
        assert office.sender.send_due() == 1, "what else there is for the slow one waits for it"
        wait_until(lambda: len(quick.requests) == 1, "the quick one to be told")
        assert len(slow.requests) == 1
    office.rest()
    (trouble,) = list_troubled_webhooks(started.store)
    assert (trouble.variable, trouble.waiting) == ("HOOK", 2)
    fleet.nudges.close()


def test_a_variable_that_is_not_set_is_reported_and_tried_again(started: Night) -> None:
    Office(started, {}).round()
    (trouble,) = list_troubled_webhooks(started.store)
    assert (trouble.variable, trouble.waiting) == ("HOOK", 1)
    assert "not set" in trouble.reason
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
    notices = [json.loads(request.body) for request in far.requests]
    first, conclusion, counts, money, failure = notices[-1]["text"].splitlines()
    assert first.startswith("s: ")
    assert conclusion == read_conclusion(night.store, "s", None).sentence
    assert notices[-1]["conclusion"] == read_conclusion(night.store, "s", None).document()
    assert [notice["conclusion"] for notice in notices[:-1]] == [None] * (len(notices) - 1), "others have none"
    assert re.findall(r"\d+", counts) == ["1", "3", "1", "1"]
    assert "$0.0010" in money
    assert "the loss is no number" in failure
    assert "train n8s0" in failure


def test_a_sender_that_looks_by_itself_tells_who_looks_after_the_fleet(night: Night) -> None:
    with receiver(says(200)) as far:
        sender = NoticeSender(night.store, ["OPS"], {"OPS": far.url})
        sender.start()
        outbox = Outbox(night.store)
        wait_until(lambda: bool(night.store.client.smembers(keys.FLEET_ADDRESSES)), "the fleet's address to be known")
        night.run_lua("notify_all('breaker_open', 'tinker', 1)")
        wait_until(lambda: len(far.requests) == 1, "it to be told")
        sender.stop()
        wait_until(lambda: not sender._busy and not outbox.take(9, []), "the outbox to be empty")
    assert json.loads(far.requests[0].body)["text"] == f"fleet: {TITLES['breaker_open']}: tinker"

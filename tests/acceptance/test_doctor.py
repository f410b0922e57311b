"""`sweep doctor --live`, rehearsed: what it asks, what it keeps, and who uses that."""

import signal
from collections.abc import Iterator

import pytest

from scheduler.cli.service_facts_text import INEXACT
from tests.acceptance.command import Desk, until
from tests.acceptance.refusals import refused
from tests.acceptance.small_nights import small
from tests.tinker_offline.process import KEY, Server
from worker.sdk.endpoints import Endpoint
from worker.sdk.rest import AccountClient

LIVE = ("doctor", "--live", "--model", "offline/ngram-s")


@pytest.fixture(scope="module")
def tinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("tinker"), ["--control"])
    server.start()
    yield server
    server.end()


def test_what_it_finds_out_is_printed_kept_and_used(desk: Desk, tinker: Server) -> None:
    desk.environment["SWEEP_OFFLINE_URL"] = tinker.url
    with tinker.control() as control:
        control.set(account={"moments": False, "forward": "prefill"})
    output = desk.call("-f", "json", *LIVE, "--clients", "2")
    assert output.status == 0, output.err
    findings = {finding["check"]: finding for finding in output.json["findings"]}
    heads = {
        what: findings[what]["message"].partition(":")[0]
        for what in ("moments", "finish", "forward", "clients", "models")
    }
    assert heads == {"moments": "no", "finish": "yes", "forward": "prefill", "clients": "2+", "models": "7"}
    assert findings["moments"]["verdict"] == "note"
    file = str(desk.write("small.yaml", small()))
    for words in (("doctor",), ("status",), ("plan", file)):
        assert INEXACT in desk.call(*words).out
    (account,) = desk.call("-f", "json", "status").json["accounts"]
    expected = {"resumes_exactly": False, "finishes_sessions": True, "forward_billed_as": "prefill"}
    expected |= {"training_clients": 2, "training_clients_capped": False}
    assert {key: account[key] for key in expected} == expected


def test_stopped_in_the_midst_it_leaves_nothing_open(desk: Desk, tinker: Server) -> None:
    desk.environment["SWEEP_OFFLINE_URL"] = tinker.url
    account = AccountClient(Endpoint(tinker.url, KEY))
    with tinker.control() as control:
        control.set(max_clients=0)
    before = len(account.find_sessions({}))
    with desk.sweeping(*LIVE) as process:
        until(lambda: len(account.find_sessions({})) > before, "it has begun to ask")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, desk.said()
    assert {session.status for session in account.find_sessions({})} == {"client_finished"}


def test_what_cannot_be_asked_says_what_would_be_right(desk: Desk) -> None:
    for words, part in ((LIVE, "SWEEP_OFFLINE_URL"), (("doctor", "--live"), "TINKER_API_KEY")):
        output = desk.call(*words)
        refused(output, "live")
        assert part in output.out
    refused(desk.call("doctor", "--model", "a/b"), "--live", status=2)


def test_what_the_settings_name_is_looked_at(desk: Desk) -> None:
    book = str(desk.write("book.yaml", "prises: []"))
    (closed := desk.write("closed", "")).chmod(0o400)
    wrong = {
        "SWEEP_PRICES": (book, "prises"),
        "SWEEP_OFFLINE_URL": ("http://127.0.0.1:1", "SWEEP_OFFLINE_URL=http://127.0.0.1:1"),
        "SWEEP_CACHE": (str(closed), str(closed)),
    }
    output = desk.call("doctor", **{name: value for name, (value, _) in wrong.items()})
    refused(output, "cache, prices, tinker_offline")
    assert all(part in output.out for _, part in wrong.values())

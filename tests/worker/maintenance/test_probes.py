"""What the probes find at a service that behaves one way, and then the other."""

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from scheduler.engine.retry import Fault
from scheduler.state.service_facts import ProbeAnswer
from sweeps.planning.prices import Price, PriceBook
from tests.support import wait_until
from tests.tinker_offline.process import KEY, Control, Server
from worker.maintenance import probe_main
from worker.maintenance.probe_main import bound_cost, run_probes
from worker.maintenance.probes import TOKENS, Probes, judge_moments
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient

MODEL = "offline/ngram-s"


@pytest.fixture(scope="module")
def questioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("questioned"), ["--control"])
    server.start()
    yield server
    server.end()


@pytest.fixture
def control(questioned: Server) -> Iterator[Control]:
    with questioned.control() as side:
        yield side
        side.clear()


@pytest.fixture
def this(questioned: Server, control: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probes]:  # noqa: ARG001
    """Probes; afterwards nothing that they opened is open, and nothing that they saved exists."""
    monkeypatch.setenv("SWEEP_OFFLINE_URL", questioned.url)
    made = Probes(Endpoint(questioned.url, KEY), MODEL, patience=20, slot=1.0)
    yield made
    wait_until(lambda: "active" not in statuses(made), "all sessions to be over")
    assert questioned.rest().list_user_checkpoints().result(30).checkpoints == []


def statuses(made: Probes) -> list[str | None]:
    return [session.status for session in made.account.find_sessions({"probe": made.name})]


def spent(made: Probes, control: Control) -> int:
    """By the service's own count."""
    sessions = control.usage().values()
    mine = [session["tokens"] for session in sessions if session["user_metadata"].get("probe") == made.name]
    return sum(sum(tokens.values()) for tokens in mine)


ONE_WAY = {"calls": "all", "moments": "yes", "finish": "yes", "forward": "training", "clients": "4+"}
THE_OTHER = {"calls": "all", "moments": "no", "finish": "no", "forward": "prefill", "clients": "3"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, ONE_WAY),
        ({"account": {"moments": False, "finish": False, "forward": "prefill"}, "max_clients": 3}, THE_OTHER),
    ],
    ids=["one way", "the other"],
)
def test_each_answer_is_found_and_for_no_more_tokens_than_were_reckoned(
    this: Probes, control: Control, document: dict[str, object], expected: dict[str, str]
) -> None:
    control.set(**document)
    answers, pending = run_probes(this, clients=4)
    assert {answer.what: answer.answer for answer in answers} == expected, answers
    assert pending is None
    assert 0 < spent(this, control) <= TOKENS


def test_one_slot_is_enough_for_every_question(this: Probes, control: Control) -> None:
    control.set(max_clients=1)
    assert this.probe_moments().answer == "yes"
    assert this.probe_clients(1).answer == "1+"


def test_that_not_one_client_opens_is_no_number_to_go_by(this: Probes, control: Control, questioned: Server) -> None:
    control.set(max_clients=0)
    assert Probes(Endpoint(questioned.url, KEY), MODEL, name=this.name, slot=0.2).probe_clients(2).answer == "unknown"


def test_bills_that_the_key_may_not_read_leave_it_open(this: Probes, control: Control) -> None:
    control.set(rules=[{"on": "billing/usage/events", "answer": {"status": 403}}])
    answer, pending = this.probe_forward(None)
    assert (answer.answer, pending) == ("unknown", None)
    assert "403" in answer.detail


def test_a_bill_that_is_still_to_come_is_asked_for_again_and_not_paid_for_again(
    this: Probes, control: Control, questioned: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.set(rules=[{"on": "billing/usage/events", "answer": {"status": 503}}])
    with monkeypatch.context() as patch:
        patch.setattr(this, "account", AccountClient(Endpoint(questioned.url, KEY), deadline=0.5))
        answer, pending = this.probe_forward(None)
    assert answer.answer == "pending"
    assert pending is not None
    control.clear()
    before = spent(this, control)
    answer, pending = this.probe_forward(pending)
    assert (answer.what, answer.answer, pending) == ("forward", "training", None)
    assert spent(this, control) == before > 0


def test_probes_that_are_stopped_leave_nothing_behind(this: Probes, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> list[float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Probes, "_train_resumed", stop)
    with pytest.raises(KeyboardInterrupt):
        run_probes(this, clients=1)
    assert statuses(this) == ["client_finished"]


def test_what_cannot_be_told_does_not_keep_the_rest_from_being_asked(
    this: Probes, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Probes) -> ProbeAnswer:
        raise ServiceError(Fault.OUTAGE, "no answer")

    monkeypatch.setattr(Probes, "probe_finish", away)
    control.set(rules=[{"on": "save_weights", "answer": {"status": 400}}])
    answers, _ = run_probes(this, clients=0)
    assert [(answer.what, answer.answer) for answer in answers] == [
        ("calls", "all"), ("moments", "unknown"), ("finish", "unknown"), ("forward", "training"),
    ]  # fmt: skip
    assert "400" in answers[1].detail


def book(usd: int) -> PriceBook:
    """Every kind of token at this price for a million."""
    price = Decimal(usd)
    row = Price(
        model=MODEL, train=price, prefill=price, cached_prefill=price, sample=price, source="", date=date(2026, 1, 1)
    )
    return PriceBook(prices=(row,))


def test_what_could_cost_too_much_is_not_asked_and_the_figure_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bound_cost(MODEL, book(10)) == 10 * TOKENS
    monkeypatch.setenv("SWEEP_OFFLINE_URL", "http://127.0.0.1:1")  # no server
    monkeypatch.setattr(probe_main, "read_price_book", lambda _: book(1000))
    assert probe_main.main([MODEL]) == 1
    message = json.loads(capsys.readouterr().out)["error"]
    assert f"${TOKENS / 1000:.4f}" in message
    assert "$0.05" in message


def test_a_model_without_a_price_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe_main.main(["some/model"]) == 1
    printed = capsys.readouterr().out
    assert "some/model" in printed
    assert "prices.yaml" in printed


@pytest.mark.parametrize(
    ("resumed", "control", "answer"),
    [
        ([3.0, 2.0], [3.0, 2.4], "yes"),
        ([3.01, 2.05], [3.0, 2.4], "yes"),
        ([3.0, 2.4], [3.0, 2.4], "no"),
        ([3.01, 2.39], [3.0, 2.4], "no"),
        ([3.0, 2.2], [3.0, 2.4], "unknown"),
        ([3.0, 2.0], [3.0, 2.0], "unknown"),
        ([3.0, float("nan")], [3.0, 2.4], "unknown"),
    ],
)
def test_moments_are_judged_by_whose_losses_the_resumed_run_has(
    resumed: list[float], control: list[float], answer: str
) -> None:
    assert judge_moments([3.0, 2.0], resumed, control).answer == answer

"""What a dead attempt leaves at the service is finished, deleted and reconciled; what is needed stays."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.engine.retry import Fault
from scheduler.state import keys
from scheduler.state.reconciliation import Reconciliation
from scheduler.state.service_facts import read_facts, record_facts
from sweeps.stage import Stage
from tests.tinker_offline.process import Server
from tests.worker.dead_attempts import count_tokens, kill_training, make_housekeeping, read_ledger, submit_training
from tests.worker.workshop import Workshop
from worker.attempt import Attempt
from worker.maintenance import reconcile
from worker.maintenance.housekeeping import Housekeeping, HousekeepingSummary
from worker.maintenance.probes import FIRST, Probes
from worker.maintenance.session_upkeep import NOT_ALLOWED
from worker.outcome import Stopped, Succeeded
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient


def sessions(workshop: Workshop, stage: Stage, attempt: int = 1) -> dict[str, str | None]:
    account = AccountClient(workshop.context.endpoint("offline/ngram-s"))
    ours = account.find_sessions(reconcile.build_metadata(workshop.context.fleet, f"{stage.id}|{attempt}"))
    return {session.id: session.status for session in ours}


def read_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings of housekeeping itself, without its prefix."""
    ours = [record for record in caplog.records if record.name.startswith("worker.maintenance")]
    return [record.getMessage().removeprefix("housekeeping: ") for record in ours if record.levelname == "WARNING"]


def test_a_dead_attempts_session_is_finished_and_its_tokens_are_what_the_service_counted(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = kill_training(workshop, monkeypatch)
    assert list(sessions(workshop, stage).values()) == ["active"]
    assert read_ledger(workshop)["unreconciled"] > 0
    keeper = make_housekeeping(workshop)
    assert keeper.round().finished == 1
    assert list(sessions(workshop, stage).values()) == ["client_finished"]
    assert read_ledger(workshop)["unreconciled"] > 0, "it is not reconciled before its session is over"
    assert keeper.round().reconciled == 1
    assert (read_ledger(workshop)["tokens"], read_ledger(workshop)["unreconciled"]) == (count_tokens(workshop), 0)
    assert keeper.round() == HousekeepingSummary()
    assert isinstance(workshop.attempt(stage), Succeeded)
    assert read_ledger(workshop)["tokens"] == count_tokens(workshop)


def test_nothing_of_an_attempt_that_runs_is_touched(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt works while the first is finished and reconciled."""
    stage, keeper = kill_training(workshop, monkeypatch), make_housekeeping(workshop)
    rounds: list[HousekeepingSummary] = []
    ask = Attempt.stop_if_asked

    def asked(this: Attempt) -> Stopped | None:
        if len(rounds) < 3:
            rounds.append(keeper.round())
            assert set(sessions(workshop, stage, 2).values()) == {"active"}
        return ask(this)

    monkeypatch.setattr(Attempt, "stop_if_asked", asked)
    assert isinstance(workshop.attempt(stage), Succeeded)
    assert [round_done.finished for round_done in rounds] == [1, 0, 0]
    assert read_ledger(workshop)["tokens"] == count_tokens(workshop)


def test_what_a_dead_attempt_saved_is_deleted_unless_a_list_knows_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = kill_training(workshop, monkeypatch)
    account = AccountClient(workshop.context.endpoint("offline/ngram-s"))
    (session,) = sessions(workshop, stage)
    client = workshop.store.client
    newest = str((workshop.store.read_assignment(stage.id).checkpoint or {})["path"])
    (before,) = set(account.list_checkpoints(session)) - {newest}
    pipe = client.pipeline()
    getattr(pipe, "lpop")(keys.checkpoints(stage.id))  # noqa: B009 - our protocol of a client lists what our code calls
    pipe.execute()
    keeper = make_housekeeping(workshop)
    assert before in account.list_checkpoints(session)
    assert sum(keeper.round().deleted for _ in range(2)) == 1
    assert account.list_checkpoints(session) == [newest]
    assert client.zcard(keys.DISCARDED) == 0


def test_what_is_discarded_is_deleted_and_what_is_gone_already_counts_as_done(workshop: Workshop) -> None:
    stage = submit_training(workshop)
    assert isinstance(workshop.attempt(stage), Succeeded)
    discarded = [discarded.path for discarded in Reconciliation(workshop.store).read_discarded(10)]
    assert len(discarded) >= 2
    account = AccountClient(workshop.context.endpoint("offline/ngram-s"))
    account.delete(discarded[0])
    assert make_housekeeping(workshop).round().deleted == len(discarded)
    (session,) = sessions(workshop, stage)
    assert account.list_checkpoints(session) == [(workshop.store.read_assignment(stage.id).checkpoint or {})["path"]]
    assert make_housekeeping(workshop).round() == HousekeepingSummary()


def test_checkpoints_live_on_while_they_are_needed_and_not_longer(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tinker: Server
) -> None:
    stage = kill_training(workshop, monkeypatch)
    client = workshop.store.client
    path = str((workshop.store.read_assignment(stage.id).checkpoint or {})["path"])
    run = path.removeprefix("tinker://").partition("/")[0]
    tinker.rest().set_checkpoint_ttl_from_tinker_path(path, 60).result(30)
    assert make_housekeeping(workshop).round().extended == 0, "it is not half way yet"
    client.zadd(keys.EXPIRING, {stage.id: 0})
    assert make_housekeeping(workshop).round().extended == 1
    expiries = {
        checkpoint.tinker_path: checkpoint.expires_at
        for checkpoint in tinker.rest().list_checkpoints(run).result(30).checkpoints
    }
    assert (expiries[path] or datetime.max.replace(tzinfo=UTC)) > datetime.now(UTC) + timedelta(days=6)
    assert (client.zscore(keys.EXPIRING, stage.id) or 0) > 0
    workshop.store.scripts.run("cancel_sweep", "one")
    workshop.spread()
    client.zadd(keys.EXPIRING, {stage.id: 0})
    assert make_housekeeping(workshop).round().extended == 0
    assert client.zscore(keys.EXPIRING, stage.id) is None


def test_money_that_may_not_be_looked_up_stays_booked(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kill_training(workshop, monkeypatch)
    booked, keeper = read_ledger(workshop), make_housekeeping(workshop)

    def forbidden(*_: object) -> None:
        raise ServiceError(Fault.ACCOUNT, "403")

    monkeypatch.setattr(AccountClient, "read_usage", forbidden)
    for _ in range(3):
        keeper.round()
        for attempt in workshop.store.client.zrange(keys.UNRECONCILED, 0, -1):
            workshop.store.client.zadd(keys.UNRECONCILED, {attempt: 0})
    assert read_ledger(workshop) == booked
    assert len(read_warnings(caplog)) == 1


def test_a_service_that_does_not_let_us_finish_is_waited_for(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kill_training(workshop, monkeypatch)
    monkeypatch.setattr(AccountClient, "finish", lambda _account, _session: False)
    keeper = make_housekeeping(workshop)
    assert [keeper.round() for _ in range(3)] == [HousekeepingSummary()] * 3
    assert read_ledger(workshop)["unreconciled"] > 0
    assert read_warnings(caplog) == [NOT_ALLOWED]


def test_what_a_probe_found_useless_is_not_tried(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage, keeper = kill_training(workshop, monkeypatch), make_housekeeping(workshop)
    record_facts(workshop.store, "offline", {"finish": "no"})
    assert [keeper.round() for _ in range(3)] == [HousekeepingSummary()] * 3
    assert list(sessions(workshop, stage).values()) == ["active"]
    assert read_warnings(caplog) == [NOT_ALLOWED]
    record_facts(workshop.store, "offline", {"finish": "yes"})
    assert (keeper.round().finished, keeper.round().reconciled) == (1, 1)


def test_a_pending_bill_of_a_probe_is_read_when_it_is_there(workshop: Workshop) -> None:
    """At once offline; of the live service not before its lag is over."""
    record_facts(workshop.store, "offline", {"pending": f"{measured(workshop)} offline/ngram-s"})
    record_facts(workshop.store, "tinker", {"pending": "elsewhere some/model"})
    make_housekeeping(workshop, lag=3600).round()
    facts, live = read_facts(workshop.store, "offline"), read_facts(workshop.store, "tinker")
    assert (facts.forward, facts.pending) == ("training", None)
    assert live.pending is not None


def test_a_bill_that_may_not_be_read_is_waited_for_no_longer(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*_: object) -> None:
        raise ServiceError(Fault.ACCOUNT, "403")

    record_facts(workshop.store, "offline", {"pending": "s offline/ngram-s"})
    monkeypatch.setattr(AccountClient, "read_usage", forbidden)
    make_housekeeping(workshop).round()
    assert read_facts(workshop.store, "offline").pending is None
    assert "`forward`" in read_warnings(caplog)[0]


def measured(workshop: Workshop) -> str:
    """A session in which nothing but `forward` was done."""
    probes = Probes(workshop.context.endpoint("offline/ngram-s"), "offline/ngram-s")
    with probes.session("forward") as session:
        trainer = probes.open_trainer(session)
        probes.wait(trainer.forward(FIRST))
    return trainer.session_id


def test_a_service_that_hangs_costs_one_call_and_nothing_is_forgotten(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage = kill_training(workshop, monkeypatch)
    assert sessions(workshop, stage)
    process = workshop.tinker._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        assert Housekeeping(workshop.context, period=0, lag=0, deadline=0.3).round() == HousekeepingSummary()
    finally:
        process.send_signal(signal.SIGCONT)
    assert len(read_warnings(caplog)) == 1
    keeper = make_housekeeping(workshop)
    assert (keeper.round().finished, keeper.round().reconciled) == (1, 1)


def test_a_session_that_could_not_be_finished_is_tried_again(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else would ever end it while something keeps it alive, and its cost would stay booked for good."""
    stage, keeper = kill_training(workshop, monkeypatch), make_housekeeping(workshop)

    def away(*_: object) -> None:
        raise ServiceError(Fault.OUTAGE, "503")

    with monkeypatch.context() as outage:
        outage.setattr(AccountClient, "finish", away)
        assert keeper.round() == HousekeepingSummary()
    assert (keeper.round().finished, keeper.round().reconciled) == (1, 1)
    assert list(sessions(workshop, stage).values()) == ["client_finished"]
    assert read_ledger(workshop)["unreconciled"] == 0


def test_one_worker_at_a_time_is_on_duty(workshop: Workshop) -> None:
    reconciliation = Reconciliation(workshop.store)
    assert [reconciliation.take_duty(who, 60) for who in ("a", "b", "a")] == [True, False, True]
    reconciliation.take_duty("a", 0)
    assert reconciliation.take_duty("b", 60)

"""What the service says about unreconciled attempts is judged by pure functions."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.state.reconciliation import UnreconciledAttempt
from sweeps.cost import Usage
from worker.maintenance.reconcile import (
    LONGEST_WINDOW,
    Bill,
    are_over,
    build_metadata,
    plan_windows,
    select_unfinished,
    sum_bills,
    sum_usage,
)
from worker.sdk.rest import SessionRecord, SessionUsage

NOW = datetime(2026, 7, 14, 10, 20, tzinfo=UTC)


def found(status: str | None) -> list[SessionRecord]:
    return [SessionRecord("s", status, NOW)]


@pytest.mark.parametrize("status", ["active", "cancelled", None])
def test_a_session_that_may_come_to_life_again_is_finished_once(status: str | None) -> None:
    assert select_unfinished(found(status), asked=()) == ["s"]
    assert select_unfinished(found(status), asked={"s"}) == []


@pytest.mark.parametrize("status", ["client_finished", "failed"])
def test_a_session_that_has_ended_is_left_alone(status: str) -> None:
    assert select_unfinished(found(status), asked=()) == []
    assert are_over(found(status), finished=())


def test_a_session_that_works_is_over_only_when_the_service_let_us_finish_it() -> None:
    assert not are_over(found("active"), finished=())
    assert are_over(found("active"), finished={"s"})
    assert are_over([], finished=()), "an attempt that opened none"


def test_every_session_of_the_attempt_counts_and_no_other() -> None:
    """The stage's other attempts, and another installation that shares the account, are not its cost."""
    attempt = UnreconciledAttempt("evaluate-b|1", "train-a|2", "m", sessions=("named",))
    ours = {**build_metadata("fleet", "train-a|2"), "sweep": "s"}
    used = [
        SessionUsage("named", {}, Usage(training=1)),
        SessionUsage("unnamed", ours, Usage(training=10)),
        SessionUsage("unnamed", ours, Usage(training=100, sample=7)),
        SessionUsage("x", {**ours, "attempt": "1"}, Usage(training=1_000)),
        SessionUsage("y", {**ours, "fleet": "another"}, Usage(training=10_000)),
    ]
    assert sum_usage(attempt, used, "fleet") == Usage(training=111, sample=7)


def test_a_bill_is_of_a_sweep_of_ours_and_names_an_amount_where_the_service_does() -> None:
    ours = {"fleet": "fleet", "sweep": "s", "stage": "train-a", "attempt": "1"}
    used = [
        SessionUsage("a", ours, Usage(training=10), 0.25),
        SessionUsage("b", {**ours, "attempt": "2"}, Usage(prefill=5), None),
        SessionUsage("c", {**ours, "sweep": "t"}, Usage(training=1)),
        SessionUsage("d", {**ours, "fleet": "another"}, Usage(training=100), 9.0),
        SessionUsage("e", {}, Usage(training=100), 9.0),
    ]
    assert sum_bills(used, "fleet") == {"s": Bill(15, 0.25), "t": Bill(1, None)}
    assert sum_bills(used, "fleet")["s"].micro_usd == 250_000


@pytest.mark.parametrize("days", [0, 0.3, 13.9, 14, 30, 45])
def test_the_windows_are_full_hours_of_lawful_length_without_a_gap(days: float) -> None:
    began = NOW - timedelta(days=days)
    spans = list(plan_windows([UnreconciledAttempt("a|1", "a|1", "m", over=NOW, began=began)], NOW))
    assert spans[0][0] <= began
    assert spans[-1][1] > NOW
    assert all(end - start <= LONGEST_WINDOW for start, end in spans)
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(spans))
    assert all((moment.minute, moment.second) == (0, 0) for span in spans for moment in span)


def test_what_is_counted_just_now_may_fall_into_the_next_hour() -> None:
    late = NOW.replace(minute=59, second=59)
    assert list(plan_windows([UnreconciledAttempt("a|1", "a|1", "m", over=late, began=NOW)], late))[-1][
        1
    ] > late + timedelta(hours=1)


def test_an_attempt_without_a_session_is_looked_for_nevertheless() -> None:
    ((start, _),) = plan_windows([UnreconciledAttempt("a|1", "a|1", "m", over=NOW)], NOW)
    assert start < NOW - timedelta(hours=23)

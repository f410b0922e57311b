"""`sweep reconcile`: compare the books with the sessions that the service knows, and book what they lack."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.upkeep.service_questions import LIVE, ask_service
from scheduler.service_check import OFFLINE_MODELS
from scheduler.settings import read_settings
from scheduler.state.keeping.session_comparison import KnownSession, SessionComparison, compare_sessions
from scheduler.state.people.audit_log import audit_change
from scheduler.state.server.failover import close_books
from sweeps.formatting import format_count

LISTING = "worker.maintenance.session_main"
LONGEST = 14  # days of which a service tells what was used
SECOND = timedelta(seconds=1)


@click.command()
@click.option("--offline", is_flag=True, help="At the offline service, not at Tinker.")
@click.option("--days", type=click.IntRange(1, LONGEST), default=LONGEST, show_default=True, help="Look back so far.")
@click.option("--book", is_flag=True, help="Close the books, so that a worker books what they lack.")
@click.pass_obj
def reconcile(output: Output, offline: bool, days: int, book: bool) -> None:
    """Compare the recorded costs with what Tinker counted.

    It lists sessions that the books lack, and trainings of which the service counted other tokens. It changes nothing
    without --book.
    """
    settings = read_settings()
    since = datetime.now(UTC) - timedelta(days=days)
    with open_store(settings) as store:
        model, fleet = OFFLINE_MODELS[0] if offline else LIVE, store.read_fleet_name()
        answer = ask_service(settings, model, LISTING, fleet, str(since.timestamp()))
        sessions = [KnownSession(**row) for row in answer["sessions"]]
        counted = store.read_now() - timedelta(seconds=0 if offline else settings.usage_lag)
        found_sessions = compare_sessions(store, sessions, since, counted)
        closes = book and bool(found_sessions.lacking)
        if closes:
            audit_change(store, find_actor(settings), "close books", "")
            first = min(row.session.began for row in found_sessions.lacking)
            close_books(store, "`sweep reconcile --book`", datetime.fromtimestamp(first, UTC) - SECOND)
    if output.for_people:
        _say(output, found_sessions, days=days, closes=closes)
    elif output.form == "csv":
        output.print_csv(_list_rows(found_sessions))
    else:
        output.print_document(_make_document(found_sessions, closes=closes))


def _list_rows(comparison: SessionComparison) -> list[dict[str, Any]]:
    return [{**asdict(row.session), "state": row.state} for row in comparison.sessions]


def _make_document(comparison: SessionComparison, *, closes: bool) -> dict[str, Any]:
    return {
        "sessions": _list_rows(comparison),
        "differences": [asdict(difference) for difference in comparison.differences],
        "compared": comparison.compared,
        "books_closed": closes,
    }


def _say(output: Output, comparison: SessionComparison, *, days: int, closes: bool) -> None:
    states = Counter(row.state for row in comparison.sessions)
    counts = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    number = format_count(len(comparison.sessions), "session")
    output.say(f"{number} in {format_count(days, 'day')}: {counts or 'none'}")
    if comparison.lacking:
        rows = [{"state": row.state, **asdict(row.session)} for row in comparison.lacking]
        output.print_table(rows, title="not in the books")
    if comparison.differences:
        output.print_table([asdict(difference) for difference in comparison.differences], title="other tokens")
    else:
        output.say(f"the tokens of all {comparison.compared:,} compared trainings and evaluations are equal")
    if closes:
        output.say("the books are closed; a worker books what they lack, and opens them: see `sweep status`")
    elif comparison.lacking:
        output.say("`sweep reconcile --book` books what the books lack")


commands = {"reconcile": reconcile}

"""Compare closed books with the service's sessions, book what they lack, and open them again.

After a failover the books may lack the last writes (decision 0037). Lists the fleet's sessions at each service; writes
what is missing to the store as unreconciled, so that the books are never below what the service did. The exact amounts
follow by the reconciliation of every attempt of unknown cost.
"""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from scheduler.services import ANY_VOCABULARY, CLIENTS, SERVICES, find_service
from scheduler.state import keys
from scheduler.state.milliseconds import write_moment
from scheduler.state.server.failover import Books, LostSession, read_books, read_lost_sessions
from scheduler.waiting_reasons import describe_books
from sweeps.cost import Rates
from worker.maintenance import reconcile
from worker.maintenance.service_actions import REFUSALS, ServiceActions
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient, SessionUsage

SKEW = timedelta(minutes=5)  # by which the clocks of servers and services may differ
DUTY = keys.BOOKKEEPER.removeprefix(keys.PREFIX)
HELD = 30.0  # seconds for which one worker of the fleet has the duty to compare

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FleetSession:
    """A session that this installation opened."""

    name: str
    metadata: dict[str, str]
    began: datetime


class LostWrites:
    """Finds what closed books lack. `rates` are the prices of a model, for work of which the books know nothing."""

    def __init__(self, actions: ServiceActions, *, lag: float, rates: Callable[[str], Rates]) -> None:
        self._actions = actions
        self._store = actions.context.store
        self._lag = lag
        self._rates = rates

    def compare_if_closed(self) -> bool:
        """Compare closed books. Return whether that opened them. A service that is away keeps them closed."""
        if not self._store.client.hget(keys.BOOKS, "closed"):
            return False
        worker = self._actions.context.leases.worker
        if not self._actions.reconciliation.take_duty(worker, HELD, DUTY):
            return False
        books, listed = read_books(self._store), self._store.scripts.read_time()
        untold = list[str]()
        for service, model in self._list_services().items():
            answer = self._compare(service, model, books)
            if answer is None:
                return False
            untold += [] if answer else [service]
        pools = [f"{service}/{client}" for service in SERVICES for client in CLIENTS]
        self._store.scripts.run("book_lost_continuations", *pools)
        is_open = bool(self._store.scripts.run("reopen_books", books.run, books.asked, listed, *untold))
        if is_open:
            log.warning("the books are open again: %s", describe_books(read_books(self._store)) or "they lack nothing")
        return is_open

    def book_lost_sessions(self) -> int:
        """Book what the sessions cost that belong to nothing that the books know, once the service has counted it."""
        lost = read_lost_sessions(self._store)
        return sum(
            self._book_sessions_at(service, [session for session in lost if session.service == service])
            for service in {session.service for session in lost}
        )

    def _list_services(self) -> dict[str, str]:
        """Map each service where this fleet may have spent to a model there."""
        recent = self._actions.reconciliation.read_recent_sweeps(datetime.now(UTC) - reconcile.LONGEST_WINDOW)
        services = {find_service(model): model for sweep in recent.values() for model in sweep.models}
        if "tinker" not in services and os.environ.get("TINKER_API_KEY"):
            services["tinker"] = "any"
        with suppress(ServiceError):  # there is no such service here
            self._actions.context.endpoint(ANY_VOCABULARY)
            services.setdefault("offline", ANY_VOCABULARY)
        return services

    def _compare(self, service: str, model: str, books: Books) -> bool | None:
        """Book each session that the books lack. Return False if the service cannot tell, None if it is away."""
        since = datetime.fromtimestamp(books.since / 1000, UTC) - SKEW
        try:
            sessions = self._list_sessions(service, self._open_account(model), since)
        except ServiceError as error:
            self._actions.note(f"the books stay closed: {service}: {error}")
            return False if error.missing or error.fault in REFUSALS else None
        if sessions is None:
            return False
        for session in sessions:
            self._book(service, session)
        return True

    def _list_sessions(self, service: str, account: AccountClient, since: datetime) -> list[FleetSession] | None:
        """List the sessions of this fleet, or read them from the usage report. Return None: the service has neither."""
        fleet, ask = {"fleet": self._actions.context.fleet}, self._actions.capabilities.ask
        sessions = ask(service, "search", lambda: account.find_sessions(fleet, since), None)
        if sessions is not None:
            return [FleetSession(session.id, dict(session.metadata), session.began) for session in sessions]
        windows = list(reconcile.split_into_windows(since, datetime.now(UTC)))
        used = ask(service, "usage", lambda: _read_usage(account, windows), None)
        if used is None or service != "offline":  # the live service's report is complete only after hours
            return None
        mine = {usage.session: usage for usage in used if fleet.items() <= usage.metadata.items()}
        return [FleetSession(name, dict(usage.metadata), since + SKEW) for name, usage in mine.items()]

    def _book(self, service: str, session: FleetSession) -> None:
        run, tags, began = self._store.scripts.run, session.metadata, write_moment(session.began)
        stage, attempt, sweep = tags.get("stage", ""), tags.get("attempt", ""), tags.get("sweep", "")
        known = "stranger"
        if stage and attempt.isdecimal():
            known = run("book_lost_attempt", stage, attempt, sweep, began)
        if known == "stranger" and (stage or "canary" in tags):
            label = f"canary {tags['canary']}" if "canary" in tags and not stage else sweep
            lag = 0 if service == "offline" else round(1000 * self._lag)
            run("note_lost_session", service, session.name, label, began, lag)

    def _book_sessions_at(self, service: str, sessions: Sequence[LostSession]) -> int:
        """Book what the service counted for these sessions."""
        start = min(session.began for session in sessions) - SKEW
        windows = list(reconcile.split_into_windows(start, datetime.now(UTC)))
        try:
            account = self._open_account(self._list_services().get(service, "any"))
            used = self._actions.capabilities.ask(service, "usage", lambda: _read_usage(account, windows), None)
        except ServiceError as error:
            self._actions.note(f"{service}: {error}")
            return 0
        if used is None:
            return 0
        return sum(self._book_session(session, used) for session in sessions)

    def _book_session(self, session: LostSession, used: Sequence[SessionUsage]) -> int:
        mine = [usage for usage in used if usage.session == session.name]
        tokens = sum(usage.usage.tokens for usage in mine)
        return int(self._store.scripts.run("book_lost_session", session.name, tokens, sum(map(self._price, mine))))

    def _price(self, used: SessionUsage) -> int:
        return round(used.usd * 1e6) if used.usd is not None else self._rates(used.model).price(used.usage)

    def _open_account(self, model: str) -> AccountClient:
        return self._actions.open_account(self._actions.context.endpoint(model))


def _read_usage(account: AccountClient, windows: Sequence[tuple[datetime, datetime]]) -> list[SessionUsage]:
    return [usage for start, end in windows for usage in account.read_usage(start, end)]

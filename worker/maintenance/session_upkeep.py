"""Finish the sessions that ended attempts left open at the service, and record what they left there.

Lists and finishes sessions at the service; writes the end of each attempt's sessions to the store.
"""

from collections.abc import Sequence

from scheduler.services import find_service
from scheduler.state import keys
from scheduler.state.reconciliation import UnreconciledAttempt
from scheduler.state.service_facts import read_facts
from worker.maintenance import reconcile
from worker.maintenance.service_actions import Round, ServiceActions
from worker.sdk.rest import AccountClient

UNFINISHED = 3600.0  # seconds after which a session that cannot be searched for has ended by itself
NOT_ALLOWED = "the service does not let us finish sessions of workers that died; they end by themselves"


class SessionCloser:
    """Finishes sessions of ended attempts. `lag` is after how many seconds the live service's bills are complete."""

    def __init__(self, actions: ServiceActions, *, lag: float) -> None:
        self._actions = actions
        self._lag = lag
        self._asked: set[str] = set()  # sessions that we asked to end
        self._finished: set[str] = set()  # sessions that the service let us finish

    def close(self, this: Round, most: int) -> int:
        """Finish what up to `most` ended attempts left open; return the number of sessions finished."""
        attempts = [attempt for attempt in self._actions.reconciliation.read_unreconciled(most) if attempt.over is None]
        return self._actions.run_each(this, keys.UNRECONCILED, attempts, self._close_sessions)

    def _close_sessions(self, account: AccountClient, attempt: UnreconciledAttempt) -> int:
        """Finish the sessions of an ended attempt; once all are over, record what they left."""
        if attempt.in_use:
            self._actions.postpone(attempt)
            return 0
        service, ask = find_service(attempt.model), self._actions.capabilities.ask
        metadata = reconcile.build_metadata(self._actions.context.fleet, attempt.opener)
        sessions = ask(service, "search", lambda: account.find_sessions(metadata), None)
        lag, record_end = 0.0 if service == "offline" else self._lag, self._actions.reconciliation.record_session_end
        if sessions is None:  # its usage will be found by the metadata, once no more can be added
            record_end(attempt, began=None, lag=lag + UNFINISHED, sessions=(), paths=())
            return 0
        unfinished = reconcile.select_unfinished(sessions, self._asked) if self._may_finish(attempt.model) else []
        finished = [session for session in unfinished if self._finish(account, service, session)]
        if finished or not reconcile.are_over(sessions, self._finished):
            self._actions.postpone(attempt)  # its last requests may still be ending
            return len(finished)
        ids, nothing = [session.id for session in sessions], list[str]()
        paths = ask(service, "checkpoints", lambda: _list_checkpoints(account, ids), nothing)
        record_end(attempt, began=reconcile.find_start(sessions), lag=lag, sessions=ids, paths=paths)
        return 0

    def _finish(self, account: AccountClient, service: str, session: str) -> bool:
        allowed = self._actions.capabilities.ask(service, "finish", lambda: account.finish(session), False)
        self._asked.add(session)  # only now: a session that the service did not hear about is tried again
        if not allowed:
            self._actions.note(NOT_ALLOWED)
            return False
        self._finished.add(session)
        return True

    def _may_finish(self, model: str) -> bool:
        """Check whether a probe found that finishing sessions is useless at this service."""
        allowed = read_facts(self._actions.context.store, find_service(model)).finish is not False
        if not allowed:
            self._actions.note(NOT_ALLOWED)
        return allowed


def _list_checkpoints(account: AccountClient, sessions: Sequence[str]) -> list[str]:
    return [path for session in sessions for path in account.list_checkpoints(session)]

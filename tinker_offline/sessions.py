"""Keep the sessions: who opened them, whether they are alive, how they ended. They survive a restart.

Appends to one journal file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tinker_offline.errors import Refusal
from tinker_offline.journal import Journal
from tinker_offline.request_models import CreateSession, FinishSession, SearchSessions, StatusQuery

SILENT = timedelta(seconds=120)  # without a heartbeat (clients send one every 10 s)


@dataclass
class ClientSession:
    """One session of a client."""

    session_id: str
    created_at: datetime
    request: CreateSession
    last_seen: datetime
    last_beat: datetime
    finished: FinishSession | None = None
    dropped: str | None = None  # the reason
    runs: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        """Return the status. A session without heartbeats is shown as cancelled before it is dropped."""
        if self.finished is not None:
            return {"type": "client_finished", **self.finished.model_dump()}
        if self.dropped is not None:
            return {"type": "cancelled", "detail": self.dropped}
        if datetime.now(UTC) - self.last_seen > SILENT:
            return {"type": "cancelled", "detail": f"no heartbeat since {self.last_seen.isoformat()}"}
        return {"type": "active"}

    def make_refusal(self) -> Refusal | None:
        """Return the refusal of every further request if the session is over, else None."""
        if self.finished is not None:
            return Refusal(f"session {self.session_id} was finished ({self.finished.reason.type})")
        if self.dropped is not None:
            return Refusal(f"session {self.session_id} was dropped: {self.dropped}", 410)
        return None


class Sessions:
    """All sessions of one state folder."""

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self._sessions: dict[str, ClientSession] = {}
        for entry in self._journal.read():
            self._replay(entry)

    def _replay(self, entry: dict[str, Any]) -> None:
        if "created" in entry:
            at = datetime.fromisoformat(entry["at"])
            request, now = CreateSession.model_validate(entry["created"]), datetime.now(UTC)
            self._sessions[entry["session"]] = ClientSession(entry["session"], at, request, last_seen=at, last_beat=now)
        elif "finished" in entry:
            self._sessions[entry["session"]].finished = FinishSession.model_validate(entry["finished"])
        elif "dropped" in entry:
            self._sessions[entry["session"]].dropped = entry["dropped"]
        elif "run" in entry:
            self._sessions[entry["session"]].runs.append(entry["run"])

    def create(self, request: CreateSession) -> ClientSession:
        now = datetime.now(UTC)
        session_id = uuid4().hex
        self._record({"session": session_id, "at": now.isoformat(), "created": request.model_dump()})
        return self._sessions[session_id]

    def add_run(self, session: ClientSession, run_id: str) -> None:
        self._record({"session": session.session_id, "run": run_id})

    def finish(self, session_id: str, request: FinishSession) -> None:
        """Finish a session; the first reason counts."""
        if self.get(session_id).make_refusal() is None:
            self._record({"session": session_id, "finished": request.model_dump()})

    def drop_silent(self, seconds: float) -> Iterator[ClientSession]:
        """Drop the sessions without a heartbeat for this long since the server started, and yield each."""
        limit = datetime.now(UTC) - timedelta(seconds=seconds)
        silent = [
            candidate
            for candidate in self._sessions.values()
            if candidate.last_beat < limit and candidate.make_refusal() is None
        ]
        for session in silent:
            self._record({"session": session.session_id, "dropped": f"no heartbeat for {seconds:g} s"})
            yield session

    def _record(self, entry: dict[str, Any]) -> None:
        self._journal.append(entry)
        self._replay(entry)

    def heartbeat(self, session_id: str) -> None:
        session = self._sessions.get(session_id)
        if session is None or session.make_refusal() is not None:
            raise Refusal(f"session {session_id} is over", 410)
        session.last_seen = session.last_beat = datetime.now(UTC)

    def get(self, session_id: str) -> ClientSession:
        if session_id not in self._sessions:
            raise Refusal(f"no such session: {session_id}", 404)
        return self._sessions[session_id]

    def get_usable(self, session_id: str) -> ClientSession:
        """Return the session. Raises Refusal if it is over."""
        session = self.get(session_id)
        if (refusal := session.make_refusal()) is not None:
            raise refusal
        session.last_seen = datetime.now(UTC)
        return session

    def list_newest(self) -> list[ClientSession]:
        """List the sessions, newest first."""
        return sorted(self._sessions.values(), key=_sort_key, reverse=True)

    def search(self, query: SearchSessions) -> list[ClientSession]:
        """Find sessions; return one more than fits on a page, so that the caller sees whether there is a next page."""
        matching = (session for session in self.list_newest() if _matches(session, query))
        if query.cursor is not None:
            cursor = (query.cursor.last_created_at, query.cursor.last_session_id)
            matching = (session for session in matching if _sort_key(session) < cursor)
        return [session for session, _ in zip(matching, range(query.limit + 1), strict=False)]


def _sort_key(session: ClientSession) -> tuple[datetime, str]:
    return session.created_at, session.session_id


def _matches(session: ClientSession, query: SearchSessions) -> bool:
    metadata = session.request.user_metadata or {}
    if query.statuses is not None and not _has_status(session.status(), query.statuses):
        return False
    if any(metadata.get(key) != value for key, value in query.user_metadata.items()):
        return False
    if query.session_id is None and query.display_name is None:
        return True
    words = (query.display_name or "").lower().split()
    name = (session.request.display_name or "").lower()
    return session.session_id == query.session_id or (bool(words) and all(word in name for word in words))


def _has_status(status: dict[str, Any], queries: Iterable[StatusQuery]) -> bool:
    return any(
        query.type == status["type"]
        and (query.reasons is None or status.get("reason", {}).get("type") in query.reasons)
        for query in queries
    )

"""Manage an account's sessions and checkpoints, and read its bills, without a session.

Every call has a deadline and raises ServiceError only; the SDK itself would ask a dead server for
minutes.
"""

from collections.abc import Callable, Container, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import tinker
from tinker import types
from tinker.lib.client_connection_pool_type import ClientConnectionPoolType
from tinker.types import SessionSearchRequest, SessionSearchResponse

from scheduler.engine.retry import Fault
from sweeps.cost import Usage
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError, translate
from worker.sdk.futures import run_abandonable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

SEARCH = "/api/v1/sessions/search"
FINISH = "/api/v1/sessions/{}/finish"

DEADLINE = 20.0  # seconds for one call
PAGE = 500  # checkpoints in one answer
ALL_PAGES = 2000  # of a search for everything since a moment
PAGES = 20  # of a search: an attempt has one session, or a few if it was restarted

NOT_FOR_US = (403, 404, 405)  # statuses with which a service refuses to let one process finish another's session
OVER = (409, 410)


class ExpectedRefusal(Exception):
    """The service refused with a status that the caller expects."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True)
class SessionRecord:
    """A session, as the service lists it."""

    id: str
    status: str | None  # active, client_finished, failed or cancelled; None if the service does not say
    began: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionUsage:
    """What the service counted and billed for part of a session; one session has several."""

    session: str
    metadata: Mapping[str, str]
    usage: Usage
    usd: float | None = None  # None if the service names no amount
    model: str = ""


@dataclass(frozen=True)
class AccountCheckpoint:
    """A checkpoint, as the service lists it."""

    path: str
    bytes: int
    created: float  # seconds since 1970
    expires: float | None
    metadata: Mapping[str, str]


class AccountClient:
    """What one API key may see and do at one service."""

    def __init__(self, endpoint: Endpoint, *, deadline: float = DEADLINE) -> None:
        self.endpoint = endpoint
        self._deadline = deadline
        self._opening: Future[_Clients] | None = None

    def find_sessions(self, metadata: Mapping[str, str], since: datetime | None = None) -> list[SessionRecord]:
        """List the sessions that were opened with this metadata, newest first; with `since`, all that began later."""
        request, sessions = SessionSearchRequest(user_metadata=dict(metadata)), list[SessionRecord]()
        for _ in range(PAGES if since is None else ALL_PAGES):
            body = request.model_dump(mode="json", exclude_none=True)
            page = self._ask(_make_post(SEARCH, body, SessionSearchResponse), about_nothing=True)
            sessions += [_read_session(session) for session in page.sessions]
            if page.next_cursor is None or (since is not None and sessions and sessions[-1].began < since):
                break
            request = request.model_copy(update={"cursor": page.next_cursor})
        return sessions if since is None else [session for session in sessions if session.began >= since]

    def finish(self, session: str) -> bool:
        """Finish a session that another process opened; False if the service does not allow it."""
        body = {"reason": {"type": "interrupted"}, "detail": "the attempt that opened it has ended"}
        try:
            self._ask(_make_post(FINISH.format(session), body, type(None)), NOT_FOR_US + OVER)
        except ExpectedRefusal as answer:
            return answer.status in OVER
        return True

    def list_checkpoints(self, session: str) -> list[str]:
        """List the paths of the checkpoints of a session that still exist."""
        paths = []
        try:
            for run in self._ask(lambda clients: clients.rest.get_session(session)).training_run_ids:
                listed = self._ask(lambda clients, run=run: clients.rest.list_checkpoints(run))  # type: ignore[misc]
                paths += [checkpoint.tinker_path for checkpoint in listed.checkpoints]
        except ServiceError as error:
            if not error.missing or error.lacking:
                raise
        return paths

    def list_all_checkpoints(self) -> list["AccountCheckpoint"]:
        """List every checkpoint of the account, newest first."""
        rows: list[AccountCheckpoint] = []
        while True:
            start = len(rows)
            page = self._ask(
                lambda clients, at=start: clients.rest.list_user_checkpoints(limit=PAGE, offset=at),  # type: ignore[misc]
                about_nothing=True,
            )
            rows += [_read_checkpoint(checkpoint) for checkpoint in page.checkpoints]
            if len(page.checkpoints) < PAGE:
                return rows

    def delete(self, path: str) -> None:
        """Delete a checkpoint, if it still exists."""
        self._ignore_missing(lambda clients: clients.rest.delete_checkpoint_from_tinker_path(path))

    def extend(self, path: str, seconds: int) -> bool:
        """Let a checkpoint live this long from now. Return False if it is gone."""
        return self._ignore_missing(lambda clients: clients.rest.set_checkpoint_ttl_from_tinker_path(path, seconds))

    def list_files(self, path: str) -> dict[str, str]:
        """List the files of external weights: their names, and signed addresses to download them from."""
        return dict(self._ask(lambda clients: clients.rest.get_external_weights_urls(path)).urls)

    def read_usage(self, start: datetime, end: datetime) -> list[SessionUsage]:
        """Read the tokens of every session between two full hours, at most 14 days apart."""
        answer = self._ask(lambda clients: clients.admin.get_billing_usage(start, end), about_nothing=True)
        return [
            SessionUsage(
                event.session_id,
                _find_metadata(answer, event.session_id),
                _read_event(event.event_info),
                event.estimated_cost_usd,
                event.base_model or "",
            )
            for event in answer.data
            if event.session_id is not None and not isinstance(event.event_info, _WITHOUT_TOKENS)
        ]

    def _ignore_missing(self, call: "Call[Any]") -> bool:
        """Return False if what the call is about does not exist."""
        try:
            self._ask(call)
        except ServiceError as error:
            if not error.missing or error.lacking:
                raise
            return False
        return True

    def _ask(self, call: "Call[T]", expected: Container[int] = (), *, about_nothing: bool = False) -> T:
        """Return the answer. Raises ServiceError, or ExpectedRefusal with a status in `expected`.

        If the question names no object (`about_nothing`), "not found" means that there is no such call.
        """
        try:
            return self._get_answer(call)
        except TimeoutError:
            raise ServiceError(Fault.OUTAGE, f"no answer from the service in {self._deadline:g} s") from None
        except Exception as error:  # noqa: BLE001 - the SDK raises a mix, which `translate` sorts
            failure = translate(error)
            failure.lacking = failure.lacking or (about_nothing and failure.missing)
            if isinstance(error, tinker.APIStatusError) and error.status_code in expected and not failure.lacking:
                raise ExpectedRefusal(error.status_code) from None
            raise failure from None

    def _get_answer(self, call: "Call[T]") -> T:
        return call(self._get_clients()).result(self._deadline)

    def _get_clients(self) -> "_Clients":
        """Open the clients once; while a dead server delays that for minutes, others wait for the same attempt."""
        opening = self._opening
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = self._opening = run_abandonable(self._open)
        return opening.result(self._deadline)

    def _open(self) -> "_Clients":
        url, key = self.endpoint.base_url, self.endpoint.api_key
        return _Clients(tinker.RestClient(base_url=url, api_key=key), tinker.AdminClient(base_url=url, api_key=key))


class _Clients(NamedTuple):
    rest: tinker.RestClient
    admin: tinker.AdminClient


class _Answer(Protocol[T_co]):
    def result(self, timeout: float | None = None) -> T_co: ...


Call = Callable[[_Clients], _Answer[T]]


def _make_post(path: str, body: Mapping[str, Any], answer: type[T]) -> Call[T]:
    """Return a call for a path that the SDK (0.38) has no public method for, on the SDK's connection and key."""

    def call(clients: _Clients) -> _Answer[T]:
        holder = clients.rest.holder

        async def send() -> T:
            with holder.aclient(ClientConnectionPoolType.TRAIN) as client:
                return await client.post(path, body=dict(body), cast_to=answer)

        return holder.run_coroutine_threadsafe(send())

    return call


def _read_event(counted: Any) -> Usage:
    """Return the tokens of a billing event, by kind."""
    tokens = int(counted.token_count)
    match counted:
        case types.SamplingPrefillBillingEvent(cached=True):
            return Usage(cached_prefill=tokens)
        case types.SamplingPrefillBillingEvent():
            return Usage(prefill=tokens)
        case types.SamplingSampleBillingEvent():
            return Usage(sample=tokens)
        case _:
            return Usage(training=tokens)


_WITHOUT_TOKENS = (types.CheckpointBillingEvent, types.StorageBillingEvent)


def _read_session(session: types.SessionSummary) -> SessionRecord:
    status = session.status.type if session.status else None
    return SessionRecord(session.session_id, status, session.created_at, session.user_metadata or {})


def _find_metadata(usage: types.BillingUsageResponse, session: str) -> Mapping[str, str]:
    owner = usage.sessions.get(session)
    return (owner.user_metadata if owner else None) or {}


def _read_checkpoint(checkpoint: types.Checkpoint) -> AccountCheckpoint:
    expires = checkpoint.expires_at
    return AccountCheckpoint(
        checkpoint.tinker_path,
        checkpoint.size_bytes or 0,
        checkpoint.time.timestamp(),
        None if expires is None else expires.timestamp(),
        checkpoint.user_metadata or {},
    )

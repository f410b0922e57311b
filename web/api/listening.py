"""Tell programs that something has changed, as server-sent events. The events carry no content."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials

from scheduler.errors import StoreUnavailable
from scheduler.state import views
from scheduler.state.people.tokens import find_token
from web.api.callers import Here, Reader, bearer
from web.api.problems import describe_problems
from web.live import STREAMS, tell_versions

SWEEP = "sweep:"  # before a name
STREAM = {
    200: {"content": {"text/event-stream": {}}, "description": "One event for each new version"},
    **describe_problems(401, 404, 422, 503),
}

router = APIRouter(tags=["look"])


@router.get("/events", response_class=Response, responses=STREAM)
def listen(
    desk: Here,
    _: Reader,
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    subject: Annotated[str, Query(alias="of", max_length=300, pattern="^(home|sweep:.+)$")] = "home",
) -> Response:
    """Stream the versions of `home` or of `sweep:NAME`. Then read what you want to know."""
    if subject.startswith(SWEEP):
        views.read_sweep(desk.store, subject.removeprefix(SWEEP))
    if desk.watcher.listeners.total() >= STREAMS:
        raise StoreUnavailable(f"{STREAMS} streams are open already; ask again in a while")
    stream = tell_versions(desk.watcher, desk.ending, subject, _make_check(desk, sent.credentials if sent else ""))
    return StreamingResponse(stream, media_type="text/event-stream")


def _make_check(desk: Here, secret: str) -> Callable[[], bool]:
    return lambda: find_token(desk.store, secret) is not None

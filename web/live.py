"""Tell browsers that something has changed: a number for each subject, and a stream of server-sent events.

While somebody listens, a subject is looked at once a second, however many listen. The events carry no content, but for
browsers the tag of each part of the page.
"""

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from scheduler.errors import SchedulerError
from scheduler.state.connection import RedisError
from web.parts import find_parts
from web.site import Forbidden, NotFound, Visiting, find_site

EVERY = 1.0  # seconds between two looks at a subject
GLANCE = 0.25  # seconds after which a stream sees a new version
QUIET = 15.0  # seconds after which a stream says that it is alive, and looks whether it still may
STREAMS = 200  # at the same time
GONE = "gone"  # the mark of a subject that is not there

log = logging.getLogger("web.live")


@dataclass(frozen=True)
class Version:
    """What was seen of a subject."""

    number: int
    mark: str
    away: bool = False  # Redis did not answer at the last look


class Watcher:
    """Looks at the subjects that somebody listens to. `mark` computes what changes with a subject."""

    def __init__(self, mark: Callable[[str], str]) -> None:
        self._mark = mark
        self._last = round(time.time())  # numbers of an earlier process are smaller, and none is given twice
        self._versions: dict[str, Version] = {}
        self.listeners: Counter[str] = Counter()

    def find(self, subject: str) -> Version | None:
        """Return the version of a subject; None if nobody listens, so that nothing is known."""
        return self._versions.get(subject)

    def count(self, subject: str) -> int | None:
        """Return the number of the version of a subject, as `find` does."""
        version = self.find(subject)
        return None if version is None else version.number

    def add_listener(self, subject: str) -> None:
        """Look at a subject from now on."""
        self.listeners[subject] += 1

    def remove_listener(self, subject: str) -> None:
        """Forget a subject to which nobody listens any more: what is known of it grows old."""
        self.listeners[subject] -= 1
        if not self.listeners[subject]:
            del self.listeners[subject]
            self._versions.pop(subject, None)

    async def run(self) -> None:
        """Look, until the process ends."""
        while True:
            for subject in list(self.listeners):
                await self._look(subject)
            await asyncio.sleep(EVERY)

    async def _look(self, subject: str) -> None:
        known = self._versions.get(subject) or Version(0, "")
        try:
            mark, away = await run_in_threadpool(self._mark, subject), False
        except RedisError:
            mark, away = known.mark, True
        except (SchedulerError, NotFound, ValueError):
            mark, away = GONE, False
        except Exception:  # a bug must not end the watch of all subjects
            log.exception("cannot look at %s", subject)
            return
        if mark != known.mark or not known.number:
            self._last += 1
            known = Version(self._last, mark)
        if subject in self.listeners:
            self._versions[subject] = replace(known, away=away)


router = APIRouter(include_in_schema=False)


@router.get("/events")
async def stream_events(
    request: Request, subject: Annotated[str, Query(alias="of", max_length=300)], visitor: Visiting
) -> StreamingResponse:
    """Stream the versions of one subject."""
    watcher: Watcher = request.app.state.watcher
    if watcher.listeners.total() >= STREAMS:
        raise Forbidden(f"{STREAMS} pages are live already; reload this one by hand")
    sessions = (await find_site(request)).sessions
    stream = tell_versions(
        watcher,
        request.app.state.ending,
        subject,
        lambda: sessions.find(visitor.cookie) is not None,
        lambda: _list_tags(request.app, subject),
    )
    return StreamingResponse(stream, media_type="text/event-stream")


async def _list_tags(app: FastAPI, subject: str) -> dict[str, object]:
    """List the tags of all parts, so that a browser asks only for those that have changed; nothing if some fail."""
    try:
        return {"parts": {url: filled.tag for url, filled in (await find_parts(app, subject)).items()}}
    except Exception:  # noqa: BLE001 - the browser asks for all of them, and gets to know why
        return {}


async def _add_nothing() -> dict[str, object]:
    return {}


async def tell_versions(
    watcher: Watcher,
    ending: threading.Event,
    subject: str,
    may_stay: Callable[[], bool],
    add: Callable[[], Awaitable[dict[str, object]]] = _add_nothing,
) -> AsyncIterator[str]:
    """Tell each new version of a subject, and what `add` adds, until the process ends or the listener may not stay."""
    watcher.add_listener(subject)
    try:
        yield "retry: 2000\n\n"
        last, spoke = None, time.monotonic()
        while not ending.is_set():
            version = watcher.find(subject)
            if version is not None and (version.number, version.away) != last:
                last, spoke = (version.number, version.away), time.monotonic()
                more = {} if version.away else await add()
                event = {"of": subject, "version": version.number, "away": version.away, **more}
                yield f"data: {json.dumps(event)}\n\n"
            elif time.monotonic() - spoke > QUIET:
                spoke = time.monotonic()
                if not await _ask(may_stay):
                    return
                yield ": alive\n\n"
            await asyncio.sleep(GLANCE)
    finally:
        watcher.remove_listener(subject)


async def _ask(may_stay: Callable[[], bool]) -> bool:
    try:
        return await run_in_threadpool(may_stay)
    except RedisError:
        return True

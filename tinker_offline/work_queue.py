"""Do queued work on one thread, and let clients fetch the results by long polling.

All computing happens on one thread, one operation after another, so the event loop always answers
and the order of floating-point operations is the order in which work was started. During a pause,
work whose turn comes is put aside in order. With a clock, operations start at its ticks.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any

import numpy as np

from tinker_offline.errors import Refusal
from tinker_offline.faults.clock import Clock

Reply = bytes | dict[str, Any]
"""A finished result: protobuf, or a JSON object."""

Work = Callable[[], Reply]
KEPT = 64_000_000  # bytes of fetched replies that are kept, in case one was lost on its way

_log = logging.getLogger(__name__)


class Futures:
    """All queued operations and their replies."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compute")
        self._open: dict[str, asyncio.Future[Reply]] = {}
        self._paused = False
        self._aside: deque[Callable[[], None]] = deque()  # used on the compute thread only
        self._fetched: deque[tuple[str, int]] = deque()
        self._kept = 0

    def reserve(self) -> str:
        """Return a request id whose work starts later."""
        request_id = uuid.uuid4().hex
        self._open[request_id] = asyncio.get_running_loop().create_future()
        return request_id

    def start_at_tick(self, request_id: str, work: Work) -> None:
        """Queue the work at the next tick of the clock, or now without a clock."""
        self.clock.take(partial(self.start, request_id, work))

    def start(self, request_id: str, work: Work) -> None:
        """Queue the work now. However it ends, the future has a reply."""
        loop, future = asyncio.get_running_loop(), self._open[request_id]

        def settle(reply: Reply) -> None:
            if not future.done():
                future.set_result(reply)

        def piece() -> None:
            loop.call_soon_threadsafe(settle, _run_work(work))

        self._thread.submit(self._take, piece)

    def _take(self, piece: Callable[[], None]) -> None:
        if self._paused or self._aside:
            self._aside.append(piece)
        else:
            piece()

    def pause(self) -> None:
        """Start no more work; what is being computed is finished."""
        self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._thread.submit(self._take_up)

    def _take_up(self) -> None:
        pieces, self._aside = self._aside, deque()
        for piece in pieces:
            self._take(piece)

    async def wait_for_work(self) -> None:
        """Wait until all work started so far is done and counted, or put aside by a pause."""
        await asyncio.get_running_loop().run_in_executor(self._thread, _do_nothing)

    def fail(self, request_id: str, refusal: Refusal) -> None:
        if not self._open[request_id].done():
            self._open[request_id].set_result(_answer_refusal(refusal))

    async def wait(self, request_id: str, seconds: float) -> Reply | None:
        """Return the reply as soon as it exists; None after `seconds`. A reply can be fetched again for a while."""
        future = self.find(request_id)
        if not future.done():
            await asyncio.wait([future], timeout=seconds)
        if not future.done():
            return None
        self._keep(request_id, future.result())
        return future.result()

    def find(self, request_id: str) -> "asyncio.Future[Reply]":
        if request_id not in self._open:
            raise Refusal(f"no such request: {request_id}; the server may have restarted", 410)
        return self._open[request_id]

    def _keep(self, request_id: str, reply: Reply) -> None:
        size = len(reply) if isinstance(reply, bytes) else 500
        self._fetched.append((request_id, size))
        self._kept += size
        while self._kept > KEPT:
            oldest, size = self._fetched.popleft()
            self._open.pop(oldest, None)
            self._kept -= size

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


def _run_work(work: Work) -> Reply:
    try:
        with np.errstate(all="ignore"):  # a model that diverges is a result, not a warning
            return work()
    except Refusal as refusal:
        return _answer_refusal(refusal)
    except Exception as error:  # noqa: BLE001 (a bug of ours is an answer too, and is logged)
        _log.exception("work failed")
        return _answer_failure(f"{type(error).__name__}: {error}", "server")


def _do_nothing() -> None:
    pass


def _answer_refusal(refusal: Refusal) -> Reply:
    return _answer_failure(refusal.message, "server" if refusal.status == HTTPStatus.GONE else "user")


def _answer_failure(message: str, category: str) -> Reply:
    return {"error": message, "category": category}

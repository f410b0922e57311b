"""Work that was asked for, done on one thread, and fetched by long polling.

All computing happens on one thread, one piece after another, so the event loop always answers and the order of
floating-point operations is the order in which work was started.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tinker_offline.refusal import Refusal

Reply = bytes | dict[str, Any]
"""A finished result: protobuf, or a JSON object."""

Work = Callable[[], Reply]
KEPT = 64_000_000  # bytes of replies that are kept after they were fetched, in case one was lost on its way

_log = logging.getLogger(__name__)


class Futures:
    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compute")
        self._open: dict[str, asyncio.Future[Reply]] = {}
        self._fetched: deque[tuple[str, int]] = deque()
        self._kept = 0

    def reserve(self) -> str:
        """A request id whose work starts later."""
        request_id = uuid.uuid4().hex
        self._open[request_id] = asyncio.get_running_loop().create_future()
        return request_id

    def start(self, request_id: str, work: Work) -> None:
        """Put the work at the end of the queue. However it ends, the future has a reply."""
        loop, future = asyncio.get_running_loop(), self._open[request_id]

        def settle(done: asyncio.Future[Reply]) -> None:
            if not future.done():
                future.set_result(done.result())

        loop.run_in_executor(self._thread, _outcome, work).add_done_callback(settle)

    def fail(self, request_id: str, message: str) -> None:
        if not self._open[request_id].done():
            self._open[request_id].set_result(_failure(message, "user"))

    async def wait(self, request_id: str, seconds: float) -> Reply | None:
        """The reply, as soon as there is one; None after `seconds`. A reply can be fetched again for a while."""
        future = self._open.get(request_id)
        if future is None:
            raise Refusal(f"no such request: {request_id}; the server may have been restarted", 410)
        if not future.done():
            await asyncio.wait([future], timeout=seconds)
        if not future.done():
            return None
        self._keep(request_id, future.result())
        return future.result()

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


def _outcome(work: Work) -> Reply:
    try:
        with np.errstate(all="ignore"):  # a model that diverges is a result, not a warning
            return work()
    except Refusal as refusal:
        return _failure(refusal.message, "user")
    except Exception as error:  # noqa: BLE001 (a fault of ours is an answer too, and is in the log)
        _log.exception("work failed")
        return _failure(f"{type(error).__name__}: {error}", "server")


def _failure(message: str, category: str) -> Reply:
    return {"error": message, "category": category}

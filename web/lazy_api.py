"""Load the API when it is first called: planning and answering need the science, and a page alone does not."""

import asyncio

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from web.api.callers import Desk


class LazyApi:
    """The API on a desk, as an app to mount."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = asyncio.Lock()
        self._app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._lock:
            if self._app is None:
                self._app = await run_in_threadpool(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> FastAPI:
        from web.api.api_app import create_api

        return create_api(self._desk)

"""Make the app: its routes, what watches Redis for the pages, and what each error looks like."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from scheduler.errors import SchedulerError, UnknownSweep
from scheduler.settings import Settings
from scheduler.state.connection import RedisError
from scheduler.state.store import Store
from sweeps.errors import SweepsError
from web.guard import Guard
from web.live import Watcher
from web.live import router as live_router
from web.pages import health_page, home_page, login_page, sweep_page
from web.parts import PartCache
from web.site import Forbidden, LoginNeeded, Site
from web.templating import load_assets, show_page

PAGES = (login_page, home_page, sweep_page, health_page)
WORDS = {404: "There is no such page.", 405: "This page cannot be called like that."}


def create_app(store: Store, settings: Settings) -> FastAPI:
    """Make the app on a store. It opens nothing and starts nothing before it is served."""
    site = Site(store, settings)
    app = FastAPI(title="tinker-sweeps", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_live)
    app.state.site, app.state.parts = site, PartCache()
    app.state.ending = threading.Event()
    app.state.watcher = Watcher(lambda subject: _mark(site, subject))
    for page in PAGES:
        app.include_router(page.router)
    app.include_router(live_router)
    app.add_api_route("/static/{name}", send_asset, include_in_schema=False)
    _add_errors(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(Guard)  # the last one added is the outermost
    return app


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    watching = asyncio.create_task(app.state.watcher.run())
    yield
    app.state.ending.set()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def _mark(site: Site, subject: str) -> str:
    return home_page.mark_home(site) if subject == home_page.HOME else sweep_page.mark_subject(site, subject)


def send_asset(name: str) -> Response:
    """Send our style or script, which may be kept for ever: a new one has another address."""
    if name not in load_assets():
        return Response(status_code=404)
    kind, content = load_assets()[name]
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})


def _add_errors(app: FastAPI) -> None:
    """Say what is wrong and what to do, on a page; a part says it with its status alone."""

    @app.exception_handler(LoginNeeded)
    def ask_for_login(request: Request, _: Exception) -> Response:
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not is_page:
            return Response("log in first", 401)
        onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(onward, safe='')}", 303)

    @app.exception_handler(Forbidden)
    def forbid(_: Request, error: Exception) -> Response:
        return _show_error(403, f"Not allowed: {error}.")

    @app.exception_handler(UnknownSweep)
    def miss(_: Request, error: Exception) -> Response:
        return _show_error(404, f"{error}.")

    @app.exception_handler(RedisError)
    def wait(_: Request, error: Exception) -> Response:
        response = _show_error(503, f"Redis does not answer. This page tries again by itself. ({error})", again=5)
        response.headers["Retry-After"] = "5"
        return response

    @app.exception_handler(SchedulerError)
    @app.exception_handler(SweepsError)
    def refuse(_: Request, error: Exception) -> Response:
        return _show_error(400, str(error))

    @app.exception_handler(RequestValidationError)
    def correct(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        named = ", ".join(".".join(map(str, problem["loc"][1:])) for problem in error.errors())
        return _show_error(400, f"The address has a wrong value: {named}.")

    @app.exception_handler(HTTPException)
    def explain(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _show_error(error.status_code, WORDS.get(error.status_code, str(error.detail)))


def _show_error(status: int, words: str, again: int = 0) -> Response:
    return show_page("error.html", None, {"words": words, "status": status, "again": again}, status)

"""Make the app: its routes, what watches Redis for the pages, and what each error looks like."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from scheduler.errors import NotAllowed, SchedulerError, UnknownSweep
from scheduler.settings import Settings
from scheduler.state.connection import RedisError
from scheduler.state.store import Store
from sweeps.errors import SweepsError
from web.api.callers import PREFIX, Desk
from web.api.problems import make_problem
from web.guard import Guard
from web.lazy_api import LazyApi
from web.live import Watcher
from web.live import router as live_router
from web.pages import (
    compare_page,
    control_page,
    fleet_page,
    health_page,
    home_page,
    items_page,
    login_page,
    new_page,
    run_page,
    stage_page,
    storage_page,
    sweep_page,
)
from web.parts import Filled, PartCache, fill_part
from web.received.forms import recall_form
from web.site import Forbidden, LoginNeeded, NotFound, Site
from web.templating import load_assets, show_page

PAGES = (
    *(login_page, home_page, sweep_page, control_page, run_page, items_page, compare_page, new_page, fleet_page),
    *(health_page, stage_page, storage_page),
)
WORDS = {404: "There is no such page.", 405: "This page cannot be called like that."}


def create_app(store: Store, settings: Settings) -> FastAPI:
    """Make the app on a store. It opens nothing and starts nothing before it is served."""
    site = Site(store, settings)
    app = FastAPI(title="tinker-sweeps", docs_url=None, redoc_url=None, openapi_url=None, lifespan=_live)
    app.state.site, app.state.parts = site, PartCache(lambda subject: _fill(site, subject))
    app.state.ending = threading.Event()
    app.state.watcher = Watcher(lambda subject: _mark(site, subject))
    for page in PAGES:
        app.include_router(page.router)
    app.include_router(live_router)
    desk = Desk(store, settings, app.state.watcher, app.state.ending, site.planner, site.reports, site.files)
    app.mount(PREFIX, LazyApi(desk))
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
    if subject == home_page.HOME:
        return home_page.mark_home(site)
    if subject == fleet_page.FLEET:
        return fleet_page.mark_fleet(site)
    mark = run_page.mark_run if subject.startswith(run_page.SUBJECT) else sweep_page.mark_subject
    return mark(site, subject)


def _fill(site: Site, subject: str) -> Sequence[Filled]:
    if subject == home_page.HOME:
        return home_page.fill_home(home_page.read_home(site, ""), site)
    if subject == fleet_page.FLEET:
        return [fill_part(site, fleet_page.PART, "", fleet_page.URL)]
    fill = run_page.fill_run if subject.startswith(run_page.SUBJECT) else sweep_page.fill_sweep
    return fill(site, subject)


def send_asset(name: str) -> Response:
    """Send our style or script, which may be kept for ever: a new one has another address."""
    if name not in load_assets():
        return Response(status_code=404)
    kind, content = load_assets()[name]
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})


def ask_for_login(request: Request, _: Exception) -> Response:
    """Lead to the login, and from there back; a part says it with its status alone."""
    is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if not is_page:
        return Response("log in first", 401)
    onward = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(onward, safe='')}", 303)


def wait_for_redis(request: Request, error: Exception) -> Response:
    """Say that Redis is away: on a page that tries again, or that has what was sent, to be sent again."""
    if request.method == "GET":
        response = _show_error(503, f"Redis does not answer. This page tries again by itself. ({error})", again=5)
    else:
        values = {"form": recall_form(request), "path": request.url.path, "problem": str(error)}
        response = show_page("unsent.html", None, values, 503)
    response.headers["Retry-After"] = "5"
    return response


def name_wrong_values(_: Request, error: Exception) -> Response:
    """Say which values of an address are wrong."""
    assert isinstance(error, RequestValidationError)
    named = ", ".join(".".join(map(str, problem["loc"][1:])) for problem in error.errors())
    return _show_error(400, f"The address has a wrong value: {named}.")


def explain_status(request: Request, error: Exception) -> Response:
    """Say what a status means."""
    assert isinstance(error, HTTPException)
    words = WORDS.get(error.status_code, str(error.detail))
    if request.url.path.startswith(PREFIX):  # with an address that the API itself does not get
        return make_problem(error.status_code, "not_found", words)
    return _show_error(error.status_code, words)


def _add_errors(app: FastAPI) -> None:
    """Say what is wrong and what to do, on a page."""
    statuses: dict[type[Exception], int] = {
        Forbidden: 403,
        NotAllowed: 403,
        NotFound: 404,
        UnknownSweep: 404,
        SchedulerError: 400,
        SweepsError: 400,
    }
    for kind, status in statuses.items():
        app.add_exception_handler(kind, lambda _, error, status=status: _show_error(status, str(error)))
    app.add_exception_handler(LoginNeeded, ask_for_login)
    app.add_exception_handler(RedisError, wait_for_redis)
    app.add_exception_handler(RequestValidationError, name_wrong_values)
    app.add_exception_handler(HTTPException, explain_status)


def _show_error(status: int, words: str, again: int = 0) -> Response:
    return show_page("error.html", None, {"words": words, "status": status, "again": again}, status)

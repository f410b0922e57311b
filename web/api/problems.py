"""Errors as `application/problem+json`: the sentence that the command line prints, a code, and a status."""

import json
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from scheduler.errors import (
    ArtefactError,
    BudgetTooSmall,
    NotAllowed,
    SchedulerError,
    StoreUnavailable,
    SweepConflict,
    UnknownRun,
    UnknownSweep,
)
from scheduler.state.connection import RedisError
from sweeps.errors import SweepsError
from sweeps.formatting import escape_lines

MEDIA = "application/problem+json"
AGAIN = 5  # seconds after which a client may ask again, where something is away


class TooMany(SchedulerError):
    """More is asked for at once than is done."""


class VersionsDiffer(SchedulerError):
    """A client and the server have different versions of this program."""


STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownSweep, 404),
    (UnknownRun, 404),
    (NotAllowed, 403),
    (SweepConflict, 409),
    (BudgetTooSmall, 409),
    (VersionsDiffer, 409),
    (TooMany, 429),
    (StoreUnavailable, 503),
    (ArtefactError, 503),
    (SchedulerError, 422),
    (SweepsError, 422),
)
TITLES = {
    400: "Bad request",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Cannot be done like this",
    429: "Too many at once",
    503: "Not available now",
}


class Unidentified(Exception):
    """No token came with the request, or it lets nobody in."""


class NothingThere(SchedulerError):
    """There is no such thing."""


class NotSent(SchedulerError):
    """What was sent is not what was announced, or something was not sent."""


class TooMuch(SchedulerError):
    """More was sent than is taken."""


def describe_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe answers with these statuses for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": TITLES[status], "content": {MEDIA: {"schema": schema}}} for status in sorted(statuses)
    }


def make_problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Make the answer for an error. `detail` may quote what people wrote, so control characters are escaped."""
    title = TITLES.get(status, "Error")
    document = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": escape_lines(detail)}
    return Response(json.dumps(document), status, media_type=MEDIA, headers=dict(headers or {}))


def name_code(error: Exception) -> str:
    """Name an error for programs: UnknownSweep -> unknown_sweep."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()


def add_problems(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""

    @app.exception_handler(Unidentified)
    def ask_who(_: Request, error: Exception) -> Response:  # noqa: ARG001 - says the same to all
        detail = "send the secret of a token as `Authorization: Bearer swp_…`; it may have expired or been revoked"
        return make_problem(401, "unidentified", detail, {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(NothingThere)
    def miss(_: Request, error: Exception) -> Response:
        return make_problem(404, "not_found", str(error))

    @app.exception_handler(TooMuch)
    def refuse_size(_: Request, error: Exception) -> Response:
        return make_problem(413, "too_much", str(error))

    @app.exception_handler(RedisError)
    def wait(_: Request, error: Exception) -> Response:
        return make_problem(503, "redis_away", f"Redis does not answer: {error}", {"Retry-After": str(AGAIN)})

    @app.exception_handler(SchedulerError)
    @app.exception_handler(SweepsError)
    def refuse(_: Request, error: Exception) -> Response:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        headers = {"Retry-After": str(AGAIN)} if status in (429, 503) else {}
        return make_problem(status, name_code(error), str(error), headers)

    @app.exception_handler(RequestValidationError)
    def correct(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        wrong = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        return make_problem(422, "invalid_request", "\n".join(wrong))

    @app.exception_handler(HTTPException)
    def explain(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = TITLES.get(error.status_code, "error").lower().replace(" ", "_")
        return make_problem(error.status_code, code, str(error.detail), error.headers)

"""Answers with an ETag, and lists in parts: a cursor names where the next part begins, whatever was added meanwhile."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response

from scheduler.errors import SchedulerError
from sweeps.report.plain_values import simplify

T = TypeVar("T")
MOST = 1000  # entries of one part

Limit = Annotated[int, Query(ge=1, le=MOST, description="at most this many entries")]
Cursor = Annotated[str, Query(max_length=500, description="`next` of the part before; empty for the first")]


class CursorInvalid(SchedulerError):
    """This is no cursor that we gave."""


def answer(request: Request, document: Mapping[str, Any], status: int = 200) -> Response:
    """Answer with JSON and its ETag, or that the caller has it already."""
    body = json.dumps(simplify(document), ensure_ascii=False, separators=(",", ":"), default=str).encode()
    headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:24]}"', "Cache-Control": "private, no-cache"}
    if request.method == "GET" and request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(body, status, media_type="application/json", headers=headers)


def write_cursor(*words: str | int) -> str:
    """Write a place in a list as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(words).encode()).decode().rstrip("=")


def read_cursor(text: str, *kinds: type) -> list[Any] | None:
    """Read the place of a cursor, words of these types; None for the first part. Raise CursorInvalid."""
    if not text:
        return None
    try:
        words = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        words = None
    is_ours = isinstance(words, list) and len(words) == len(kinds)
    if not is_ours or any(type(word) is not kind for word, kind in zip(words, kinds, strict=True)):
        raise CursorInvalid("cursor: expected `next` of an earlier answer, or nothing")
    return list(words)


def take_part(
    entries: Sequence[T], limit: int, place: Callable[[T], Sequence[str | int]]
) -> tuple[Sequence[T], str | None]:
    """Take the first entries, and the cursor of those that follow: the place of the last one taken."""
    taken = entries[:limit]
    return taken, write_cursor(*place(taken[-1])) if len(entries) > limit else None

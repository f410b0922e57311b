"""Parts of pages: what a page shows, in pieces that a browser fetches again by themselves when they have changed.

Part and page are filled by the same function. A part says nothing of who looks, so that all look at the same one.
"""

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from web.site import Site
from web.templating import fill

KEPT = 64  # subjects whose parts are remembered
COMPRESSION = 5  # of nine levels

Reader = Callable[[Site, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Part:
    """A piece of a page about one subject: its template, and what reads the values for it."""

    name: str
    title: str
    read: Reader
    template: str = ""  # `parts/NAME.html`


class Filled(NamedTuple):
    """A part as it is now."""

    name: str
    title: str
    url: str
    html: Markup
    tag: str  # changes with the content
    packed: bytes  # the content, compressed


Parts = Mapping[str, Filled]  # by address


class PartCache:
    """Fills the parts of a subject once for each version, so that twenty browsers cost as much as one.

    `fill` reads the state; it is called in a thread. All methods belong to the event loop.
    """

    def __init__(self, fill: Callable[[str], Sequence[Filled]]) -> None:
        self._fill = fill
        self._filling: OrderedDict[str, tuple[int, asyncio.Task[Parts]]] = OrderedDict()

    async def find(self, subject: str, version: int | None) -> Parts:
        """Return the parts of this version; None is a version that nobody knows, of which nothing is kept.

        Raises what `fill` raises, and forgets it.
        """
        if version is None:
            return await self._fill_anew(subject)
        known = self._filling.get(subject)
        if known is None or known[0] != version or (known[1].done() and known[1].exception()):
            known = version, asyncio.create_task(self._fill_anew(subject))
            self._filling[subject] = known
            self._filling.move_to_end(subject)
            while len(self._filling) > KEPT:
                self._filling.popitem(last=False)
        return await asyncio.shield(known[1])

    async def _fill_anew(self, subject: str) -> Parts:
        return {filled.url: filled for filled in await run_in_threadpool(self._fill, subject)}


def fill_part(site: Site, part: Part, subject: str, url: str) -> Filled:
    """Fill one part about a subject."""
    html = fill(part.template or f"parts/{part.name}.html", part.read(site, subject))
    content = html.encode()
    tag, packed = hashlib.sha256(content).hexdigest()[:20], gzip.compress(content, COMPRESSION, mtime=0)
    return Filled(part.name, part.title, url, Markup(html), tag, packed)  # noqa: S704 - filled by our templates


async def find_parts(app: FastAPI, subject: str) -> Parts:
    """Return the parts of a subject as they are now."""
    cache: PartCache = app.state.parts
    version: int | None = app.state.watcher.count(subject)
    return await cache.find(subject, version)


async def answer_part(request: Request, subject: str, url: str) -> Response:
    """Answer with a part of a subject, or that the browser has it already."""
    filled = (await find_parts(request.app, subject)).get(url)
    if filled is None:
        return Response(status_code=404)
    headers = {"ETag": f'"{filled.tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(filled.html, headers=headers)
    return HTMLResponse(filled.packed, headers={**headers, "Content-Encoding": "gzip"})

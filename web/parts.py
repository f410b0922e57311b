"""Parts of pages: what a page shows, in pieces that a browser fetches again by themselves when they have changed.

Part and page are filled by the same function. A part says nothing of who looks, so that all look at the same one.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from web.site import Site
from web.templating import fill

KEPT = 256  # filled parts that are remembered

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


class PartCache:
    """Remembers parts as long as nothing has changed, so that twenty browsers cost as much as one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: OrderedDict[str, tuple[int, Filled]] = OrderedDict()

    def take(self, url: str, version: int | None, make: Callable[[], Filled]) -> Filled:
        """Return a part of this version; None is a version that nobody knows, of which nothing is kept."""
        with self._lock:
            known = self._parts.get(url)
        if version is not None and known and known[0] == version:
            return known[1]
        filled = make()
        if version is not None:
            with self._lock:
                self._parts[url] = (version, filled)
                self._parts.move_to_end(url)
                while len(self._parts) > KEPT:
                    self._parts.popitem(last=False)
        return filled


def fill_part(site: Site, part: Part, subject: str, url: str) -> Filled:
    """Fill one part about a subject."""
    html = fill(part.template or f"parts/{part.name}.html", part.read(site, subject))
    return Filled(part.name, part.title, url, Markup(html), hashlib.sha256(html.encode()).hexdigest()[:20])  # noqa: S704 - filled by our templates


def answer_part(request: Request, filled: Filled) -> Response:
    """Answer with a part, or that the browser has it already."""
    headers = {"ETag": f'"{filled.tag}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(filled.html, headers=headers)

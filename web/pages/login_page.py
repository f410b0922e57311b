"""Log in with a token or a login link, and log out."""

import ipaddress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from web.received.forms import Form, OwnForm
from web.site import Here, Site, Visiting
from web.templating import show_page
from web.visitors import LASTS

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show_login(code: str = "", onward: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Ask for a token; with a link, for one click: programs that look at links in messages must not use it up."""
    return show_page("login.html", None, {"code": code[:200], "onward": keep_local(onward), "problem": ""})


@router.get("/session")
def show_session(visitor: Visiting) -> Response:  # noqa: ARG001 - only visitors
    """Say that there is a session and that Redis answers: a page asks before it sends a form."""
    return Response(status_code=204)


@router.post("/login")
def log_in(request: Request, form: Form, site: Here) -> Response:
    """Open a session."""
    onward, address = keep_local(form.get("next", "/")), read_address(request)
    if wait := site.limits.count_wait(address):
        problem = f"Too many failed logins from {address}. Try again in {wait} s."
        refused = show_page("login.html", None, {"code": "", "onward": onward, "problem": problem}, 429)
        refused.headers["Retry-After"] = str(wait)
        return refused
    if code := form.get("code", "").strip():
        cookie, problem = site.sessions.open_with_link(code, address), "This link was used, or is too old."
    else:
        cookie = site.sessions.open_with_token(form.get("secret", "").strip(), address)
        problem = "This token is not known here, was revoked, or has expired."
    if cookie is None:
        site.limits.note_failure(address)
        return show_page("login.html", None, {"code": "", "onward": onward, "problem": problem}, 401)
    response = RedirectResponse(onward, 303)
    _set_cookie(response, request, site, cookie, LASTS)
    return response


@router.post("/logout")
def log_out(request: Request, form: OwnForm, site: Here) -> Response:  # noqa: ARG001 - the form is checked
    """End the session."""
    site.sessions.close(request.cookies.get(site.cookie, ""))
    response = RedirectResponse("/login", 303)
    _set_cookie(response, request, site, "", 0)
    return response


def _set_cookie(response: Response, request: Request, site: Site, cookie: str, lasts: int) -> None:
    is_secure = request.url.scheme == "https"
    response.set_cookie(site.cookie, cookie, max_age=lasts, httponly=True, samesite="strict", secure=is_secure)


def keep_local(path: str) -> str:
    """Return a path of this site, whatever a link says."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 1000
    return path if is_local else "/"


def read_address(request: Request) -> str:
    """Return whose address it is: of IPv6 the network, because one machine has very many."""
    text = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return text if address.version == 4 else str(ipaddress.ip_network(f"{text}/64", strict=False))

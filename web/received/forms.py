"""Read forms, and refuse those that another site sent."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request

from scheduler.errors import SchedulerError
from web.site import Forbidden, Visiting

FIELDS = 50  # that a form may have
FORM = "application/x-www-form-urlencoded"


class FormInvalid(SchedulerError):
    """A field has a wrong value."""


OTHER_SESSION = "this form is from another session; open the page again"
FOREIGN = "another site sent this form; open the page here and use its own button"


async def read_form(request: Request) -> Mapping[str, str]:
    """Read a form of ours that need not come from a session. Raise Forbidden if another site sent it."""
    refuse_foreign(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Forbidden(f"expected a form ({FORM})")
    text = (await request.body()).decode("utf-8", "replace")
    try:
        form = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise Forbidden(f"a form has at most {FIELDS} fields") from None
    request.state.form = form
    return form


def recall_form(request: Request) -> Mapping[str, str]:
    """Recall the form of ours that this request sent, to offer it again; empty if there is none to be shown."""
    form: Mapping[str, str] = getattr(request.state, "form", {})
    return form if "token" in form else {}  # what logs in is a secret


Form = Annotated[Mapping[str, str], Depends(read_form)]


def read_own_form(form: Form, visitor: Visiting) -> Mapping[str, str]:
    """Read a form of the visitor's session. Raise Forbidden if it does not carry the session's token."""
    if not visitor.owns(form.get("token", "")):
        raise Forbidden(OTHER_SESSION)
    return form


OwnForm = Annotated[Mapping[str, str], Depends(read_own_form)]


def refuse_foreign(request: Request) -> None:
    """Raise Forbidden if another site sent this."""
    if not is_own(request):
        raise Forbidden(FOREIGN)


def is_own(request: Request) -> bool:
    """Did one of our pages send this? Browsers say so with each form."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return urlsplit(origin).netloc == request.headers.get("host")

"""Sort the SDK's exceptions into faults, and keep only their text: they can carry the API key.

Touches nothing outside.
"""

import json
import re
from typing import Any

import tinker
from tinker.lib.retryable_exception import RetryableException

from scheduler.engine.retry import Fault


class ServiceError(Exception):
    """Tinker, or the connection to it, failed: a fault and plain text."""

    def __init__(
        self,
        fault: Fault,
        message: str,
        *,
        missing: bool = False,
        status: int | None = None,
        lacking: bool = False,
        request: str = "",
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.status = status  # of the answer, if there was one
        self.missing = missing  # something that the request names does not exist (any more)
        self.lacking = lacking  # the service has no such call
        self.request = request  # the id that the service gave to the request; "" if it is not known

    @property
    def about_the_checkpoint(self) -> bool:
        """Is a checkpoint gone or refused, so that opening it again will not help?"""
        return self.missing or self.fault is Fault.STAGE


def translate(error: Exception, call: str = "") -> ServiceError:
    """Return what an exception of the SDK means; `call` is the request that raised it, if known."""
    hidden = isinstance(error, ValueError) and isinstance(error.__cause__, tinker.APIStatusError)
    cause = error.__cause__ if hidden else error
    status = getattr(cause, "status_code", None)
    fault, dead = _classify(cause), _says_dead(cause)
    lacking = status in LACKING or (status == 404 and _says_no_route(cause))
    if (dead and fault in DEADLY) or lacking or _says_taken(cause):
        fault = Fault.GONE
    missing = dead or isinstance(cause, tinker.NotFoundError)
    if isinstance(cause, tinker.APIResponseValidationError):
        return _translate_invalid(cause)
    message = f"{call}{': ' if call else ''}{type(error).__name__}: {_clean_message(error)}"
    request = _find_request(error)
    return ServiceError(fault, message, missing=missing, status=status, lacking=lacking, request=request)


def translate_unreadable(call: str, error: Exception) -> ServiceError:
    """Return what an exception means that was raised while waiting for an answer: the answer may be unreadable."""
    if isinstance(error.__cause__, tinker.APIError) or not isinstance(error, UNREADABLE):
        return translate(error, call)
    if isinstance(error, json.JSONDecodeError | AttributeError):  # a proxy's page: the service refused nothing
        return ServiceError(Fault.BROKEN, f"{call}: expected a JSON object, got something else")
    wrong = _describe_misfit(error.__cause__)
    if wrong is not None:  # it may be a proxy's page: worth one more try
        return ServiceError(Fault.GONE, f"{call}: {wrong}")
    for pattern, sentence in _UNREAD:
        if match := re.search(pattern, str(error)):
            return ServiceError(Fault.MALFORMED, f"{call}: {match.expand(sentence)}")
    got = f"got something else ({_clean_message(error)})"
    return ServiceError(Fault.MALFORMED, f"{call}: expected an answer that tinker {tinker.__version__} can read, {got}")


def _translate_invalid(error: tinker.APIResponseValidationError) -> ServiceError:
    """Translate an answer with a good status whose content the SDK could not validate."""
    call, wrong = error.request.url.path.rpartition("/")[2], _describe_misfit(error.__cause__)
    if wrong is not None:
        return ServiceError(Fault.GONE, f"{call}: {wrong}", status=error.status_code)
    got = " ".join(error.response.text[:200].split())[:80] or "nothing"
    return ServiceError(Fault.BROKEN, f"{call}: expected a JSON object, got {got}", status=error.status_code)


def _describe_misfit(cause: Any) -> str | None:
    """Say which field of a JSON object is not what the SDK expects; None if the error is not about fields."""
    if not hasattr(cause, "errors"):
        return None
    first = cause.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "(the object)"
    got = f"{first['input']!r}"[:80]
    return (
        f"expected a field `{field}`, got {got}"
        if first["type"] == "missing"
        else f"expected another value of `{field}`, got {got}"
    )


# What the SDK (0.38) says when it cannot read an answer, and what that means. The first match counts.
_UNREAD = (
    ("only supports as proto", "expected protobuf, got JSON: the service speaks an older protocol than the SDK"),
    ("values to unpack", "expected metrics named like loss:sum, got another name"),
    ("Unknown stop_reason", "expected the stop reason stop or length, got another"),
    (r"(\d+) sequence ids for (\d+)", r"expected \1 sequences, got \2"),
    ("sample_sequence_ids", "expected `sample_sequence_ids`, got an answer without it"),
    (
        r"Proto deserialization failed: (.*?)( for self\.|$)",
        r"expected a message of the SDK's protocol, got other bytes (\1)",
    ),
)

UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError)
"""What the SDK raises when an answer is not what it expects."""

DEADLY = (Fault.STAGE, Fault.ACCOUNT, Fault.UNKNOWN)
"""The faults of a refusal that become GONE if its words say that the model or session is dead."""

LACKING = (405, 501)  # statuses that always mean that the service has no such call


def _says_no_route(cause: object) -> bool:
    """Is this what a server answers for an unknown path? For a missing object it names the object."""
    body = getattr(cause, "body", None)
    if isinstance(body, dict):
        body = body.get("detail") or body.get("error") or body.get("message")
    return isinstance(body, str) and bool(re.fullmatch(r"\W*not found\W*|\s*<.*", body, _FLAGS))


_FLAGS = re.IGNORECASE | re.DOTALL
_HANDLE = (
    r"(?<!base )\b(?:model|(?:sampling |training )?session|sampler|(?:training |sampling )?client|adapter|lora"
    r"|training run|checkpoint|future|promise|request(?= ?id))(?: ?ids?)?\b"
    r"(?! (?:input|name|config\w*|rank|alpha|type|size|path|metadata|seed)\b)"
)
_BEHIND = (
    r"(?:not (?:currently |been )?(?:loaded|found|active|alive|registered|there|in memory|available|created|open|known"
    r"|initiali[sz]ed|recogni[sz]ed|running|present)|(?:does not|doesn't) exist|no longer"
    r"|expired|gone|closed|finished|terminated|ended|evicted|unloaded|lost|dead|released|destroyed|timed out"
    r"|(?:is|was) unknown)\b"
)
_BEFORE = (
    r"\b(?:unknown|unrecogni[sz]ed|no such|no live|no active|no loaded|non-?existent|expired|closed"
    r"|(?:could not|cannot|can't) find)"
)
# Words that also say what is wrong with a request ("invalid", "missing", "no …") are not here: for a refusal in other
# words the service is asked whether it still has the model (`futures.py`, `handles.py`).
_DEAD = re.compile(rf"{_HANDLE}(?:\W+[^\s.;]+){{0,6}}?\W+{_BEHIND}|{_BEFORE}\W+(?:\w+\W+){{0,2}}?{_HANDLE}", _FLAGS)


def _says_dead(cause: BaseException | None) -> bool:
    """Does a refusal say that what we hold (a model, session, sampler or promise) no longer exists?

    Servers differ in the status; a request that is itself wrong is refused in other words.
    """
    if isinstance(cause, tinker.AuthenticationError) or not isinstance(
        cause, tinker.APIStatusError | tinker.RequestFailedError
    ):
        return False
    refused = not isinstance(cause, tinker.APIStatusError) or 400 <= cause.status_code < 500
    return refused and bool(_DEAD.search(_clean_message(cause).replace("_", " ")))


def _says_taken(cause: BaseException | None) -> bool:
    """Does it say that the name exists already? It is our own if an earlier answer was lost."""
    return isinstance(cause, tinker.ConflictError) and bool(
        re.search(r"exist|taken|duplicate|in use", _clean_message(cause))
    )


def _clean_message(error: BaseException) -> str:
    """Return the message without the SDK's internals (`… with status 402 for self.request_id=…`)."""
    return re.split(r"( for| of)? self\.request_id=", str(error))[0].rstrip(" ,:;(")[:500]


def _find_request(error: BaseException) -> str:
    """Return the id of the request, which the SDK puts into some messages; "" if there is none."""
    match = re.search(r"self\.request_id='?([0-9A-Za-z][0-9A-Za-z_-]{7,63})", str(error))
    return match[1] if match else ""


# The first matching row decides. The hierarchy is the SDK's (0.38); a contract test walks through it.
_FAULTS: tuple[tuple[tuple[type[Exception], ...], Fault], ...] = (
    ((tinker.AuthenticationError, tinker.PermissionDeniedError, tinker.BillingError), Fault.ACCOUNT),
    ((tinker.BadRequestError, tinker.UnprocessableEntityError), Fault.STAGE),
    ((tinker.RateLimitError, tinker.InternalServerError, tinker.APIConnectionError, TimeoutError), Fault.OUTAGE),
    ((tinker.NotFoundError, tinker.ConflictError, RetryableException), Fault.BROKEN),
    ((tinker.APIResponseValidationError,), Fault.BROKEN),  # a proxy's page or half an answer
)


def _classify_status(status: int) -> Fault:
    """Classify a rare status: a refusal, or a redirect by a proxy."""
    return Fault.STAGE if 400 <= status < 500 else Fault.BROKEN


# Statuses without an SDK class. A 410 on submit means that the session is over (on a wait it is a RetryableException).
# A 407 is a proxy of this machine; 423 and 425 ask to come again.
_STATUSES = {
    407: Fault.MACHINE,
    408: Fault.OUTAGE,
    410: Fault.BROKEN,
    413: Fault.STAGE,
    423: Fault.OUTAGE,
    425: Fault.OUTAGE,
}


def _classify(error: BaseException | None) -> Fault:
    if type(error) is tinker.TinkerError and "api_key" in str(error):  # the key is missing or malformed
        return Fault.MACHINE
    if isinstance(error, tinker.RequestFailedError):
        return Fault.STAGE if str(error.category).rpartition(".")[2].lower() == "user" else Fault.BROKEN
    if isinstance(error, tinker.APIStatusError) and error.status_code in _STATUSES:
        return _STATUSES[error.status_code]
    if type(error) is tinker.APIStatusError:
        return _classify_status(error.status_code)
    return next((fault for kinds, fault in _FAULTS if isinstance(error, kinds)), Fault.UNKNOWN)

"""What an exception of the SDK means, sorted once; nothing of it is kept but text, for it can carry the API key."""

import json
import re
from typing import Any

import tinker
from tinker.lib.retryable_exception import RetryableException

from scheduler.engine.retry import Fault


class ServiceError(Exception):
    """Tinker, or the way to it, failed. Plain text and a fault; nothing of the SDK's exception is kept."""

    def __init__(
        self, fault: Fault, message: str, *, missing: bool = False, status: int | None = None, lacking: bool = False
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.status = status  # of the answer, where there was one
        self.missing = missing  # something that was named is not there (any more)
        self.lacking = lacking  # the service has no such call at all

    @property
    def about_the_checkpoint(self) -> bool:
        """Said while opening one: it is gone, or refused, and asking again will not help."""
        return self.missing or self.fault is Fault.STAGE


def translate(error: Exception, call: str = "") -> ServiceError:
    """What an exception of the SDK means, with nothing of it kept but text; `call` is what was asked, if known."""
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
    return ServiceError(fault, message, missing=missing, status=status, lacking=lacking)


def translate_unreadable(call: str, error: Exception) -> ServiceError:
    """The same of one that came while the answer of a call was waited for: it may be the answer that cannot be read."""
    if isinstance(error.__cause__, tinker.APIError) or not isinstance(error, UNREADABLE):
        return translate(error, call)
    if isinstance(error, json.JSONDecodeError | AttributeError):  # a proxy's page: nobody refused anything
        return ServiceError(Fault.BROKEN, f"{call}: expected an answer, got what is no JSON object")
    wrong = _describe_misfit(error.__cause__)
    if wrong is not None:  # it may be the page of somebody in between: once more
        return ServiceError(Fault.GONE, f"{call}: {wrong}")
    for sign, sentence in _UNREAD:
        if said := re.search(sign, str(error)):
            return ServiceError(Fault.MALFORMED, f"{call}: {said.expand(sentence)}")
    found = f"got what it does not ({_clean_message(error)})"
    return ServiceError(Fault.MALFORMED, f"{call}: expected what tinker {tinker.__version__} reads, {found}")


def _translate_invalid(error: tinker.APIResponseValidationError) -> ServiceError:
    """An answer with a good status to a request that is not due to it: by itself, not by a promise."""
    call, wrong = error.request.url.path.rpartition("/")[2], _describe_misfit(error.__cause__)
    if wrong is not None:
        return ServiceError(Fault.GONE, f"{call}: {wrong}", status=error.status_code)
    got = " ".join(error.response.text[:200].split())[:80] or "nothing"
    return ServiceError(Fault.BROKEN, f"{call}: expected a JSON object, got {got}", status=error.status_code)


def _describe_misfit(cause: Any) -> str | None:
    """Where the fields of a JSON object are not those that the SDK asks of it, by its validation."""
    if not hasattr(cause, "errors"):
        return None
    first = cause.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"])) or "an object"
    got = f"{first['input']!r}"[:80]
    return f"expected a field `{field}`, got {got}" if first["type"] == "missing" else f"`{field}` cannot be {got}"


# By what the SDK (0.38) says where it could not read an answer: what that means. The first that fits counts.
_UNREAD = (
    ("only supports as proto", "expected protobuf, got JSON: the service speaks an older protocol than the SDK"),
    ("values to unpack", "expected metrics named as loss:sum, got one that is named otherwise"),
    ("Unknown stop_reason", "expected the stop reason stop or length, got another"),
    (r"(\d+) sequence ids for (\d+)", r"expected \1 sequences, got \2"),
    ("sample_sequence_ids", "expected `sample_sequence_ids`, got an answer without"),
    (
        r"Proto deserialization failed: (.*?)( for self\.|$)",
        r"expected a message of the SDK's protocol, got bytes that are none (\1)",
    ),
)

UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError)
"""What the SDK raises where an answer is not what it takes it for."""

DEADLY = (Fault.STAGE, Fault.ACCOUNT, Fault.UNKNOWN)
"""What a refusal would mean whose words do not say that what it is about is dead."""

LACKING = (405, 501)  # however it says so, the service has no such call


def _says_no_route(cause: object) -> bool:
    """Is it what a server says of a path that it does not know? Of a thing that is not there it says which."""
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
    r"|initiali[sz]ed|recogni[sz]ed|running|present)|(?:does not|doesn't) exist|no longer|unavailable|missing|deleted"
    r"|expired|gone|closed|finished|terminated|ended|evicted|unloaded|lost|dead|removed|released|destroyed|dropped"
    r"|timed out|stale|(?:is|was) (?:unknown|invalid))\b"
)
_BEFORE = (
    r"\b(?:unknown|unrecogni[sz]ed|invalid|stale|no|no such|no live|no active|no loaded|non-?existent|expired|closed"
    r"|(?:could not|cannot|can't) find)"
)
_DEAD = re.compile(rf"{_HANDLE}(?:\W+[^\s.;]+){{0,6}}?\W+{_BEHIND}|{_BEFORE}\W+(?:\w+\W+){{0,2}}?{_HANDLE}", _FLAGS)


def _says_dead(cause: BaseException | None) -> bool:
    """Does a refusal say that what we hold (a model, a session, a sampler, a promise) is no more?

    Servers differ in the status that they give it; a request that is wrong is refused in other words.
    """
    if isinstance(cause, tinker.AuthenticationError) or not isinstance(
        cause, tinker.APIStatusError | tinker.RequestFailedError
    ):
        return False
    refused = not isinstance(cause, tinker.APIStatusError) or 400 <= cause.status_code < 500
    return refused and bool(_DEAD.search(_clean_message(cause).replace("_", " ")))


def _says_taken(cause: BaseException | None) -> bool:
    """A name that is there already, at a service that writes nothing over: our own, if an answer was lost."""
    return isinstance(cause, tinker.ConflictError) and bool(
        re.search(r"exist|taken|duplicate|in use", _clean_message(cause))
    )


def _clean_message(error: BaseException) -> str:
    """Its message without what the SDK appends of its own insides (`… with status 402 for self.request_id=…`)."""
    return re.split(r"( for| of)? self\.request_id=", str(error))[0].rstrip(" ,:;(")[:500]


# The first row that fits decides. The hierarchy is the SDK's (0.38); a contract test walks through it.
_FAULTS: tuple[tuple[tuple[type[Exception], ...], Fault], ...] = (
    ((tinker.AuthenticationError, tinker.PermissionDeniedError, tinker.BillingError), Fault.ACCOUNT),
    ((tinker.BadRequestError, tinker.UnprocessableEntityError), Fault.STAGE),
    ((tinker.RateLimitError, tinker.InternalServerError, tinker.APIConnectionError, TimeoutError), Fault.OUTAGE),
    ((tinker.NotFoundError, tinker.ConflictError, RetryableException), Fault.BROKEN),
    ((tinker.APIResponseValidationError,), Fault.BROKEN),  # a proxy's page, or half an answer: nobody refused anything
)


def _classify_status(status: int) -> Fault:
    """A refusal, in a number that is rare; or somebody in between who sends us elsewhere."""
    return Fault.STAGE if 400 <= status < 500 else Fault.BROKEN


# What the SDK has no class for. A 410 at a submit: the session is over (while waiting, it is a RetryableException).
_STATUSES = {408: Fault.OUTAGE, 410: Fault.BROKEN, 413: Fault.STAGE}


def _classify(error: BaseException | None) -> Fault:
    if type(error) is tinker.TinkerError and "api_key" in str(error):  # there is none here, or it cannot be one
        return Fault.MACHINE
    if isinstance(error, tinker.RequestFailedError):
        return Fault.STAGE if str(error.category).rpartition(".")[2].lower() == "user" else Fault.BROKEN
    if isinstance(error, tinker.APIStatusError) and error.status_code in _STATUSES:
        return _STATUSES[error.status_code]
    if type(error) is tinker.APIStatusError:
        return _classify_status(error.status_code)
    return next((fault for kinds, fault in _FAULTS if isinstance(error, kinds)), Fault.UNKNOWN)

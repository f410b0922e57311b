"""What an exception of the SDK means, sorted once; nothing of it is kept but text, for it can carry the API key."""

import re

import tinker
from tinker.lib.retryable_exception import RetryableException

from scheduler.retry import Fault


class ServiceError(Exception):
    """Tinker, or the way to it, failed. Plain text and a fault; nothing of the SDK's exception is kept."""

    def __init__(self, fault: Fault, message: str, *, missing: bool = False, status: int | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.status = status  # of the answer, where there was one
        self.missing = missing  # something that was named is not there (any more)

    @property
    def about_the_checkpoint(self) -> bool:
        """Said while opening one: it is gone, or refused, and asking again will not help."""
        return self.missing or self.fault is Fault.STAGE


def plain(error: Exception) -> ServiceError:
    """What an exception of the SDK means, with nothing of it kept but text."""
    hidden = isinstance(error, ValueError) and isinstance(error.__cause__, tinker.APIStatusError)
    cause = error.__cause__ if hidden else error
    missing = isinstance(cause, tinker.NotFoundError)
    return ServiceError(
        _fault(cause),
        f"{type(error).__name__}: {_text(error)}",
        missing=missing,
        status=getattr(cause, "status_code", None),
    )


def _text(error: Exception) -> str:
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


# What the SDK has no class for. A 410 at a submit: the session is over (while waiting, it is a RetryableException).
_STATUSES = {408: Fault.OUTAGE, 410: Fault.BROKEN, 413: Fault.STAGE}


def _fault(error: BaseException | None) -> Fault:
    if type(error) is tinker.TinkerError and "api_key" in str(error):  # there is none here, or it cannot be one
        return Fault.MACHINE
    if isinstance(error, tinker.RequestFailedError):
        return Fault.STAGE if str(error.category).rpartition(".")[2].lower() == "user" else Fault.BROKEN
    if isinstance(error, tinker.APIStatusError) and error.status_code in _STATUSES:
        return _STATUSES[error.status_code]
    return next((fault for kinds, fault in _FAULTS if isinstance(error, kinds)), Fault.UNKNOWN)

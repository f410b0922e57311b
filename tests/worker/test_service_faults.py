"""What each exception of the SDK means, and that nothing of it is kept but text."""

import pickle

import httpx
import pytest
import tinker
from tinker.lib.retryable_exception import RetryableException

from scheduler.engine.retry import Fault
from worker.sdk.failures import translate

KEY = "tml-secret"
REQUEST = httpx.Request("POST", "http://tinker/api/v1/x", headers={"X-API-Key": KEY})


def status_error(status: int) -> Exception:
    kinds = {
        400: tinker.BadRequestError,
        401: tinker.AuthenticationError,
        402: tinker.BillingError,
        403: tinker.PermissionDeniedError,
        404: tinker.NotFoundError,
        409: tinker.ConflictError,
        422: tinker.UnprocessableEntityError,
        429: tinker.RateLimitError,
        408: tinker.APIStatusError,
        410: tinker.APIStatusError,
        413: tinker.APIStatusError,
        500: tinker.InternalServerError,
    }
    response = httpx.Response(status, request=REQUEST)
    return kinds[status](f"Error code: {status}", response=response, body=None)


def every_error(base: type[BaseException]) -> set[type[BaseException]]:
    return {base, *(error for child in base.__subclasses__() for error in every_error(child))}


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, Fault.STAGE),
        (422, Fault.STAGE),
        (401, Fault.ACCOUNT),
        (402, Fault.ACCOUNT),
        (403, Fault.ACCOUNT),
        (404, Fault.BROKEN),  # the model is gone with its session
        (409, Fault.BROKEN),
        (408, Fault.OUTAGE),
        (410, Fault.BROKEN),
        (413, Fault.STAGE),
        (429, Fault.OUTAGE),
        (500, Fault.OUTAGE),
    ],
)
def test_a_status_means_the_same_however_it_comes(status: int, fault: Fault) -> None:
    """At a submit the SDK raises the error itself; while waiting it hides it as the cause of a ValueError."""
    error = status_error(status)
    assert translate(error).fault is fault
    hidden = ValueError("Error retrieving result")
    hidden.__cause__ = error
    assert translate(hidden).fault is fault


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("no: Error code: 402 with status 402 for self.request_id='1' and more", "no: Error code: 402 with status 402"),
        (
            "Timeout of 5 seconds reached while waiting for result of self.request_id='1'",
            "Timeout of 5 seconds reached while waiting for result",
        ),
        ("no (status 400) for self.request_id='1' — exceeded 3 retries", "no (status 400)"),
        ("asked for nothing", "asked for nothing"),
    ],
)
def test_what_the_sdk_says_of_its_own_insides_is_not_told_and_leaves_no_half_a_sentence(
    message: str, kept: str
) -> None:
    assert str(translate(RuntimeError(message))) == f"RuntimeError: {kept}"


def test_a_lost_connection_and_a_time_out_are_the_way_to_the_service() -> None:
    errors = [tinker.APIConnectionError(request=REQUEST), tinker.APITimeoutError(REQUEST), TimeoutError()]
    assert {translate(error).fault for error in errors} == {Fault.OUTAGE}


def test_a_promise_that_the_service_forgot_is_broken() -> None:
    assert translate(RetryableException("gone")).fault is Fault.BROKEN


def test_an_answer_that_is_none_is_the_services() -> None:
    """A proxy's page with status 200 in the midst of an outage refuses nothing, least of all a checkpoint."""
    page = httpx.Response(200, request=REQUEST, text="<html>we will be back soon</html>")
    error = translate(tinker.APIResponseValidationError(response=page, body=None))
    assert (error.fault, error.about_the_checkpoint) == (Fault.BROKEN, False)


@pytest.mark.parametrize(
    ("category", "fault"), [("user", Fault.STAGE), ("server", Fault.BROKEN), ("unknown", Fault.BROKEN)]
)
def test_a_failed_request_is_whose_the_service_says_it_is(category: str, fault: Fault) -> None:
    error = tinker.RequestFailedError("it failed", request_id="r", category=tinker.types.RequestErrorCategory(category))
    assert translate(error).fault is fault


def test_what_is_nobodys_known_fault_is_unknown() -> None:
    assert translate(RuntimeError("poisoned")).fault is Fault.UNKNOWN


def test_every_error_that_the_sdk_names_is_in_the_table() -> None:
    """A new one in a new SDK must be looked at by a person."""
    known = {
        "TinkerError", "APIError", "APIConnectionError", "APITimeoutError", "APIStatusError", "BadRequestError",
        "AuthenticationError", "BillingError", "PermissionDeniedError", "NotFoundError", "ConflictError",
        "UnprocessableEntityError", "RateLimitError", "InternalServerError", "APIResponseValidationError",
        "RequestFailedError",
    }  # fmt: skip
    named = {error.__name__ for error in every_error(tinker.TinkerError) if hasattr(tinker, error.__name__)}
    assert named == known


def test_no_key_leaves_with_an_error() -> None:
    for status in (400, 401, 500):
        error = status_error(status)
        assert KEY.encode() not in pickle.dumps(str(translate(error)))
        assert translate(error).__cause__ is None

"""The private corners of the SDK that we replace, all of them: what it hides is told to the attempt that asked.

The SDK (0.38) polls what is pending for ever, repeats what fails for minutes, waits out a 402 for an hour, and says so
in its log at best. Who hears of it travels in a context variable: the SDK starts its coroutines in the context of the
call, and so does all that those start. `tests/worker/sdk/test_hooks.py` holds each corner against the SDK installed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache, wraps
from typing import Any
from weakref import WeakKeyDictionary

import tinker
from tinker import _base_client
from tinker._base_client import AsyncAPIClient
from tinker.lib import api_future_impl
from tinker.lib.api_future_impl import QueueState, QueueStateObserver
from tinker.lib.internal_client_holder import InternalClientHolder
from tinker.lib.public_interfaces import service_client, training_client
from tinker.lib.public_interfaces.sampling_client import SamplingClient

from scheduler.proxies import is_local
from worker.sdk.failures import translate

FIRST_PAUSE = 0.1  # seconds between two polls of one future after a failure: a single one costs next to nothing
LONGEST_PAUSE = 4.0  # what that has doubled to when the service goes on failing
NEVER = (501,)  # statuses of the service that no repetition changes
ASIDE = ("telemetry",)  # requests that nothing waits for


class Signal(StrEnum):
    """What was seen of the service while something was waited for."""

    ACTIVE = "active"  # an answer came
    RATE_LIMITED = "paused_rate_limit"  # the service is there, and holds back what this account asks for
    NO_CAPACITY = "paused_capacity"  # the service is there, and has no room
    TROUBLE = "trouble"  # a request failed, and the SDK tries again without a word


OnSignal = Callable[[Signal, str], None]
"""Told of every sign, with a few words on the reason; on the SDK's own thread, so it must neither wait nor raise."""


def ignore_signal(sign: Signal, reason: str) -> None:
    """Nobody wants to know."""


def _find_corner(owner: Any, name: str) -> Any:
    found = getattr(owner, name, None)
    if found is None:
        raise ImportError(
            f"tinker {tinker.__version__} has no {owner.__name__}.{name}, which worker/sdk/hooks.py replaces: "
            "find what took its place there, or install the version that pyproject.toml asks for"
        )
    return found


_future = _find_corner(api_future_impl, "_APIFuture")
_failure = _find_corner(api_future_impl, "_TransportError")

_on_signal: ContextVar[OnSignal] = ContextVar("on_signal", default=ignore_signal)
_SIGNS = {QueueState(sign.value): sign for sign in (Signal.ACTIVE, Signal.RATE_LIMITED, Signal.NO_CAPACITY)}


@contextmanager
def watch(on_signal: OnSignal) -> Iterator[None]:
    """Whatever is asked of the SDK by this thread within the block, `seen` is told of, for as long as it takes."""
    before = _on_signal.set(on_signal)
    try:
        yield
    finally:
        _on_signal.reset(before)


class Observer(QueueStateObserver):
    """In place of the SDK's, which logs a pause after a quarter of an hour."""

    def __init__(self, identifier: str, message_prefix: str = "") -> None:
        """As the SDK makes its own."""

    def on_queue_state_change(self, queue_state: QueueState, queue_state_reason: str | None) -> None:
        _report_state(queue_state, queue_state_reason)


def _report_state(state: QueueState, reason: str | None) -> None:
    if sign := _SIGNS.get(state):
        _on_signal.get()(sign, reason or "")


def _report_trouble(status: int | None, url: str) -> None:
    """In words that hold nothing but a number and a name: what an error says of itself could be anything."""
    what = url.rpartition("/")[2]
    if what not in ASIDE:
        _on_signal.get()(Signal.TROUBLE, f"{status or 'no answer'} at {what}")


def _wrap_sampling_observer(original: Any) -> Any:
    @wraps(original)
    def on_queue_state_change(
        self: SamplingClient,  # noqa: ARG001 - the signature is the SDK's
        queue_state: QueueState,
        queue_state_reason: str | None,
    ) -> None:
        _report_state(queue_state, queue_state_reason)

    return on_queue_state_change


def _wrap_sample_request(original: Callable[..., Awaitable[Any]]) -> Any:
    """One request to sample. Held back with a 429, it is sent again each second, and nobody hears of it."""

    @wraps(original)
    async def send(self: SamplingClient, *arguments: Any, **named: Any) -> Any:
        accepted = await original(self, *arguments, **named)
        if accepted is None:
            _on_signal.get()(Signal.RATE_LIMITED, "429 at asample")
        return accepted

    return send


def _wrap_billing_pause(original: Any) -> Any:
    """A 402 surfaces at once: the SDK would hide it for an hour, and ask again every five seconds."""

    @wraps(original)
    def never(self: InternalClientHolder, status_code: int, detail: str) -> bool:  # noqa: ARG001 - as above
        return False

    return never


def _wrap_retry_sleep(original: Any) -> Any:
    """The inner loop of a request: up to ten times, before anybody else hears of it."""

    @wraps(original)
    async def sleep(self: AsyncAPIClient, *, options: Any, response: Any, **others: Any) -> None:
        _report_trouble(response.status_code if response is not None else None, str(options.url))
        await original(self, options=options, response=response, **others)

    return sleep


def _wrap_should_retry(original: Any) -> Any:
    """Which answers the inner loop repeats: not that there is no such call."""

    @wraps(original)
    def should(self: AsyncAPIClient, response: Any) -> bool:
        return response.status_code not in NEVER and original(self, response)

    return should


def _wrap_is_retryable(original: Callable[[Exception], bool]) -> Any:
    """The outer loop of a request, of five minutes; it asks this of each failure."""

    @wraps(original)
    def retryable(exception: Exception) -> bool:
        again = original(exception) and not _is_final(exception)
        if again:
            request = exception.request if isinstance(exception, tinker.APIError) else None
            _report_trouble(getattr(exception, "status_code", None), request.url.path if request else "a request")
        return again

    return staticmethod(retryable)


def _is_final(exception: Exception) -> bool:
    """A call that the service does not have, or a 409 that stays: a name that is taken, a session that is over.

    The SDK would repeat it for minutes, for others mean by it that the same request is still under way.
    """
    if not isinstance(exception, tinker.ConflictError):
        return getattr(exception, "status_code", None) in NEVER
    saving = exception.request.url.path.rpartition("/")[2].startswith("save_weights")
    return saving or translate(exception).missing


def _wrap_fetch(original: Callable[..., Awaitable[Any]]) -> Any:
    """One poll for the answer of a future. After most failures the SDK polls again without drawing breath."""
    failures: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    @wraps(original)
    async def fetch(self: Any, state: Any, iteration: int) -> Any:
        asked = time.monotonic()
        fetched = await original(self, state, iteration)
        kind = fetched.kind.value if isinstance(fetched, _failure) else None
        if kind not in ("retry", "retry_with_backoff", "retry_if_budget"):  # an answer, or an error that surfaces
            failures.pop(self, None)
            return fetched
        if not _states_queue(fetched.try_again_body):
            _report_trouble(fetched.status_code, "retrieve_future")
        if kind == "retry":
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures.get(self, 0)) - (time.monotonic() - asked)
            failures[self] = failures.get(self, 0) + 1 if pause > 0 else 0
            await asyncio.sleep(pause)
        return fetched

    return fetch


def _states_queue(body: object) -> bool:
    """Is it a poll whose time was over? The service says so with a 408, and the state of its queue."""
    return isinstance(body, dict) and bool(body.get("queue_state"))


def _wrap_http_client(original: Callable[..., Any]) -> Any:
    """What is on this machine is asked directly: a proxy cannot reach it, and one that cannot be used is no matter."""

    @wraps(original)
    def client(**kwargs: Any) -> Any:
        return original(**({**kwargs, "trust_env": False} if is_local(str(kwargs.get("base_url"))) else kwargs))

    return client


# What is replaced: where, its name, and by what, made of what stands there.
CORNERS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (service_client, "QueueStateLogger", lambda _: Observer),
    (training_client, "QueueStateLogger", lambda _: Observer),
    (SamplingClient, "on_queue_state_change", _wrap_sampling_observer),
    (SamplingClient, "_send_asample_request", _wrap_sample_request),
    (InternalClientHolder, "_should_pause_on_billing", _wrap_billing_pause),
    (InternalClientHolder, "_is_retryable_exception", _wrap_is_retryable),
    (AsyncAPIClient, "_sleep_for_retry", _wrap_retry_sleep),
    (_base_client, "AsyncHttpxClientWrapper", _wrap_http_client),
    (AsyncAPIClient, "_should_retry", _wrap_should_retry),
    (_future, "_fetch_via_rest", _wrap_fetch),
)


@cache
def install() -> None:
    """Replace them, once. Raises ImportError naming what this version of the SDK does not have."""
    for owner, name, replacement in CORNERS:
        setattr(owner, name, replacement(_find_corner(owner, name)))

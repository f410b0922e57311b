"""Replace the private parts of the SDK that hide what the service says.

The SDK (0.38) polls pending answers forever, repeats failures for minutes and waits out a 402 for
an hour, at best with a log line. The replacements report it to the attempt that asked: the receiver
of the signals travels in a context variable, because the SDK starts its coroutines in the context
of the call. `tests/worker/sdk/test_hooks.py` checks each replaced part against the installed SDK.
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

from worker.sdk.failures import translate
from worker.sdk.local_clients import collect_no_metrics, wrap_http_client, wrap_transport

FIRST_PAUSE = 0.1  # seconds between two polls of a future after a first failure
LONGEST_PAUSE = 4.0  # the pause doubles up to this while the service keeps failing
NEVER = (501,)  # statuses that repeating cannot change
ASIDE = ("telemetry",)  # requests that no attempt waits for


class Signal(StrEnum):
    """What the service signalled while an answer was awaited."""

    ACTIVE = "active"  # an answer arrived
    RATE_LIMITED = "paused_rate_limit"  # the service is reachable and holds this account back
    NO_CAPACITY = "paused_capacity"  # the service is reachable and short of capacity
    TROUBLE = "trouble"  # a request failed and the SDK silently tries again


OnSignal = Callable[[Signal, str], None]
"""Receives every signal with a short reason, on the SDK's own thread: it must not block or raise."""


def ignore_signal(signal: Signal, reason: str) -> None:
    """Ignore the signal."""


def _find_corner(owner: Any, name: str) -> Any:
    original = getattr(owner, name, None)
    if original is None:
        raise ImportError(
            f"tinker {tinker.__version__} has no {owner.__name__}.{name}, which worker/sdk/hooks.py replaces: "
            "update hooks.py for this version, or install the version that pyproject.toml requires"
        )
    return original


_future = _find_corner(api_future_impl, "_APIFuture")
_failure = _find_corner(api_future_impl, "_TransportError")

_on_signal: ContextVar[OnSignal] = ContextVar("on_signal", default=ignore_signal)
_SIGNALS = {QueueState(signal.value): signal for signal in (Signal.ACTIVE, Signal.RATE_LIMITED, Signal.NO_CAPACITY)}


@contextmanager
def watch(on_signal: OnSignal) -> Iterator[None]:
    """Report the signals of every SDK call that this thread makes in the block to `on_signal`."""
    before = _on_signal.set(on_signal)
    try:
        yield
    finally:
        _on_signal.reset(before)


class Observer(QueueStateObserver):
    """Replaces the SDK's observer, which logs a pause only after a quarter of an hour."""

    def __init__(self, identifier: str, message_prefix: str = "") -> None:
        """Take the arguments that the SDK passes to its own."""

    def on_queue_state_change(self, queue_state: QueueState, queue_state_reason: str | None) -> None:
        _report_state(queue_state, queue_state_reason)


def _report_state(state: QueueState, reason: str | None) -> None:
    if signal := _SIGNALS.get(state):
        _on_signal.get()(signal, reason or "")


def _report_trouble(status: int | None, url: str) -> None:
    """Report a failed request by status and name only: an error's text could contain anything."""
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
    """Report a sample request that was held back with a 429, which the SDK silently repeats every second."""

    @wraps(original)
    async def send(self: SamplingClient, *arguments: Any, **named: Any) -> Any:
        accepted = await original(self, *arguments, **named)
        if accepted is None:
            _on_signal.get()(Signal.RATE_LIMITED, "429 at asample")
        return accepted

    return send


def _wrap_billing_pause(original: Any) -> Any:
    """Raise a 402 at once; the SDK would hide it for an hour and ask again every five seconds."""

    @wraps(original)
    def never(self: InternalClientHolder, status_code: int, detail: str) -> bool:  # noqa: ARG001 - as above
        return False

    return never


def _wrap_retry_sleep(original: Any) -> Any:
    """Report each retry of the SDK's inner loop, which tries up to ten times."""

    @wraps(original)
    async def sleep(self: AsyncAPIClient, *, options: Any, response: Any, **others: Any) -> None:
        _report_trouble(response.status_code if response is not None else None, str(options.url))
        await original(self, options=options, response=response, **others)

    return sleep


def _wrap_should_retry(original: Any) -> Any:
    """Do not repeat an answer that says there is no such call."""

    @wraps(original)
    def should(self: AsyncAPIClient, response: Any) -> bool:
        return response.status_code not in NEVER and original(self, response)

    return should


def _wrap_is_retryable(original: Callable[[Exception], bool]) -> Any:
    """Report each retry of the SDK's outer loop, which lasts five minutes and asks this of each failure."""

    @wraps(original)
    def retryable(exception: Exception) -> bool:
        again = original(exception) and not _is_final(exception)
        if again:
            request = exception.request if isinstance(exception, tinker.APIError) else None
            _report_trouble(getattr(exception, "status_code", None), request.url.path if request else "a request")
        return again

    return staticmethod(retryable)


def _is_final(exception: Exception) -> bool:
    """Is it a missing call, or a 409 that stays (a name that is taken, a session that is over)?

    The SDK would repeat a 409 for minutes, because some servers use it for a request that is still in progress.
    """
    if not isinstance(exception, tinker.ConflictError):
        return getattr(exception, "status_code", None) in NEVER
    saving = exception.request.url.path.rpartition("/")[2].startswith("save_weights")
    return saving or translate(exception).missing


def _wrap_fetch(original: Callable[..., Awaitable[Any]]) -> Any:
    """Pause between failed polls of a future; after most failures the SDK polls again at once."""
    failures: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    @wraps(original)
    async def fetch(self: Any, state: Any, iteration: int) -> Any:
        asked = time.monotonic()
        fetched = await original(self, state, iteration)
        kind = fetched.kind.value if isinstance(fetched, _failure) else None
        if kind not in ("retry", "retry_with_backoff", "retry_if_budget"):  # an answer, or an error that the SDK raises
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
    """Did the poll only time out? The service then answers 408 with the state of its queue."""
    return isinstance(body, dict) and bool(body.get("queue_state"))


# What is replaced: its owner, its name, and a function from the original to the replacement.
CORNERS: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (service_client, "QueueStateLogger", lambda _: Observer),
    (training_client, "QueueStateLogger", lambda _: Observer),
    (SamplingClient, "on_queue_state_change", _wrap_sampling_observer),
    (SamplingClient, "_send_asample_request", _wrap_sample_request),
    (InternalClientHolder, "_should_pause_on_billing", _wrap_billing_pause),
    (InternalClientHolder, "_is_retryable_exception", _wrap_is_retryable),
    (AsyncAPIClient, "_sleep_for_retry", _wrap_retry_sleep),
    (_base_client, "AsyncHttpxClientWrapper", wrap_http_client),
    (_base_client, "_default_pyqwest_transport", wrap_transport),
    (AsyncAPIClient, "_should_retry", _wrap_should_retry),
    (_future, "_fetch_via_rest", _wrap_fetch),
)


@cache
def install() -> None:
    """Replace all of them, once. Raises ImportError that names what this version of the SDK lacks."""
    collect_no_metrics()
    for owner, name, replacement in CORNERS:
        setattr(owner, name, replacement(_find_corner(owner, name)))

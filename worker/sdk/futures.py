"""Send a request of an attempt, and wait for its answer with a deadline.

Calls the SDK through the functions it is given. An SDK exception can carry the API key, so none
leaves this file.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from scheduler.engine.retry import Fault
from worker.sdk import hooks
from worker.sdk.failures import ServiceError, translate, translate_unreadable
from worker.sdk.handles import StillExists, assume_it_exists
from worker.sdk.hooks import OnSignal, ignore_signal, watch

T = TypeVar("T")
Check = Callable[[], None]  # raises when the attempt must stop waiting
Permit = Callable[[int], None]  # returns when a request with this many tokens may be sent; raises like a Check

LOOK_AGAIN = 0.5  # seconds between two checks whether the attempt may still wait


hooks.install()  # before any call of the SDK


def permit_everything(tokens: int) -> None:
    """Let every request through at once."""


class PendingAnswer(Generic[T]):
    """An answer of the service that has not arrived yet."""

    def __init__(
        self, call: str, future: "Future[Any]", read: Callable[[Any], T], there: StillExists = assume_it_exists
    ) -> None:
        self._call = call
        self._future = future
        self._read = read
        self._there = there

    def wait(self, check: Check) -> T:
        """Return the answer. Raises ServiceError, and what `check` raises; the SDK itself would wait forever."""
        while True:
            try:
                answer = self._future.result(LOOK_AGAIN)
            except TimeoutError:
                if self._future.done():
                    raise ServiceError(Fault.OUTAGE, "the service timed out") from None
            except Exception as error:  # noqa: BLE001 - the SDK raises many kinds; `failures` sorts them
                raise self._check_target(translate_unreadable(self._call, error)) from None
            else:
                return self._read(answer)
            check()

    def _check_target(self, error: ServiceError) -> ServiceError:
        """Turn a refusal into a loss (GONE) if the model or sampler no longer exists at the service."""
        if error.fault is not Fault.STAGE or self._there():
            return error
        message = f"{error}; the service no longer has the model or sampler"
        return ServiceError(Fault.GONE, message, missing=True, status=error.status)


@dataclass(frozen=True)
class Requester:
    """Sends the requests of one attempt.

    `on_signal` receives the service's signals, `permit` is called before each request, and `there` checks after
    a refusal whether the model or sampler still exists at the service.
    """

    on_signal: OnSignal = ignore_signal
    permit: Permit = permit_everything
    there: StillExists = assume_it_exists
    on_the_way: "set[Future[Any]]" = field(default_factory=set)

    def submit(
        self, name: str, call: Callable[[], "Future[Any]"], read: Callable[[Any], T], *, tokens: int = 0
    ) -> PendingAnswer[T]:
        """Send a request with this many tokens. Raises ServiceError, and what `permit` raises."""
        self.permit(tokens)
        try:
            with watch(self.on_signal):
                return self._track(name, call(), read, self.there)
        except Exception as error:  # noqa: BLE001 - as in PendingAnswer.wait
            raise translate(error) from None

    def open(self, name: str, call: Callable[[], "Future[Any]"], read: Callable[[Any], T]) -> PendingAnswer[T]:
        """Send a request whose call may block: the SDK opens a session in it, for minutes at a dead server."""
        self.permit(0)
        return self._track(name, _submit_abandonable(call, self.on_signal), read, assume_it_exists)

    def abandon(self) -> None:
        """Cancel all pending answers; the SDK would poll for them forever."""
        for future in list(self.on_the_way):
            future.cancel()

    def _track(
        self, name: str, future: "Future[Any]", read: Callable[[Any], T], there: StillExists
    ) -> PendingAnswer[T]:
        self.on_the_way.add(future)
        future.add_done_callback(self.on_the_way.discard)
        return PendingAnswer(name, future, read, there)


def run_abandonable(call: Callable[[], T]) -> "Future[T]":
    """Run a blocking call on a thread that can be abandoned: opening a session at a dead server blocks for minutes."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - passed to the waiting thread
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def _submit_abandonable(begin: Callable[[], "Future[T]"], on_signal: OnSignal) -> "Future[T]":
    """Return the result of the SDK's future, obtained on another thread; cancelling cancels that future too."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            with watch(on_signal):
                future = begin()
        except Exception as error:  # noqa: BLE001 - passed to the waiting thread
            with suppress(InvalidStateError):  # the answer was abandoned
                answer.set_exception(error)
            return
        answer.add_done_callback(lambda _: future.cancel())  # runs at once if it was abandoned meanwhile
        future.add_done_callback(lambda _: _pass_on(future, answer))

    threading.Thread(target=run, daemon=True).start()
    return answer


def _pass_on(future: "Future[T]", answer: "Future[T]") -> None:
    """Copy the outcome of one future to the other."""
    with suppress(InvalidStateError):  # the answer was abandoned
        if future.cancelled():
            answer.cancel()
        elif (error := future.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(future.result())

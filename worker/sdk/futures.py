"""How an attempt asks something of the service, and waits for the answer: with a right to ask, and an end to waiting.

An exception of the SDK can carry the API key inside, so none gets past here.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from scheduler.engine.retry import Fault
from worker.sdk.failures import ServiceError, translate, translate_unreadable
from worker.sdk.handles import StillExists, assume_it_exists
from worker.sdk.hooks import OnSignal, ignore_signal, watch

T = TypeVar("T")
Check = Callable[[], None]  # raises when the attempt must not go on waiting
Permit = Callable[[int], None]  # returns when a request with so many tokens may be sent; raises as a Check does

LOOK_AGAIN = 0.5  # seconds between two looks at whether the attempt may still wait


def permit_everything(tokens: int) -> None:
    """Any request may be sent at once."""


class PendingAnswer(Generic[T]):
    """An answer that is on its way."""

    def __init__(
        self, call: str, future: "Future[Any]", read: Callable[[Any], T], there: StillExists = assume_it_exists
    ) -> None:
        self._call = call
        self._future = future
        self._read = read
        self._there = there

    def wait(self, check: Check) -> T:
        """The answer. Raises ServiceError, and whatever `check` raises while waiting: the SDK would wait for ever."""
        while True:
            try:
                answer = self._future.result(LOOK_AGAIN)
            except TimeoutError:
                if self._future.done():
                    raise ServiceError(Fault.OUTAGE, "the service timed out") from None
            except Exception as error:  # noqa: BLE001 - the SDK raises a mix; this is the one place that sorts it
                raise self._judged(translate_unreadable(self._call, error)) from None
            else:
                return self._read(answer)
            check()

    def _judged(self, error: ServiceError) -> ServiceError:
        """A refusal is of what was asked, or means that what it was asked of is lost."""
        if error.fault is not Fault.STAGE or self._there():
            return error
        said = f"{error}; what it was asked of is no more at the service"
        return ServiceError(Fault.GONE, said, missing=True, status=error.status)


@dataclass(frozen=True)
class Requester:
    """How an attempt asks: who is told what is seen meanwhile, what each request waits for, and what is on its way.

    `there` tells, should a request be refused, whether that which is asked is at the service still.
    """

    on_signal: OnSignal = ignore_signal
    permit: Permit = permit_everything
    there: StillExists = assume_it_exists
    on_the_way: "set[Future[Any]]" = field(default_factory=set)

    def submit(
        self, name: str, call: Callable[[], "Future[Any]"], read: Callable[[Any], T], *, tokens: int = 0
    ) -> PendingAnswer[T]:
        """Send a request that holds so many tokens. Raises ServiceError, and what the permit raises."""
        self.permit(tokens)
        try:
            with watch(self.on_signal):
                return self._awaited(name, call(), read, self.there)
        except Exception as error:  # noqa: BLE001 - as in Pending.wait
            raise translate(error) from None

    def open(self, name: str, call: Callable[[], "Future[Any]"], read: Callable[[Any], T]) -> PendingAnswer[T]:
        """The same where the call itself may block: the SDK opens a session in it, and a dead server holds that."""
        self.permit(0)
        return self._awaited(name, _submit_abandonable(call, self.on_signal), read, assume_it_exists)

    def abandon(self) -> None:
        """Nobody wants what is on its way any more: the SDK, which would ask for it for ever, stops."""
        for future in list(self.on_the_way):
            future.cancel()

    def _awaited(
        self, name: str, future: "Future[Any]", read: Callable[[Any], T], there: StillExists
    ) -> PendingAnswer[T]:
        self.on_the_way.add(future)
        future.add_done_callback(self.on_the_way.discard)
        return PendingAnswer(name, future, read, there)


def run_abandonable(call: Callable[[], T]) -> "Future[T]":
    """Run a blocking call where it can be left alone: opening a session at a dead server blocks for minutes."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def _submit_abandonable(begin: Callable[[], "Future[T]"], on_signal: OnSignal) -> "Future[T]":
    """What a future of the SDK will hold, when even to ask for it may block. Cancelling it cancels that one too."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            with watch(on_signal):
                future = begin()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            with suppress(InvalidStateError):  # nobody waits any more
                answer.set_exception(error)
            return
        answer.add_done_callback(lambda _: future.cancel())  # at once, if it was abandoned meanwhile
        future.add_done_callback(lambda _: _pass_on(future, answer))

    threading.Thread(target=run, daemon=True).start()
    return answer


def _pass_on(future: "Future[T]", answer: "Future[T]") -> None:
    with suppress(InvalidStateError):  # nobody waits any more
        if future.cancelled():
            answer.cancel()
        elif (error := future.exception()) is not None:
            answer.set_exception(error)
        else:
            answer.set_result(future.result())

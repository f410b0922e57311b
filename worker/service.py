"""The one door to Tinker: the only module that imports the SDK.

It gives the rest of the worker four nouns (session, trainer, batch, pending) and plain errors. An exception of the SDK
can carry the API key inside, so none leaves this file.
"""

import gc
import itertools
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import tinker
from tinker.lib.api_future_impl import QueueState, QueueStateObserver
from tinker.lib.internal_client_holder import InternalClientHolder
from tinker.lib.retryable_exception import RetryableException

from scheduler.retry import Fault
from sweeps.render import Example

T = TypeVar("T")
Check = Callable[[], None]  # raises when the attempt must not go on waiting

Ending = Literal["success", "errored", "interrupted"]

LOOK_AGAIN = 0.5  # seconds between two looks at whether the attempt may still wait
PROBE = 5.0  # seconds for an answer to the simplest question
COLLECT_EVERY = 25  # closed sessions: the SDK leaves four sockets of each in a reference cycle, and files run out


def _pause_on_billing(*_: object) -> bool:
    """The SDK hides a 402 for an hour, and tries again every five seconds. We stop spending at once, and say so."""
    return False


InternalClientHolder._should_pause_on_billing = _pause_on_billing  # type: ignore[method-assign, assignment] # noqa: SLF001


class ServiceError(Exception):
    """Tinker, or the way to it, failed. Plain text and a fault; nothing of the SDK's exception is kept."""

    def __init__(self, fault: Fault, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.fault = fault
        self.missing = missing  # something that was named is not there (any more)

    @property
    def about_the_checkpoint(self) -> bool:
        """Said while opening one: it is gone, or refused, and asking again will not help."""
        return self.missing or self.fault is Fault.STAGE


@dataclass(frozen=True)
class Endpoint:
    """Where a model is served, and with which key; `base_url` None is the SDK's own default."""

    base_url: str | None
    api_key: str | None


@dataclass(frozen=True)
class Adam:
    """The optimizer's numbers for one step."""

    learning_rate: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    grad_clip_norm: float


@dataclass(frozen=True)
class Losses:
    """What a forward pass gave: natural log-probabilities of each datum's targets, and the weighted loss."""

    loss: float
    logprobs: list[npt.NDArray[np.float32]]


class Batch:
    """Examples made ready for the wire, with the weight that each target bears.

    `scale` multiplies the weights: 1 / (loss tokens of the batch) makes the loss a mean over tokens.
    """

    def __init__(self, examples: Sequence[Example], *, scale: float = 1.0) -> None:
        self.tokens = sum(len(example.weights) for example in examples)
        self._data = [_datum(example, scale) for example in examples]

    @property
    def data(self) -> list[tinker.Datum]:
        return self._data


class Pending(Generic[T]):
    """An answer that is on its way."""

    def __init__(self, future: "Future[Any]", read: Callable[[Any], T]) -> None:
        self._future = future
        self._read = read

    def wait(self, check: Check) -> T:
        """The answer. Raises ServiceError, and whatever `check` raises while waiting: the SDK would wait for ever."""
        while True:
            try:
                return self._read(self._future.result(LOOK_AGAIN))
            except TimeoutError:
                if self._future.done():
                    raise ServiceError(Fault.OUTAGE, "the service timed out") from None
            except Exception as error:  # noqa: BLE001 - the SDK raises a mix; this is the one place that sorts it
                raise plain(error) from None
            check()


class Pauses(QueueStateObserver):
    """Hears that the service has paused what we wait for; the SDK itself only logs it, after a quarter of an hour."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    def on_queue_state_change(self, queue_state: QueueState, queue_state_reason: str | None) -> None:  # noqa: ARG002
        if queue_state in (QueueState.PAUSED_CAPACITY, QueueState.PAUSED_RATE_LIMIT):
            self._told()


class Trainer:
    """A model in training. Any ServiceError is final for it: go on from a checkpoint with a new one."""

    def __init__(self, client: tinker.TrainingClient, paused: Callable[[], None]) -> None:
        self._client = client
        client._queue_state_logger = Pauses(paused)  # type: ignore[assignment] # noqa: SLF001 - no public hook (0.38)
        self.run_id = str(client.model_id)
        self.session_id = self.run_id.partition(":")[0]

    def forward_backward(self, batch: Batch) -> Pending[Losses]:
        """Add the gradient of the batch's cross-entropy."""
        return _submit(lambda: self._client.forward_backward(batch.data, "cross_entropy").future(), _losses)

    def forward(self, batch: Batch) -> Pending[Losses]:
        """The losses of the batch, with no gradient."""
        return _submit(lambda: self._client.forward(batch.data, "cross_entropy").future(), _losses)

    def step(self, adam: Adam) -> Pending[None]:
        """Apply what was accumulated."""
        parameters = tinker.AdamParams(**vars(adam))
        return _submit(lambda: self._client.optim_step(parameters).future(), lambda _: None)

    def save(self, name: str, *, ttl_seconds: int | None, metadata: Mapping[str, str]) -> Pending[str]:
        """Keep weights and optimizer; the answer is their path. A name used before is written over."""
        return _submit(
            lambda: self._client.save_state(
                name, ttl_seconds=ttl_seconds, overwrite=True, user_metadata=dict(metadata)
            ).future(),
            lambda answer: str(answer.path),
        )


class Session:
    """One Tinker session, one for each attempt: failure, status and billing stay its own."""

    def __init__(
        self, endpoint: Callable[[], Endpoint], metadata: Mapping[str, str], paused: Callable[[], None] = lambda: None
    ) -> None:
        """`metadata` finds the session again, at the service; `paused` is called while the service has paused us."""
        self._endpoint = endpoint
        self._metadata = dict(metadata)
        self._paused = paused

    @cached_property
    def _client(self) -> tinker.ServiceClient:
        """Made when first needed: that no endpoint is known must end the attempt as any other failure does."""
        where = self._endpoint()
        return tinker.ServiceClient(user_metadata=self._metadata, base_url=where.base_url, api_key=where.api_key)

    def create(self, model: str, *, rank: int, seed: int, layers: Mapping[str, bool]) -> Pending[Trainer]:
        """A fresh adapter on a base model."""
        client = self._client
        return self._open(
            lambda: client.create_lora_training_client(
                model,
                rank=rank,
                seed=seed,
                train_mlp=layers["mlp"],
                train_attn=layers["attn"],
                train_unembed=layers["unembed"],
                user_metadata=self._metadata,
            ).future()
        )

    def restore(self, path: str, *, optimizer: bool) -> Pending[Trainer]:
        """A model from a checkpoint: with the optimizer's moments to go on, without to begin anew."""
        begin = (
            self._client.create_training_client_from_state_with_optimizer
            if optimizer
            else self._client.create_training_client_from_state
        )
        return self._open(lambda: begin(path, user_metadata=self._metadata).future())

    def close(self, status: Ending) -> "Future[None]":
        """Free what the session holds at the service. Nobody need wait for it; who does, waits for seconds at most."""
        return abandonable(lambda: self._close(status))

    def _close(self, status: Ending) -> None:
        if "_client" not in vars(self):
            return
        with suppress(Exception):  # the session times out by itself; nothing is lost
            self._client.close(status).result(timeout=10)
        del self._client
        if next(_closed) % COLLECT_EVERY == 0:
            gc.collect()

    def _open(self, begin: Callable[[], "Future[Any]"]) -> Pending[Trainer]:
        """In a thread of its own: the SDK opens a session in the calling one, which a dead server holds for minutes."""
        return Pending(abandonable(lambda: begin().result()), lambda client: Trainer(client, self._paused))


def responds(endpoint: Endpoint) -> bool:
    """Does the service answer the simplest question there is? Blocks for a few seconds at most."""
    try:
        _asked(endpoint, lambda client: client.get_server_capabilities())
    except Exception:  # noqa: BLE001 - why it does not is of no interest here
        return False
    return True


def keeps(endpoint: Endpoint, path: str) -> bool:
    """Is this checkpoint there? Blocks for a few seconds at most; raises ServiceError where that cannot be learnt."""
    try:
        _asked(endpoint, lambda client: client.get_weights_info_by_tinker_path(path))
    except Exception as error:  # noqa: BLE001 - as in Pending.wait
        said = plain(error)
        if said.about_the_checkpoint:
            return False
        raise said from None
    return True


def _asked(endpoint: Endpoint, question: "Callable[[tinker.RestClient], Any]") -> object:
    """The answer to a question that needs no session."""

    def ask() -> object:
        client = tinker.RestClient(base_url=endpoint.base_url, api_key=endpoint.api_key)
        return question(client).result(PROBE)

    return abandonable(ask).result(PROBE)


_closed = itertools.count(1)


def abandonable(call: Callable[[], T]) -> "Future[T]":
    """Run a blocking call where it can be left alone: opening a session at a dead server blocks for minutes."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def plain(error: Exception) -> ServiceError:
    """What an exception of the SDK means, with nothing of it kept but text."""
    hidden = isinstance(error, ValueError) and isinstance(error.__cause__, tinker.APIStatusError)
    cause = error.__cause__ if hidden else error
    missing = isinstance(cause, tinker.NotFoundError)
    return ServiceError(_fault(cause), f"{type(error).__name__}: {_text(error)}", missing=missing)


def _text(error: Exception) -> str:
    """Its message without what the SDK appends of its own insides (`… with self.request_id=…`)."""
    return str(error).partition("self.request_id=")[0].rstrip(" ,:;(")[:500]


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
    if type(error) is tinker.TinkerError and "api_key" in str(error):  # there is none, or it cannot be one
        return Fault.ACCOUNT
    if isinstance(error, tinker.RequestFailedError):
        return Fault.STAGE if str(error.category).rpartition(".")[2].lower() == "user" else Fault.BROKEN
    if isinstance(error, tinker.APIStatusError) and error.status_code in _STATUSES:
        return _STATUSES[error.status_code]
    return next((fault for kinds, fault in _FAULTS if isinstance(error, kinds)), Fault.UNKNOWN)


def _submit(call: Callable[[], "Future[Any]"], read: Callable[[Any], T]) -> Pending[T]:
    try:
        return Pending(call(), read)
    except Exception as error:  # noqa: BLE001 - as in Pending.wait
        raise plain(error) from None


def _losses(answer: Any) -> Losses:
    logprobs = [np.asarray(output["logprobs"].to_numpy(), dtype=np.float32) for output in answer.loss_fn_outputs]
    return Losses(loss=float(answer.metrics.get("loss:sum", math.nan)), logprobs=logprobs)


# An example is sent many times; what does not change of it is made for the wire once.
_wires: WeakKeyDictionary[Example, tuple[tinker.ModelInput, tinker.TensorData]] = WeakKeyDictionary()


def _datum(example: Example, scale: float) -> tinker.Datum:
    model_input, targets = _wires.get(example) or _wire(example)
    weights = tinker.TensorData.from_numpy(example.weights * np.float32(scale))
    return tinker.Datum(model_input=model_input, loss_fn_inputs={"target_tokens": targets, "weights": weights})


def _wire(example: Example) -> tuple[tinker.ModelInput, tinker.TensorData]:
    made = (
        tinker.ModelInput.from_ints(example.tokens[:-1].tolist()),
        tinker.TensorData.from_numpy(example.tokens[1:].astype(np.int64)),
    )
    _wires[example] = made
    return made

"""The one door to Tinker: what an attempt asks of it goes through here.

It gives the rest of the worker its nouns (session, trainer, batch, acted) and plain errors. An exception of the SDK can
carry the API key inside, so none leaves this file, nor those beside it (`futures.py`, `sampler.py`, `handles.py`).
"""

import gc
import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import tinker
from tinker.lib.retry_handler import RetryConfig

from scheduler.engine.retry import Fault
from sweeps.rendering.render import Example
from sweeps.training.rollouts import Rollout
from worker.sdk import handles, hooks
from worker.sdk.failures import ServiceError, translate
from worker.sdk.futures import PendingAnswer, Permit, Requester, permit_everything, run_abandonable
from worker.sdk.hooks import OnSignal, ignore_signal
from worker.sdk.responses import PassResult, read_losses, read_path
from worker.sdk.sampler import Sampler
from worker.training.loss_from_logprobs import make_cross_entropy, make_policy_loss

Ending = Literal["success", "errored", "interrupted"]

PROBE = 5.0  # seconds for an answer to the simplest question
COLLECT_EVERY = 25  # closed sessions: the SDK leaves four sockets of each in a reference cycle, and files run out

ONCE = RetryConfig(enable_retry_logic=False, enable_stuck_detection=False)
"""Of a sampler: what fails after it was accepted would be sampled, and billed, a second time, and nobody would know."""

hooks.install()


@dataclass(frozen=True)
class Endpoint:
    """Where a model is served, and with which key; `base_url` None is the SDK's own default."""

    base_url: str | None
    api_key: str | None


@dataclass(frozen=True)
class AdamSettings:
    """The optimizer's numbers for one step."""

    learning_rate: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    grad_clip_norm: float


class ExampleBatch:
    """Examples made ready for the wire, with the weight that each target bears.

    `scale` multiplies the weights, each example's by its own if there are as many: 1 / (loss tokens of the batch)
    makes the loss a mean over tokens.
    """

    def __init__(self, examples: Sequence[Example], *, scale: float | Sequence[float] = 1.0) -> None:
        self.tokens = sum(len(example.weights) for example in examples)
        scales = [scale] * len(examples) if isinstance(scale, float) else scale
        self.bearing = [example.weights * np.float32(each) for example, each in zip(examples, scales, strict=True)]
        self.data = [_make_datum(example, weights) for example, weights in zip(examples, self.bearing, strict=True)]

    def read(self, call: str, answer: Any) -> PassResult:
        """The losses that a pass over it gave."""
        return read_losses(call, answer, self.bearing, make_cross_entropy(self.bearing))


class RolloutBatch:
    """Rollouts made ready for the wire, with the advantage of each of their tokens."""

    def __init__(self, rollouts: Sequence[Rollout], advantages: Sequence[npt.NDArray[np.float32]]) -> None:
        self.tokens = sum(map(len, rollouts))
        self.bearing = [each.astype(np.float32, copy=False) for each in advantages]
        self.acted = [rollout.acted.astype(np.float32) for rollout in rollouts]
        self.sampled = [rollout.logprobs for rollout in rollouts]
        self.data = [_make_rollout_datum(rollout, each) for rollout, each in zip(rollouts, advantages, strict=True)]

    def read(self, loss: str, config: Mapping[str, float], answer: Any) -> PassResult:
        """The losses that a pass over it gave; what was the model's own bears on it, whatever its advantage."""
        worth = make_policy_loss(loss, config, self.sampled, self.bearing)
        return read_losses("forward_backward", answer, self.acted, worth)


class Trainer:
    """A model in training. Any ServiceError is final for it: go on from a checkpoint with a new one."""

    def __init__(self, client: tinker.TrainingClient, requester: Requester) -> None:
        self._client = client
        self._requester = replace(requester, there=handles.make_model_check(client))
        self.run_id = str(client.model_id)
        self.session_id = self.run_id.partition(":")[0]

    def bind(self, on_signal: OnSignal, permit: Permit) -> "Trainer":
        """The same model, for another attempt in the same session."""
        return Trainer(self._client, replace(self._requester, on_signal=on_signal, permit=permit))

    def forward_backward(self, batch: ExampleBatch) -> PendingAnswer[PassResult]:
        """Add the gradient of the batch's cross-entropy."""
        return self._requester.submit(
            "forward_backward",
            lambda: self._client.forward_backward(batch.data, "cross_entropy").future(),
            partial(batch.read, "forward_backward"),
            tokens=batch.tokens,
        )

    def forward(self, batch: ExampleBatch) -> PendingAnswer[PassResult]:
        """The losses of the batch, with no gradient."""
        return self._requester.submit(
            "forward",
            lambda: self._client.forward(batch.data, "cross_entropy").future(),
            partial(batch.read, "forward"),
            tokens=batch.tokens,
        )

    def reinforce(self, batch: RolloutBatch, loss: str, config: Mapping[str, float]) -> PendingAnswer[PassResult]:
        """Add the gradient of a loss on what was acted, by the name that the service gives it."""
        name = cast("tinker.types.LossFnType", loss)
        return self._requester.submit(
            "forward_backward",
            lambda: self._client.forward_backward(batch.data, name, dict(config) or None).future(),
            partial(batch.read, loss, config),
            tokens=batch.tokens,
        )

    def create_sampler(self) -> PendingAnswer[Sampler]:
        """The weights as they are behind all that was asked for before, to be sampled from."""
        return self._requester.submit(
            "save_weights_and_get_sampling_client",
            lambda: self._client.save_weights_and_get_sampling_client(retry_config=ONCE).future(),
            lambda client: Sampler(client, self._requester),
        )

    def save_for_sampling(self, name: str, *, ttl_seconds: int | None) -> PendingAnswer[str]:
        """Keep the weights so that they can be sampled from after the session; the answer is their path."""
        return self._requester.submit(
            "save_weights_for_sampler",
            lambda: self._client.save_weights_for_sampler(name, ttl_seconds=ttl_seconds).future(),
            partial(read_path, "save_weights_for_sampler"),
        )

    def open_sampler(self, path: str) -> PendingAnswer[Sampler]:
        """Weights that were kept to be sampled from."""
        return self._requester.submit(
            "create_sampling_client",
            lambda: self._client.create_sampling_client(path, retry_config=ONCE).future(),
            lambda client: Sampler(client, self._requester),
        )

    def step(self, adam: AdamSettings) -> PendingAnswer[None]:
        """Apply what was accumulated."""
        parameters = tinker.AdamParams(**vars(adam))
        return self._requester.submit(
            "optim_step", lambda: self._client.optim_step(parameters).future(), lambda _: None
        )

    def save(self, name: str, *, ttl_seconds: int | None, metadata: Mapping[str, str]) -> PendingAnswer[str]:
        """Keep weights and optimizer; the answer is their path. A name used before is written over."""
        return self._requester.submit(
            "save_state",
            lambda: self._client.save_state(
                name, ttl_seconds=ttl_seconds, overwrite=True, user_metadata=dict(metadata)
            ).future(),
            partial(read_path, "save_state"),
        )


class Session:
    """One Tinker session, one for each attempt: failure, status and billing stay its own."""

    def __init__(
        self,
        endpoint: Callable[[], Endpoint],
        metadata: Mapping[str, str],
        *,
        on_signal: OnSignal = ignore_signal,
        permit: Permit = permit_everything,
    ) -> None:
        """`metadata` finds the session again, at the service; `seen` is told what is seen while we wait for it.

        `permit` is asked before each request.
        """
        self._endpoint = endpoint
        self._metadata = dict(metadata)
        self._requester = Requester(on_signal, permit)

    @cached_property
    def _client(self) -> tinker.ServiceClient:
        """Made when first needed: that no endpoint is known must end the attempt as any other failure does."""
        where = self._endpoint()
        return tinker.ServiceClient(user_metadata=self._metadata, base_url=where.base_url, api_key=where.api_key)

    def create(self, model: str, *, rank: int, seed: int, layers: Mapping[str, bool]) -> PendingAnswer[Trainer]:
        """A fresh adapter on a base model."""
        client = self._client
        return self._open(
            "create_model",
            lambda: client.create_lora_training_client(
                model,
                rank=rank,
                seed=seed,
                train_mlp=layers["mlp"],
                train_attn=layers["attn"],
                train_unembed=layers["unembed"],
                user_metadata=self._metadata,
            ).future(),
        )

    def restore(self, path: str, *, optimizer: bool) -> PendingAnswer[Trainer]:
        """A model from a checkpoint: with the optimizer's moments to go on, without to begin anew."""
        begin = (
            self._client.create_training_client_from_state_with_optimizer
            if optimizer
            else self._client.create_training_client_from_state
        )
        return self._open("load_weights", lambda: begin(path, user_metadata=self._metadata).future())

    def close(self, status: Ending) -> "Future[None]":
        """Abandon what is on its way, and free what the session holds at the service: done within seconds, for who
        waits for it."""
        self._requester.abandon()
        last = [vars(self).pop("_client", None)]
        return run_abandonable(lambda: _close_client(last, status))

    def _open(self, name: str, begin: Callable[[], "Future[Any]"]) -> PendingAnswer[Trainer]:
        return self._requester.open(name, begin, lambda client: Trainer(client, self._requester))


def is_responding(endpoint: Endpoint) -> bool:
    """Does the service answer the simplest question there is? Blocks for a few seconds at most."""
    try:
        probe(endpoint, PROBE)
    except ServiceError:
        return False
    return True


def probe(endpoint: Endpoint, within: float) -> None:
    """Ask the simplest question there is. Raises ServiceError where no good answer comes within so many seconds."""
    try:
        _ask(endpoint, lambda client: client.get_server_capabilities(), within)
    except TimeoutError:
        raise ServiceError(Fault.OUTAGE, f"no answer to the simplest question within {within:.0f} s") from None
    except Exception as error:  # noqa: BLE001 - as in Pending.wait
        said = translate(error)
        if not (said.missing or said.lacking):  # that it has no such call is an answer too
            raise said from None


def has_checkpoint(endpoint: Endpoint, path: str) -> bool | None:
    """Is this checkpoint there? None where the service has no call that tells.

    Blocks for a few seconds at most; raises ServiceError where that cannot be learnt now.
    """

    def listed(client: tinker.RestClient) -> Any:
        return client.list_checkpoints(path.removeprefix("tinker://").partition("/")[0])

    try:
        _ask(endpoint, lambda client: client.get_weights_info_by_tinker_path(path))
    except Exception as error:  # noqa: BLE001 - as in Pending.wait
        said = translate(error)
        if not said.lacking:
            return _false_if_gone(said)
    else:
        return True
    try:
        found: Any = _ask(endpoint, listed)
    except Exception as error:  # noqa: BLE001 - as in Pending.wait
        said = translate(error)
        return None if said.lacking else _false_if_gone(said)
    return any(each.tinker_path == path for each in found.checkpoints)


def _false_if_gone(said: ServiceError) -> bool:
    """False where it is said that a thing is gone; raises what else is said."""
    if said.about_the_checkpoint:
        return False
    raise said


def _ask(endpoint: Endpoint, question: "Callable[[tinker.RestClient], Any]", within: float = PROBE) -> object:
    """The answer to a question that needs no session."""

    def ask() -> object:
        client = tinker.RestClient(base_url=endpoint.base_url, api_key=endpoint.api_key)
        return question(client).result(within)

    return run_abandonable(ask).result(within)


def _close_client(last: list[tinker.ServiceClient | None], status: Ending) -> None:
    """`last` holds the last reference to the client, if there was one."""
    if (client := last.pop()) is None:
        return
    with suppress(Exception):  # the session times out by itself; nothing is lost
        client.close(status).result(timeout=10)
    del client
    if next(_closed) % COLLECT_EVERY == 0:
        gc.collect()


_closed = itertools.count(1)


# An example is sent many times; what does not change of it is made for the wire once.
_converted: WeakKeyDictionary[Example, tuple[tinker.ModelInput, tinker.TensorData]] = WeakKeyDictionary()


def _make_datum(example: Example, weights: npt.NDArray[np.float32]) -> tinker.Datum:
    model_input, targets = _converted.get(example) or _convert(example)
    bears = tinker.TensorData.from_numpy(weights)
    return tinker.Datum(model_input=model_input, loss_fn_inputs={"target_tokens": targets, "weights": bears})


def _make_rollout_datum(rollout: Rollout, advantages: npt.NDArray[np.float32]) -> tinker.Datum:
    inputs: dict[str, npt.NDArray[Any]] = {
        "target_tokens": rollout.tokens[1:].astype(np.int64),
        "logprobs": rollout.logprobs,
        "advantages": advantages,
    }
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(rollout.tokens[:-1].tolist()),
        loss_fn_inputs={name: tinker.TensorData.from_numpy(values) for name, values in inputs.items()},
    )


def _convert(example: Example) -> tuple[tinker.ModelInput, tinker.TensorData]:
    made = (
        tinker.ModelInput.from_ints(example.tokens[:-1].tolist()),
        tinker.TensorData.from_numpy(example.tokens[1:].astype(np.int64)),
    )
    _converted[example] = made
    return made

"""Open a Tinker session for an attempt, and request models, steps, samplers and checkpoints.

The only place that creates the SDK's ServiceClient. An SDK exception can carry the API key, so none
leaves this file or the files that it calls (`futures.py`, `sampler.py`, `handles.py`, `health.py`):
callers see ServiceError.
"""

import gc
import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, cast

import tinker
from tinker.lib.retry_handler import RetryConfig

from worker.sdk import handles
from worker.sdk.batches import ExampleBatch, RolloutBatch
from worker.sdk.endpoints import Endpoint
from worker.sdk.futures import PendingAnswer, Permit, Requester, permit_everything, run_abandonable
from worker.sdk.hooks import OnSignal, ignore_signal
from worker.sdk.responses import PassResult, read_path
from worker.sdk.sampler import Sampler

Ending = Literal["success", "errored", "interrupted"]

COLLECT_EVERY = 25  # closed sessions between two collections: the SDK leaves four sockets of each in a reference cycle

ONCE = RetryConfig(enable_retry_logic=False, enable_stuck_detection=False)
"""Retry settings of a sampler: none. A request that fails after it was accepted would be sampled and billed again."""


@dataclass(frozen=True)
class AdamStep:
    """The optimizer's numbers for one step."""

    learning_rate: float
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    grad_clip_norm: float


class Trainer:
    """A model in training. After any ServiceError it is unusable: restore a checkpoint in a new session."""

    def __init__(self, client: tinker.TrainingClient, requester: Requester) -> None:
        self._client = client
        self._requester = replace(requester, there=handles.make_model_check(client))
        self.run_id = str(client.model_id)
        self.session_id = self.run_id.partition(":")[0]

    def bind(self, on_signal: OnSignal, permit: Permit) -> "Trainer":
        """Return the same model for another attempt in the same session."""
        return Trainer(self._client, replace(self._requester, on_signal=on_signal, permit=permit))

    def forward_backward(self, batch: ExampleBatch) -> PendingAnswer[PassResult]:
        """Add the gradient of the batch's cross-entropy to the pending gradient."""
        return self._requester.submit(
            "forward_backward",
            lambda: self._client.forward_backward(batch.data, "cross_entropy").future(),
            partial(batch.read, "forward_backward"),
            tokens=batch.tokens,
        )

    def forward(self, batch: ExampleBatch) -> PendingAnswer[PassResult]:
        """Compute the losses of the batch, without a gradient."""
        return self._requester.submit(
            "forward",
            lambda: self._client.forward(batch.data, "cross_entropy").future(),
            partial(batch.read, "forward"),
            tokens=batch.tokens,
        )

    def reinforce(self, batch: RolloutBatch, loss: str, config: Mapping[str, float]) -> PendingAnswer[PassResult]:
        """Add the gradient of a policy loss on rollouts; `loss` is the service's name for it."""
        name = cast("tinker.types.LossFnType", loss)
        return self._requester.submit(
            "forward_backward",
            lambda: self._client.forward_backward(batch.data, name, dict(config) or None).future(),
            partial(batch.read, loss, config),
            tokens=batch.tokens,
        )

    def create_sampler(self) -> PendingAnswer[Sampler]:
        """Return a sampler with the weights as they are after everything requested before."""
        return self._requester.submit(
            "save_weights_and_get_sampling_client",
            lambda: self._client.save_weights_and_get_sampling_client(retry_config=ONCE).future(),
            lambda client: Sampler(client, self._requester),
        )

    def save_for_sampling(self, name: str, *, ttl_seconds: int | None) -> PendingAnswer[str]:
        """Save the weights for sampling beyond the session; return their path."""
        return self._requester.submit(
            "save_weights_for_sampler",
            lambda: self._client.save_weights_for_sampler(name, ttl_seconds=ttl_seconds).future(),
            partial(read_path, "save_weights_for_sampler"),
        )

    def open_sampler(self, path: str) -> PendingAnswer[Sampler]:
        """Return a sampler with weights that were saved for sampling."""
        return self._requester.submit(
            "create_sampling_client",
            lambda: self._client.create_sampling_client(path, retry_config=ONCE).future(),
            lambda client: Sampler(client, self._requester),
        )

    def step(self, adam: AdamStep) -> PendingAnswer[None]:
        """Apply the pending gradient."""
        parameters = tinker.AdamParams(**vars(adam))
        return self._requester.submit(
            "optim_step", lambda: self._client.optim_step(parameters).future(), lambda _: None
        )

    def save(self, name: str, *, ttl_seconds: int | None, metadata: Mapping[str, str]) -> PendingAnswer[str]:
        """Save weights and optimizer state, replacing a checkpoint of the same name; return the path."""
        return self._requester.submit(
            "save_state",
            lambda: self._client.save_state(
                name, ttl_seconds=ttl_seconds, overwrite=True, user_metadata=dict(metadata)
            ).future(),
            partial(read_path, "save_state"),
        )

    def export(self, name: str, *, ttl_seconds: int) -> PendingAnswer[str]:
        """Save the weights in a form that other programs read, for download; return the path."""
        return self._requester.submit(
            "save_weights_external",
            lambda: self._client.save_weights_external(name, ttl_seconds=ttl_seconds).future(),
            partial(read_path, "save_weights_external"),
        )


class Session:
    """One Tinker session per attempt, so that failures, status and billing stay separate."""

    def __init__(
        self,
        endpoint: Callable[[], Endpoint],
        metadata: Mapping[str, str],
        *,
        on_signal: OnSignal = ignore_signal,
        permit: Permit = permit_everything,
    ) -> None:
        """Prepare a session; nothing is sent yet.

        `metadata` identifies the session at the service. `on_signal` receives what the service signals while an
        answer is awaited. `permit` is called before each request.
        """
        self._endpoint = endpoint
        self._metadata = dict(metadata)
        self._requester = Requester(on_signal, permit)

    @cached_property
    def _client(self) -> tinker.ServiceClient:
        """Created on first use, so that a missing endpoint ends the attempt like any other failure."""
        where = self._endpoint()
        return tinker.ServiceClient(user_metadata=self._metadata, base_url=where.base_url, api_key=where.api_key)

    def create(self, model: str, *, rank: int, seed: int, layers: Mapping[str, bool]) -> PendingAnswer[Trainer]:
        """Create a fresh adapter on a base model."""
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
        """Open a model from a checkpoint: with the optimizer's moments to continue, without to start a new training."""
        begin = (
            self._client.create_training_client_from_state_with_optimizer
            if optimizer
            else self._client.create_training_client_from_state
        )
        return self._open("load_weights", lambda: begin(path, user_metadata=self._metadata).future())

    def close(self, status: Ending) -> "Future[None]":
        """Abandon pending answers and release what the session holds at the service, within seconds."""
        self._requester.abandon()
        last = [vars(self).pop("_client", None)]
        return run_abandonable(lambda: _close_client(last, status))

    def _open(self, name: str, begin: Callable[[], "Future[Any]"]) -> PendingAnswer[Trainer]:
        return self._requester.open(name, begin, lambda client: Trainer(client, self._requester))


def _close_client(last: list[tinker.ServiceClient | None], status: Ending) -> None:
    """Close the client; `last` holds the last reference to it, if there was one."""
    if (client := last.pop()) is None:
        return
    with suppress(Exception):  # otherwise the session times out by itself
        client.close(status).result(timeout=10)
    del client
    if next(_closed) % COLLECT_EVERY == 0:
        gc.collect()


_closed = itertools.count(1)

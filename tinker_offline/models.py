"""Hold what lives only as long as the process: models in training, and samplers.

Writes sampler weights to the snapshot folder; nothing else.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tinker_offline.atomic_files import write_file
from tinker_offline.errors import Refusal
from tinker_offline.model.learner import Learner, list_adapter_arrays, read_adapter
from tinker_offline.model.ngram import Adapter, Base
from tinker_offline.work_queue import Futures, Work


@dataclass
class OperationQueue:
    """Starts a model's operations in the order of their numbers, which begin at 1 and have no gaps.

    An early operation waits for those before it; a repeated one gets the first request id and is not done
    again. None starts before the queue is open, when the model's creation has started.
    """

    futures: Futures
    opened: bool = False
    next_seq: int = 1
    accepted: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, Work] = field(default_factory=dict)

    def enqueue(self, seq_id: int, work: Work) -> str:
        if seq_id < 1:
            raise Refusal(f"expected a seq_id of at least 1, got {seq_id}")
        if seq_id not in self.accepted:
            self.accepted[seq_id] = self.futures.reserve()
            self.waiting[seq_id] = work
            self._advance()
        return self.accepted[seq_id]

    def open(self) -> None:
        self.opened = True
        self._advance()

    def _advance(self) -> None:
        while self.opened and self.next_seq in self.waiting:
            self.futures.start_at_tick(self.accepted[self.next_seq], self.waiting.pop(self.next_seq))
            self.next_seq += 1

    def close(self, refusal: Refusal) -> None:
        for seq_id in self.waiting:
            self.futures.fail(self.accepted[seq_id], refusal)
        self.waiting.clear()


@dataclass
class LiveSampler:
    """Weights to sample from; those of a checkpoint are read when first needed."""

    sampler_id: str
    session_id: str
    base_model: str
    model_path: str | None
    load: Callable[[], tuple[Base, Adapter]]
    accepted: dict[int, str] = field(default_factory=dict)
    aside: Path | None = None  # the file of its weights, if they are not in memory
    _weights: tuple[Base, Adapter] | None = None

    def get_weights(self) -> tuple[Base, Adapter]:
        if self._weights is None:
            self._weights = self.load()
        return self._weights

    def publish(self, base: Base, adapter: Adapter) -> None:
        """Sample from these weights from now on."""
        self._weights = base, adapter

    def put_aside(self, file: Path) -> None:
        """Keep the weights on disk until they are needed: a long training takes a snapshot at every step."""
        base, adapter = self.get_weights()
        write_file(file, lambda draft: np.savez(draft, allow_pickle=False, **list_adapter_arrays(adapter)))
        self.load, self.aside, self._weights = lambda: (base, _read_adapter_file(file)), file, None

    def forget(self) -> None:
        if self.aside is not None:
            self.aside.unlink(missing_ok=True)


def _read_adapter_file(file: Path) -> Adapter:
    with np.load(file) as arrays:
        return read_adapter(arrays)


@dataclass
class LiveModel:
    """A model in training. Its learner is created on the compute thread, with the first operation."""

    run_id: str
    session_id: str
    base_model: str
    rank: int
    lane: OperationQueue
    created: str  # request id of its creation
    state: tuple[Base, Learner] | None = None
    inflight: list[LiveSampler] = field(default_factory=list)
    snapshots: deque[LiveSampler] = field(default_factory=deque)  # the newest samplers, whose weights are in memory

    def get_parts(self) -> tuple[Base, Learner]:
        if self.state is None:
            raise Refusal(f"model {self.run_id} could not be created")
        return self.state


@dataclass
class ModelSlots:
    """The number of models that may live at once. A creation above the limit waits, in the order of arrival."""

    limit: int | None = None
    taken: set[str] = field(default_factory=set)  # request ids of creations
    waiting: dict[str, Callable[[], None]] = field(default_factory=dict)

    def request(self, created: str, begin: Callable[[], None]) -> None:
        self.waiting[created] = begin
        self.fill()

    def give_back(self, created: str) -> None:
        self.taken.discard(created)
        self.waiting.pop(created, None)

    def fill(self) -> None:
        while self.waiting and (self.limit is None or len(self.taken) < self.limit):
            created = next(iter(self.waiting))
            self.taken.add(created)
            self.waiting.pop(created)()


@dataclass
class LiveModels:
    """All models and samplers, by id."""

    slots: ModelSlots = field(default_factory=ModelSlots)
    models: dict[str, LiveModel] = field(default_factory=dict)
    samplers: dict[str, LiveSampler] = field(default_factory=dict)

    def get_model(self, model_id: str) -> LiveModel:
        if model_id not in self.models:
            raise Refusal(
                f"no live model {model_id}: its session ended or the server restarted; "
                "create a model from a checkpoint",
                404,
            )
        return self.models[model_id]

    def get_sampler(self, sampler_id: str) -> LiveSampler:
        if sampler_id not in self.samplers:
            raise Refusal(f"no live sampling session {sampler_id}; create a new one", 404)
        return self.samplers[sampler_id]

    def release(self, session_id: str, refusal: Refusal) -> None:
        """Forget everything of a session that is over, and refuse what still waits."""
        for model in [model for model in self.models.values() if model.session_id == session_id]:
            model.lane.close(refusal)
            if model.created in self.slots.waiting:
                model.lane.futures.fail(model.created, refusal)
            self.slots.give_back(model.created)
            del self.models[model.run_id]
        self.slots.fill()
        for sampler in [live for live in self.samplers.values() if live.session_id == session_id]:
            self.samplers.pop(sampler.sampler_id).forget()

"""`make bench-reports`: what our pipeline takes in a bad night, as a ratio to a bare loop over the SDK.

Both train the same stages, in turn, through the same faults: a tenth of all requests is answered with 429, a twentieth
with 503. The SDK rides those out; what we add on top must cost next to nothing.
"""

import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import tinker

from scheduler.artefacts import Artefacts
from scheduler.state import keys
from scheduler.state.connection import connect
from scheduler.state.store import Store
from sweeps.stage import Stage
from sweeps.training.data_order import order_subset, select_batch
from sweeps.training.schedule import learning_rate_at
from tests.support import redis_server
from tests.tinker_offline.process import KEY, Control, Server
from tests.worker.workshop import SPEC, Workshop
from worker.attempt import WorkerContext
from worker.examples import Examples, flatten
from worker.leases import Leases
from worker.outcome import Succeeded
from worker.sdk.batches import ExampleBatch
from worker.sdk.endpoints import Endpoint

STEPS = 60
REPETITIONS = 6

REQUESTS = ["create_model", "forward_backward", "optim_step", "save_weights", "retrieve_future"]
FAULTS = [
    {"on": REQUESTS, "share": 0.10, "answer": {"status": 429}},
    {"on": REQUESTS, "share": 0.05, "answer": {"status": 503}},
]


class Childless(Store):
    """The bare loop evaluates nothing, so neither do we."""

    def list_evaluations(self, stage: str) -> list[str]:  # noqa: ARG002 - the store's name
        return []


def main() -> None:
    """Alternate, and compare the medians."""
    ours, bare = list[float](), list[float]()
    with workshop() as (shop, control):
        for seed in range(REPETITIONS):
            stage = training(shop, f"bench-{seed}")
            order = [(bare, bare_loop), (ours, pipeline)]
            for times, run in order if seed % 2 else reversed(order):
                control.set(seed=seed, rules=FAULTS)
                began = time.monotonic()
                run(shop, stage)
                times.append(time.monotonic() - began)
            sys.stdout.write(f"{STEPS} steps under faults: ours {ours[-1]:5.1f} s, a bare loop {bare[-1]:5.1f} s\n")
    ratio = statistics.median(ours) / statistics.median(bare)
    total = sum(ours) / sum(bare)
    sys.stdout.write(f"10 % 429 and 5 % 503 throughout: ×{ratio:.2f} the time of a bare loop (sum: ×{total:.2f})\n")


@contextmanager
def workshop() -> Iterator[tuple[Workshop, Control]]:
    """A Redis, a tinker_offline that can have faults, and hands."""
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as redis:
        folder, client = Path(name), connect(redis.url)
        server = Server(folder / "offline", ["--control"])
        server.start()
        store, artefacts = Childless(client), Artefacts(str(folder / "store"))
        leases = Leases(store, worker="w", threads=1, seconds=30, grace=3, about={})
        leases.start()
        endpoint = Endpoint(base_url=server.url, api_key=KEY)
        hands = WorkerContext(store, artefacts, leases, Examples(artefacts), lambda _: endpoint)
        with server.control() as control:
            yield Workshop(hands, server, folder), control
        leases.stop()
        server.end()
        client.close()


def training(shop: Workshop, name: str) -> Stage:
    """A training that is nobody else's, under a name of its own."""
    spec = SPEC.replace("sweep: one", f"sweep: {name}").replace("steps: 20", f"steps: {STEPS}")
    spec = spec.replace("checkpoint: {every_steps: 6}", "reuse: sweep")
    stages = shop.submit(spec).plan.stages
    return next(stage for stage in stages if stage.kind == "train")


def pipeline(shop: Workshop, stage: Stage) -> None:
    """Through the whole of ours: claim, leases, metrics, the record of the checkpoint, the result."""
    (sweep,) = shop.store.client.smembers(keys.subscribers(stage.id))
    outcome = shop.attempt(stage, sweep)
    assert isinstance(outcome, Succeeded), outcome


def bare_loop(shop: Workshop, stage: Stage) -> None:
    """What one would write by hand, well: both requests back to back, one batch ahead, a checkpoint at the end."""
    recipe = cast(dict[str, Any], stage.recipe)
    batches = [_batch(shop, recipe, step) for step in range(recipe["steps"])]
    service = tinker.ServiceClient(base_url=shop.tinker.url, api_key=KEY)
    client = service.create_lora_training_client(
        recipe["model"], rank=recipe["rank"], seed=recipe["seeds"]["init"]
    ).result()
    ahead: deque[Any] = deque()
    for step, batch in enumerate(batches):
        ahead.append((client.forward_backward(batch.data, "cross_entropy"), client.optim_step(_adam(recipe, step))))
        if len(ahead) > 1:
            _wait(ahead.popleft())
    _wait(ahead.popleft())
    client.save_state("end").result()
    service.close("success").result()


def _wait(both: tuple[Any, Any]) -> None:
    for future in both:
        future.result()


def _batch(shop: Workshop, recipe: dict[str, Any], step: int) -> ExampleBatch:
    data = recipe["data"]
    examples = shop.context.examples.render(data["records"], recipe)
    subset = order_subset(len(examples), recipe["seeds"]["subset"])[: data["size"]]
    rows = select_batch(step, size=data["size"], batch_size=recipe["batch_size"], seed=recipe["seeds"]["order"])
    chosen = flatten(examples[int(subset[int(row)])] for row in rows)
    return ExampleBatch(chosen, scale=1.0 / sum(float(example.weights.sum()) for example in chosen))


def _adam(recipe: dict[str, Any], step: int) -> tinker.AdamParams:
    rate = learning_rate_at(
        step,
        schedule=recipe["schedule"],
        warmup=recipe["warmup"],
        steps=recipe["steps"],
        peak=recipe["learning_rate"],
    )
    return tinker.AdamParams(learning_rate=rate, **recipe["adam"])


if __name__ == "__main__":
    main()

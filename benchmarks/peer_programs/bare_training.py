"""What people write by hand, well: one training over the bare SDK, with both requests of a step back to back.

Imports nothing of the project: the jobs come as a file that the benchmark has written.
"""

import json
import resource
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tinker


def read_jobs(path: str) -> dict[str, Any]:
    """Read the jobs: `examples` (tokens, targets, weights), and for each training its numbers and its batches."""
    document: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return document


def train(url: str, key: str, job: dict[str, Any], examples: list[dict[str, Any]]) -> list[float]:
    """Train one adapter in a session of its own, save it, and return the losses."""
    service = tinker.ServiceClient(base_url=url, api_key=key)
    model = service.create_lora_training_client(job["model"], rank=job["rank"], seed=job["seed"]).result()
    adam = tinker.AdamParams(learning_rate=job["learning_rate"])
    losses = list[float]()
    ahead: deque[tuple[Any, Any]] = deque()
    for batch in job["batches"]:
        data = [make_datum(examples[place]) for place in batch]
        ahead.append((model.forward_backward(data, "cross_entropy"), model.optim_step(adam)))
        if len(ahead) > 1:
            losses += _wait(ahead.popleft())
    losses += _wait(ahead.popleft())
    model.save_state("end").result()
    service.close("success").result()
    return losses


def _wait(step: tuple[Any, Any]) -> Iterator[float]:
    passed, applied = step
    output = passed.result()
    applied.result()
    yield float(sum(float(sum(row["logprobs"].data)) for row in output.loss_fn_outputs))


def make_datum(example: dict[str, Any]) -> tinker.Datum:
    """Make the SDK's value of an example."""
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(example["tokens"]),
        loss_fn_inputs={
            "target_tokens": tinker.TensorData(data=example["targets"], dtype="int64", shape=[len(example["targets"])]),
            "weights": tinker.TensorData(data=example["weights"], dtype="float32", shape=[len(example["weights"])]),
        },
    )


def show(began: float, **more: float) -> None:
    """Print, as the last line, what it took since `began` (of the clock `time.monotonic`)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    document = {
        "seconds": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime,
        "megabytes": used.ru_maxrss / 1024,
        **more,
    }
    print(json.dumps(document), flush=True)

"""Planning and submitting 100,000 runs, beside the least that anybody would do for them."""

import hashlib
import itertools
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.alternation import alternate
from benchmarks.row import Row
from scheduler.cli.console.options import open_store
from scheduler.cli.submit import write_submission
from scheduler.prepare import build_submission, prepare
from scheduler.settings import read_settings
from scheduler.state.connection import connect
from tests.support import TRUSTED, redis_server

RUNS, SEEDS = 100_000, 10
RANKS, MODELS = (2, 4, 8, 16, 32), ("offline/ngram-s", "offline/ngram-m")
RATES = RUNS // (len(RANKS) * len(MODELS) * SEEDS)
SPEC = f"""
sweep: grid
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 32, steps: 10}}
data: {{mine: {{source: mine.jsonl, holdout: 0.1}}}}
vary:
  train.learning_rate: {{geom: [1e-4, 1], count: {RATES}}}
  train.rank: [2, 4, 8, 16, 32]
  model: [offline/ngram-s, offline/ngram-m]
seeds: {SEEDS}
evaluate: [nll]
"""
BATCH = 1_000  # commands of a pipeline
Document = dict[str, float]


def measure() -> list[Row]:
    """Plan against a product with a hash each; submit against the same bytes written without a thought."""
    ours, floor = alternate(lambda: _in_a_child(plan_and_submit), lambda: _in_a_child(expand_product))
    raw = [taken["raw"] for taken in ours]
    planning, submitting = [taken["plan"] for taken in ours], [taken["submit"] for taken in ours]
    product = [taken["product"] for taken in floor]
    what = f"{RUNS:,} runs"
    return [
        Row(what=f"plan {what}", against="the product in plain Python, a hash each", unit="s", ours=planning,
            theirs=product, most=3),
        Row(what=f"memory to plan and submit {what}", unit="MB", ours=[taken["megabytes"] for taken in ours], most=400),
        Row(what=f"submit {what}", against="the same bytes through a pipeline", unit="s", ours=submitting, theirs=raw,
            most=2.5),
    ]  # fmt: skip


def _in_a_child(measured: Callable[[], Document]) -> Document:
    """Measure in a child, so that its peak of memory is its own."""
    read, write = os.pipe()
    if child := os.fork():
        os.close(write)
        with os.fdopen(read) as answer:
            text = answer.read()
        _, status = os.waitpid(child, 0)
        assert status == 0, f"the child ended with {status}"
        document: Document = json.loads(text)
        return document
    status = 1
    try:
        with os.fdopen(write, "w") as answer:
            json.dump(measured(), answer)
        status = 0
    finally:
        os._exit(status)


def plan_and_submit() -> Document:
    """Plan and submit, then write what is in Redis then to an empty server."""
    with TemporaryDirectory() as name, redis_server(Path(name), TRUSTED) as server:
        folder = Path(name)
        rows = ({"prompt": f"what is {number}?", "completion": f"it is {number % 13}"} for number in range(300))
        (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "grid.yaml").write_text(SPEC)
        settings = read_settings({"SWEEP_HOME": str(folder / "state"), "REDIS_URL": server.url})
        began = time.monotonic()
        prepared = prepare(folder / "grid.yaml", [], settings)
        planned = time.monotonic()
        with open_store(settings) as store:
            write_submission(store, prepared, build_submission(prepared), settings)
        submitted = time.monotonic()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        raw = _write_again(connect(server.url))
    return {"plan": planned - began, "submit": submitted - planned, "megabytes": peak, "raw": raw}


def expand_product() -> Document:
    """The floor of a plan: every run as a dictionary, and a name for it from its content."""
    began = time.monotonic()
    rates = [1e-4 * 10 ** (4 * place / (RATES - 1)) for place in range(RATES)]
    runs = []
    for rate, rank, model, seed in itertools.product(rates, RANKS, MODELS, range(SEEDS)):
        run = {"train.learning_rate": rate, "train.rank": rank, "model": model, "seed": seed}
        runs.append((hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest(), run))
    assert len(dict(runs)) == RUNS
    return {"product": time.monotonic() - began}


def _write_again(source: Any) -> float:
    """Write every key of a server to an empty one, as it is; only the writing is timed."""
    kept = [_read_key(source, key) for key in source.scan_iter(count=10_000)]
    with TemporaryDirectory() as name, redis_server(Path(name), TRUSTED) as server:
        client: Any = connect(server.url)
        commands = [command for key in kept for command in key]
        began = time.monotonic()
        for start in range(0, len(commands), BATCH):
            pipe = client.pipeline(transaction=False)
            for command in commands[start : start + BATCH]:
                pipe.execute_command(*command)
            pipe.execute()
        return time.monotonic() - began


def _read_key(source: Any, key: str) -> list[tuple[Any, ...]]:
    """The commands that write a key again, a thousand fields at a time."""
    kind = source.type(key)
    if kind == "hash":
        return _split("HSET", key, [word for pair in source.hgetall(key).items() for word in pair])
    if kind == "set":
        return _split("SADD", key, list(source.smembers(key)))
    if kind == "zset":
        return _split(
            "ZADD",
            key,
            [word for member, score in source.zrange(key, 0, -1, withscores=True) for word in (score, member)],
        )
    if kind == "list":
        return _split("RPUSH", key, source.lrange(key, 0, -1))
    if kind == "string":
        return [("SET", key, source.get(key))]
    return [
        ("XADD", key, place, *(word for pair in fields.items() for word in pair))
        for place, fields in source.xrange(key)
    ]


def _split(command: str, key: str, words: list[Any]) -> list[tuple[Any, ...]]:
    return [(command, key, *words[start : start + 2 * BATCH]) for start in range(0, len(words), 2 * BATCH)]

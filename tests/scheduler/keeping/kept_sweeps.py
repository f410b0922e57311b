"""Sweeps whose stages leave what real ones leave: recipes, curves, events, checkpoints, results and files."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from scheduler.artefacts import Artefacts, compress_rows, locate_attempt_file
from scheduler.engine.capacity import Bounds
from scheduler.engine.tick import TickLimits, tick
from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.states import StageState
from scheduler.state.store import KEPT_POINTS, Lease, Meter, Store
from sweeps.evaluation.item_rows import ItemRow, write_rows
from sweeps.stage import Json, Plan, Run, Stage
from tests.nights.simulation import Post
from tests.scheduler.plans import MODEL, evaluate, plan, train

STEPS, ITEMS = 64, 256
TTL = 7.0
SLOTS = TickLimits(Bounds(floor=64, ceiling=64, start=64), stall=1e9)


def build_plan(name: str, pairs: int) -> Plan:
    """Build a sweep of trainings, each with its evaluation, as wide as real ones: two domains, many sizes and seeds."""
    stages: list[Stage] = []
    runs: list[Run] = []
    for number in range(pairs):
        domain, size, seed = ("code", "reference")[number % 2], 32 * 2 ** (number // 2 % 7), number // 14
        chance = random.Random(f"{name} {number}")
        label, digest = f"{domain} n={size} seed {seed}", f"{chance.getrandbits(64):016x}"
        trained = train(digest)
        recipe = _make_recipe(chance, domain, size, seed)
        policy: dict[str, Json] = {"every_steps": None, "every_minutes": 10.0, "keep": "last", "ttl_days": TTL}
        execution = {"checkpoint": policy, "eval_every": None, "validation": None, "diverged_above": 50.0}
        stages.append(replace(trained, recipe=recipe, execution=execution, label=label, steps=STEPS))
        measured = evaluate(digest, trained.id)
        asked: dict[str, Json] = {
            "kind": "evaluate",
            "version": 1,
            "evaluator": {"name": "nll", "version": 1, "via": "forward"},
            "items": f"{random.Random(domain).getrandbits(256):064x}",
            "model": MODEL,
            "tokenizer": "offline-characters-1",
            "renderer": "plain",
            "loss_mask": "all",
            "parent": trained.id,
            "scope": None,
        }
        stages.append(replace(measured, recipe=asked, execution={}, label=f"nll on {domain}, trained on {label}"))
        runs.append(Run({"data": domain, "size": size}, seed, trained.id, {"nll": measured.id}))
    return plan(name, stages, runs)


def _make_recipe(chance: random.Random, domain: str, size: int, seed: int) -> dict[str, Json]:
    records = f"{random.Random(domain).getrandbits(256):064x}"
    return {
        "kind": "train",
        "version": 1,
        "method": "sl",
        "reduction": "token_mean",
        "rank": 16,
        "learning_rate": 0.01,
        "schedule": "linear",
        "steps": STEPS,
        "warmup": 0,
        "batch_size": 32,
        "adam": {"beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.0, "grad_clip_norm": 0.0},
        "layers": {"mlp": True, "attn": True, "unembed": True},
        "data": {"records": records, "size": size, "subset": f"{chance.getrandbits(256):064x}"},
        "seeds": {"subset": seed, "order": seed, "init": seed},
        "model": MODEL,
        "tokenizer": "offline-characters-1",
        "renderer": "plain",
        "loss_mask": "all",
        "parent": None,
        "scope": None,
    }


class Hands:
    """A worker in this process with a service that is played: the real verbs and the real files."""

    def __init__(self, store: Store, artefacts: Artefacts) -> None:
        self.store, self.artefacts = store, artefacts
        self.post = Post()
        self.fleet = store.read_fleet_name()
        self.most = 1_000_000  # stages that are done after each tick; the others stay dispatched until they are lost

    def work(self) -> int:
        """Tick, and do all stages that were dispatched. Return how many there were."""
        self.store.report_worker("host-1.example-4711", threads=64, busy=0, ttl=1e6)
        tick(self.store, self.post, SLOTS)
        done = 0
        while self.post.sent and done < self.most:
            stage, number = self.post.sent.popleft()
            lease = self.store.claim(stage, attempt=number, worker="host-1.example-4711", lease=60)
            if lease is not None:
                self.perform(lease)
                done += 1
        return done

    def finish(self, *sweeps: str) -> None:
        """Work until these sweeps have finished."""
        client, idle = self.store.client, 0
        while not all(client.hget(keys.sweep(name), "state") == "finished" for name in sweeps):
            idle = 0 if self.work() else idle + 1
            assert idle < 1000, "nothing is done any more"

    def perform(self, lease: Lease) -> None:
        work = self.store.read_assignment(lease.stage)
        chance, meter = random.Random(lease.stage), Meter(500, 500)
        result = self._train(lease, chance, meter) if work.kind == "train" else self._evaluate(lease, chance)
        text = json.dumps(result)
        steps = STEPS if work.kind == "train" else 0
        assert self.store.settle(lease, meter, StageState.SUCCEEDED, cost="exact", result=text, steps=steps, cause="")
        self.store.free_slot(work.lane, work.slot)

    def _train(self, lease: Lease, chance: random.Random, meter: Meter) -> dict[str, Json]:
        rows = [*_list_steps(chance)]
        path = self._write(lease, f"metrics-{STEPS:06d}.jsonl.gz", compress_rows(rows))
        run = f"{chance.getrandbits(128):032x}:train:0"
        checkpoint: dict[str, Json] = {
            "path": f"tinker://{run}/weights/step-{STEPS:06d}",
            "model": MODEL,
            "step": STEPS,
            "usage": {"training": 500},
            "metrics": path,
            "ttl_days": TTL,
            "micro_usd": 500,
        }
        assert self.store.commit_checkpoint(lease, meter, checkpoint)
        every = -(-STEPS // (KEPT_POINTS - 1))
        points = [{"step": row["step"], "nll": row["train_mean_nll"]} for row in rows[::every]]
        facts: dict[str, Json] = {"method": "sl", "steps": STEPS, "window": 6, "first": chance.random()}
        facts |= {"last": chance.random(), "step_sd": chance.random(), "travel": 0.085}
        assert self.store.report_progress(lease, meter, {"step": STEPS, "steps": STEPS, "nll": 1.5}, points)
        metrics: dict[str, Json] = {"train_nll": chance.random()}
        return {
            "metrics": metrics,
            "metrics_file": path,
            "learning": facts,
            "usage": {"training": 500},
            "resumed_at": 0,
        }

    def _evaluate(self, lease: Lease, chance: random.Random) -> dict[str, Json]:
        rows = [ItemRow(item, {"nll": chance.uniform(40, 80), "tokens": 32.0, "bytes": 32.0}) for item in range(ITEMS)]
        path = self._write(lease, "items.jsonl.gz", write_rows(rows))
        metrics: dict[str, Json] = {"nll": 2 + chance.random(), "bits_per_byte": 3 + chance.random()}
        return {"metrics": metrics, "items": path, "count": ITEMS, "usage": {"training": 500}}

    def _write(self, lease: Lease, name: str, content: bytes) -> str:
        path = locate_attempt_file(self.fleet, lease.stage, lease.fence, name, content)
        return self.artefacts.write(path, content)


def _list_steps(chance: random.Random) -> Iterator[dict[str, Json]]:
    for step in range(STEPS):
        yield {
            "step": step,
            "epoch": 0,
            "progress": step / STEPS,
            "learning_rate": 0.01 * (1 - step / STEPS),
            "num_sequences": 32,
            "num_tokens": 1024,
            "num_loss_tokens": 1024.0,
            "train_mean_nll": 3 / math.log(step + 3) + chance.random() / 10,
        }


def measure_redis(client: Client) -> int:
    """Measure the bytes of all keys in memory, and of what finds them."""
    scanned: Any = client
    return sum(int(scanned.execute_command("MEMORY", "USAGE", key, "SAMPLES", "0")) for key in scanned.scan_iter())


def measure_files(artefacts: Artefacts) -> tuple[int, int]:
    """Measure the files of stages: how many, and how many bytes."""
    files = artefacts.list_files("stages")
    return len(files), sum(file.size for file in files)


def list_answers(rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    """List what must stay of a sweep's rows whatever is deleted."""
    return [(row.cell, row.seed, row.state, dict(row.metrics), row.steps, row.tokens, row.micro_usd) for row in rows]

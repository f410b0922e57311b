"""Start a fleet of real processes that can be killed: Redis, tinker_offline, schedulers, workers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from scheduler.cli.submit import write_submission
from scheduler.prepare import Prepared, build_submission, plan_sweep
from scheduler.processes.child import tie_to_this_process
from scheduler.processes.free_ports import find_free_port
from scheduler.settings import Settings, read_settings
from scheduler.state import keys, views
from scheduler.state.connection import Client, RedisError, connect
from scheduler.state.store import Store
from sweeps.spec.parse import parse
from tests.few_rows import find_few_rows
from tests.support import TRUSTED, RedisServer, read_log, wait_until
from tests.tinker_offline.process import CACHE, Server

ROOT = Path(__file__).resolve().parents[2]
# The storm and the lost messages are in `make test`; what else can go wrong with a fleet takes minutes more.
IN_SHORT = pytest.mark.skipif(os.environ.get("CHAOS") != "short", reason="minutes of fleets: make chaos-short")
NOT_OURS = ("TINKER_API_KEY", "TINKER_BASE_URL", "SWEEP_STORE")
_SMALL_SPEC = """
sweep: {name}
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 8, steps: 6, rank: 8}}
data: {{reference: {{source: "{rows}", holdout: 32}}}}
vary: {{train.learning_rate: [0.01, 0.02, 0.03]}}
seeds: 1
evaluate: [nll]
reuse: sweep
"""


def build_small_spec(name: str) -> str:
    return _SMALL_SPEC.format(name=name, rows=find_few_rows())


@dataclass
class Child:
    """One process of the fleet, in a session of its own; it dies with the test."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    code: Path = ROOT  # the folder of the version that it runs
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                tie_to_this_process(self.command),
                env=self.environment,
                cwd=self.code,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, seconds: float) -> float:
        """Wait for it to end; how long that took. Raises TimeoutExpired."""
        began = time.monotonic()
        assert self.process is not None
        self.process.wait(seconds)
        return time.monotonic() - began

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Fleet:
    """What `sweep up` would start, in the hands of a test. `settings` are further variables of the environment."""

    folder: Path
    workers: int = 2
    settings: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)  # of tinker_offline

    def __post_init__(self) -> None:
        (self.folder / "redis").mkdir(parents=True)
        self.redis = RedisServer(self.folder / "redis", TRUSTED)
        self.tinker = Server(self.folder / "offline", ["--control", "--port", str(find_free_port()), *self.options])
        self.children: dict[str, Child] = {}

    @contextlib.contextmanager
    def up(self, *, scheduler: bool = True) -> Iterator["Fleet"]:
        """Everything started; at the end everything is killed."""
        self.redis.start()
        self.tinker.start()
        names = [f"worker-{number}" for number in range(1, self.workers + 1)]
        try:
            for name in names:
                self.run_worker(name)
            if scheduler:
                self.run_scheduler()
            yield self
        finally:
            self.rest()
            with contextlib.suppress(AssertionError, OSError):
                self.tinker.end(signal.SIGKILL)
            self.redis.end(signal.SIGKILL)

    def rest(self) -> None:
        """Leave only what it has left behind to be looked at."""
        for child in self.children.values():
            child.kill()

    def run_worker(self, name: str, code: Path = ROOT) -> None:
        words = ["--pool", "threads", "--concurrency", self.variables()["SWEEP_THREADS"], "--loglevel", "INFO"]
        words += ["--without-gossip", "--without-mingle", "--hostname", f"{name}@chaos"]
        self._start(name, ["celery", "-A", "worker.app", "worker", *words], code)

    def run_scheduler(self, code: Path = ROOT) -> None:
        self._start("scheduler", ["scheduler"], code)

    def _start(self, name: str, words: list[str], code: Path) -> None:
        command = [sys.executable, "-m", *words]
        self.children[name] = Child(name, command, self.variables(), self.folder / f"{name}.log", code)
        self.children[name].start()

    def variables(self) -> dict[str, str]:
        """The environment of every process."""
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        ours = {
            "SWEEP_HOME": str(self.folder),
            "SWEEP_CACHE": str(CACHE),
            "REDIS_URL": self.redis.url,
            "SWEEP_OFFLINE_URL": self.tinker.url,
            "SWEEP_THREADS": "8",
            "SWEEP_SLOTS": "16",
            "SWEEP_LEASE": "4",
            "SWEEP_GRACE": "10",
            "SWEEP_HOUSEKEEPING": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        return {**inherited, **ours, **self.settings}

    def submit(self, spec: str) -> Prepared:
        settings: Settings = read_settings(self.variables())
        prepared = plan_sweep(parse(spec), self.folder, settings)
        with self.store() as store:
            write_submission(store, prepared, build_submission(prepared), settings)
        return prepared

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        client = connect(self.redis.url)
        yield Store(client)
        client.close()

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        with self.store() as store:
            yield store.client

    def finished(self, sweep: str) -> bool:
        """Has every stage ended? False while Redis cannot say."""
        with self.store() as store, contextlib.suppress(RedisError):
            return views.read_sweep(store, sweep).state == "finished"
        return False

    def await_finish(self, sweep: str, *, seconds: float) -> None:
        wait_until(lambda: self.finished(sweep), f"{sweep} to finish", seconds=seconds)

    def reached(self, stage: str) -> int:
        """The step of its newest checkpoint; 0 without any."""
        with self.client() as client:
            texts = client.lrange(keys.checkpoints(stage), -1, -1)
        return int(json.loads(texts[0])["step"]) if texts else 0

    def weights(self, stage: str) -> dict[str, npt.NDArray[np.float32]]:
        """The adapter and the optimizer's moments of the stage's last checkpoint, as the service keeps them."""
        with self.store() as store:
            checkpoint = store.read_checkpoint(stage)
        assert checkpoint is not None, f"{stage} left no checkpoint"
        run, _, name = str(checkpoint["path"]).removeprefix("tinker://").partition("/weights/")
        with np.load(self.tinker.state / "runs" / run / "weights" / f"{name}.npz") as arrays:
            return {key: arrays[key] for key in arrays.files}

    def row(self, stage: str) -> dict[str, str]:
        with self.client() as client:
            return client.hgetall(keys.stage(stage))

    def events(self) -> list[dict[str, str]]:
        """Every move and every note, the oldest first."""
        with self.client() as client:
            return read_log(client)

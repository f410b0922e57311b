"""A fleet on four hosts: Redis with TLS and Sentinels, a bucket, a scheduler, workers; and what can happen to it.

    alpha: Redis, Sentinel     beta: its replica, Sentinel, scheduler     gamma: Sentinel, worker     delta: worker

The service and the bucket are elsewhere: at the gateway of the network.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler.state import keys, views
from scheduler.state.connection import RedisError
from scheduler.state.server.failover import read_books
from scheduler.state.store import Store
from scheduler.state.workers import read_live_workers
from tests.buckets import CREDENTIALS, NAME, bucket
from tests.chaos.fleet import Child, Fleet
from tests.chaos.storm import check_same_results
from tests.few_rows import find_few_rows
from tests.guarded import GuardedServer, make_guard
from tests.hosts import Network, network
from tests.repository import ROOT
from tests.support import wait_until
from tests.tinker_offline.process import Server

HOSTS = ("alpha", "beta", "gamma", "delta")
LEASE = 4  # seconds
SETTINGS = {"SWEEP_THREADS": "2", "SWEEP_SLOTS": "4", "SWEEP_SLOTS_START": "4", "SWEEP_LEASE": str(LEASE)}
PATIENCE = 150.0  # seconds that anything may take before it has failed
PACKAGES = ("sweeps", "scheduler", "worker")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Night:
    """What runs, and what happens to it, one after the other while it runs."""

    rates: int  # learning rates
    ranks: int
    seeds: int
    steps: int
    strokes: tuple[str, ...]
    slow: float  # seconds that the service takes for a step, so that work is going on when something happens

    @property
    def stages(self) -> int:
        return 2 * self.rates * self.ranks * self.seeds + 1  # the untrained model is evaluated, too

    def spec(self) -> str:
        return f"""
sweep: storm
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 8, steps: {self.steps}}}
data: {{reference: {{source: "{find_few_rows()}", holdout: 32}}}}
vary:
  train.rank: {[4, 8, 16, 32, 64][: self.ranks]}
  train.learning_rate: {{geom: [0.002, 0.04], count: {self.rates}}}
seeds: {self.seeds}
evaluate: [nll]
checkpoint: {{every_steps: {self.steps // 4}}}
"""


class HostFleet(Fleet):
    """Processes on hosts; `folder` is shared by none of them but for their logs."""

    hosts: Network
    slow: float  # seconds that the service takes for a step
    code: Path = ROOT

    def place(self, hosts: Network, bucket_url: str, slow: float) -> None:
        """Put Redis, the service and the store where every host reaches them."""
        self.hosts = hosts
        self.slow = slow
        rules = self.folder / "slow.yaml"
        rules.write_text(f"rules: [{{on: forward_backward, slow: {slow}}}]\n")
        self.tinker = Server(self.folder / "offline", ["--control", "--faults", str(rules)], hosts.gateway)
        guard = make_guard(self.folder, [hosts.address(name) for name in HOSTS])
        self.redis = self.guarded = GuardedServer(self.folder / "watched", guard, hosts, ("alpha", "beta", "gamma"))
        (self.folder / "aws").write_text(CREDENTIALS)
        self.settings |= {
            **SETTINGS,
            "SWEEP_STORE": f"s3://{NAME}/sweeps",
            "AWS_ENDPOINT_URL": bucket_url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "aws"),
        }

    @contextmanager
    def up(self, *, scheduler: bool = True) -> Iterator["HostFleet"]:  # noqa: ARG002 - it always has one
        with self._in_our_environment():
            try:
                self.redis.start()
                self.tinker.start()
                self.start_workers()
                self.start_scheduler("beta")
                yield self
            finally:
                self.rest()
                with suppress(AssertionError, OSError):
                    self.tinker.end(signal.SIGKILL)
                self.redis.end(signal.SIGKILL)

    @contextmanager
    def _in_our_environment(self) -> Iterator[None]:
        """This process submits to the same bucket."""
        names = ("AWS_ENDPOINT_URL", "AWS_SHARED_CREDENTIALS_FILE")
        before = {name: os.environ.get(name) for name in names}
        os.environ.update({name: self.settings[name] for name in names})
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value

    def start_workers(self) -> None:
        celery = ["celery", "-A", "worker.app", "worker", "--without-gossip", "--without-mingle"]
        for host in ("gamma", "delta"):
            self.start_on(host, f"worker-{host}-{self.code.name}", celery)

    def start_scheduler(self, host: str) -> None:
        self.start_on(host, "scheduler", ["scheduler"])

    def start_on(self, host: str, name: str, module: list[str]) -> None:
        command = [*self.hosts.enter(host), "env", "-C", str(self.code), sys.executable, "-m", *module]
        home = {"SWEEP_HOME": str(self.folder / f"home-{host}"), "PYTHONPATH": str(self.code)}
        self.children[name] = Child(name, command, {**self.variables(), **home}, self.folder / f"{name}.log")
        self.children[name].start()

    def command(self, host: str, *words: str) -> str:
        """Run `sweep` on a host."""
        command = [*self.hosts.enter(host), sys.executable, "-m", "scheduler.cli", *words]
        home = {"SWEEP_HOME": str(self.folder / f"home-{host}")}
        done = subprocess.run(
            command, env={**self.variables(), **home}, cwd=self.code, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The state as the primary has it, by its socket: to look through TLS and Sentinels takes 30 ms each time."""
        client = self.guarded.pair.primary.client()
        yield Store(client)
        client.close()

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """The service takes a lease's time for a step, so that work cannot run out while a test lets time pass."""
        with self.tinker.control() as control:
            control.set(rules=[{"on": "forward_backward", "slow": LEASE}])
            yield
            control.set(rules=[{"on": "forward_backward", "slow": self.slow}])

    def count_ended(self) -> int:
        with suppress(RedisError), self.store() as store:
            return int(store.client.zcard(keys.state("succeeded")))
        return -1

    def await_more(self, stages: int) -> None:
        """Wait until so many more have ended."""
        wait_until(lambda: self.count_ended() >= 0, "Redis to answer", seconds=PATIENCE)
        wanted = self.count_ended() + stages
        wait_until(lambda: self.count_ended() >= wanted, f"{stages} more stages to end", seconds=PATIENCE)


class Strokes:
    """What happens to the fleet. Each returns when it has been ridden out."""

    def __init__(self, fleet: HostFleet) -> None:
        self._fleet = fleet

    def cut_off_host(self) -> None:
        """One host is cut off for longer than its leases."""
        if not self._fleet.hosts.isolated:
            return
        self._fleet.hosts.cut("delta")
        began = time.monotonic()
        with self._fleet.slowed():
            wait_until(lambda: time.monotonic() - began > 2 * LEASE, "leases to run out")
        self._fleet.hosts.mend("delta")

    def kill_worker(self) -> None:
        """A worker dies, and is started again as a supervisor would."""
        child = next(child for name, child in self._fleet.children.items() if name.startswith("worker-gamma"))
        child.kill()
        child.start()

    def lose_scheduler(self) -> None:
        """The host of the scheduler loses it; another one is started elsewhere, later."""
        self._fleet.children["scheduler"].kill()
        began = time.monotonic()
        with self._fleet.slowed():
            wait_until(lambda: time.monotonic() - began > LEASE, "some seconds without a scheduler")
        self._fleet.start_scheduler("gamma")

    def fail_over(self) -> None:
        """The primary dies while its replica follows."""
        pair = self._fleet.guarded.pair
        pair.primary.end(signal.SIGKILL)
        self._fleet.guarded.sentinels.await_primary(pair.replica)
        pair.swap()

    def fail_over_with_loss(self) -> None:
        """The primary dies after its replica has missed what ended."""
        pair = self._fleet.guarded.pair
        pair.cut()
        primary: Any = pair.primary.client()
        ended = int(primary.zcard(keys.state("succeeded")))
        wait_until(lambda: int(primary.zcard(keys.state("succeeded"))) >= ended + 2, "work to lose", seconds=PATIENCE)
        primary.close()
        pair.primary.end(signal.SIGKILL)
        self._fleet.guarded.sentinels.await_primary(pair.replica)
        pair.swap()

    def upgrade_workers(self) -> None:
        """Old workers drain while those of another version start beside them: docs/how-to/upgrade.md."""
        fleet = self._fleet
        with fleet.store() as store:
            old = sorted(read_live_workers(store))
        leaving = [fleet.children.pop(name) for name in list(fleet.children) if name.startswith("worker-")]
        fleet.command("alpha", "drain", "--all")
        fleet.children["scheduler"].kill()
        fleet.code = make_next_version(fleet.folder)
        fleet.start_scheduler("beta")
        fleet.start_workers()
        fleet.command("alpha", "drain", *old, "--wait")
        for child in leaving:
            child.send(signal.SIGTERM)
            child.ended(PATIENCE)
        with fleet.store() as store:
            wait_until(lambda: not {*read_live_workers(store)} & {*old}, "the old workers to be gone", seconds=PATIENCE)


def make_next_version(folder: Path) -> Path:
    code = folder / "next"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (code / "worker" / "__init__.py").open("a") as file:
        file.write("# the next version\n")
    return code


def run(folder: Path, night: Night, say: Say) -> Counter[str]:
    """Run the night undisturbed and on four hosts, and compare. Returns some figures."""
    calm = Fleet(folder / "calm", workers=1)
    with calm.up(), network(folder, HOSTS) as hosts, bucket(folder, hosts.gateway) as bucket_url:
        calm.submit(night.spec())
        calm.await_finish("storm", seconds=60 + 4 * night.stages)
        calm.rest()
        say(f"undisturbed: {night.stages} stages; hosts {'in namespaces' if hosts.isolated else 'are processes'}")
        fleet = HostFleet(folder / "fleet")
        fleet.place(hosts, bucket_url, night.slow)
        with fleet.up():
            fleet.submit(night.spec())
            strokes = Strokes(fleet)
            for stroke in night.strokes:
                fleet.await_more(max(1, night.stages // (4 * len(night.strokes))))
                assert fleet.count_ended() < 0.8 * night.stages, f"the work ran out before {stroke}"
                getattr(strokes, stroke)()
                say(f"{stroke}: ridden out after {fleet.count_ended()} of {night.stages} stages")
            fleet.await_finish("storm", seconds=60 + 4 * night.stages)
            return verify(fleet, calm, night)


def verify(fleet: HostFleet, calm: Fleet, night: Night) -> Counter[str]:
    """Each stage ended once with the bits of the undisturbed run, and the books are the service's count."""
    with fleet.store() as store:
        wait_until(lambda: not store.client.zcard(keys.UNRECONCILED), "all costs to be known", seconds=PATIENCE)
        wait_until(lambda: not read_books(store).attempts, "no doubt to be left", seconds=PATIENCE)
        books, row = read_books(store), store.client.hgetall(keys.sweep("storm"))
        stages = views.read_stages(store, "storm")
    ends = Counter(event["stage"] for event in fleet.events() if event.get("to") == "succeeded")
    unfinished = [
        (stage.id, stage.state, fleet.row(stage.id).get("cause")) for stage in stages if stage.state != "succeeded"
    ]
    assert (len(stages), unfinished) == (night.stages, []), f"{len(stages)} stages; {unfinished}"
    assert ends == Counter(stage.id for stage in stages)
    check_same_results(fleet, calm, [stage.id for stage in stages])
    with fleet.tinker.control() as control:
        done = sum(sum(usage["tokens"].values()) for usage in control.usage().values())
    assert (int(row["tokens"]), int(row["reserved"]), int(row["unreconciled"])) == (done, 0, 0)
    assert (books.closed, books.untold) == (0, {})
    return Counter(stages=len(stages), attempts=sum(stage.attempt for stage in stages), tokens=done)

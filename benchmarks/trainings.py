"""64 trainings of ten steps at a service that works once a second, by us and by bare threads."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.alternation import alternate
from benchmarks.jobs import Jobs
from benchmarks.peers import install_peers, run_peer
from benchmarks.process_tree import read_tree
from benchmarks.row import Row
from scheduler.cli.console.options import open_store
from scheduler.settings import read_settings
from scheduler.state import views
from tests.acceptance.command import Desk
from tests.tinker_offline.process import KEY, Server

JOBS = Jobs(rates=8, seeds=8)
CYCLE = 1.0  # seconds between two of the service's cycles
THREADS = "bare SDK threads, a session each"


class Took(NamedTuple):
    """What a run of all jobs took: seconds by the clock, seconds of the processor, and the largest process in MB."""

    seconds: float
    cpu: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s of the processor, {self.megabytes:.0f} MB"


def measure() -> list[Row]:
    """Measure us against bare threads: submitted to a running fleet, and from nothing."""
    with lay_jobs(JOBS) as (place, jobs):
        with place.fleet() as fleet:
            ours, bare = alternate(fleet.run_jobs, lambda: run_bare(place.url, jobs))
        nothing, loaded = alternate(place.run_from_nothing, lambda: run_bare(place.url, jobs, loading=True))
        return _compare_with_bare(ours, bare, nothing, loaded)


@contextmanager
def lay_jobs(jobs: Jobs) -> Iterator[tuple["Place", Path]]:
    """A service with a clock, a folder with the sweep files, and the file of batches for the peers."""
    install_peers()
    with TemporaryDirectory() as name:
        server = Server(Path(name) / "offline", ["--control"])
        server.start()
        try:
            with server.control() as control:
                control.set(cycle=CYCLE)
            place = Place(Path(name), server.url, jobs)
            yield place, jobs.write(place.folder)
        finally:
            server.end()


def run_bare(url: str, jobs: Path, *, loading: bool = False) -> Took:
    """Run the jobs in threads of one process; with the import of the SDK, or without."""
    took = run_peer("bare_threads.py", url, KEY, str(jobs))
    seconds = took["seconds"] + (took["loading"] if loading else 0)
    return Took(seconds, took["cpu"] - (0 if loading else took["loading_cpu"]), took["megabytes"])


class Place:
    """A folder with sweep files, and the service that they are for."""

    def __init__(self, folder: Path, url: str, jobs: Jobs) -> None:
        self.folder, self.url, self.jobs, self._runs = folder, url, jobs, 0

    def write_spec(self) -> str:
        """Write the next sweep; it shares nothing with those before."""
        self._runs += 1
        (self.folder / "jobs.yaml").write_text(self.jobs.spec(f"jobs-{self._runs}"), encoding="utf-8")
        return f"jobs-{self._runs}"

    def desk(self, home: str) -> Desk:
        """A state folder with one worker that has a thread for each training."""
        many = str(self.jobs.total)
        sizes = {"SWEEP_WORKERS": "1", "SWEEP_THREADS": many, "SWEEP_SLOTS": many, "SWEEP_SLOTS_START": many}
        return Desk(self.folder, {**sizes, "SWEEP_HOME": str(self.folder / home), "SWEEP_OFFLINE_URL": self.url})

    @contextmanager
    def fleet(self) -> Iterator["RunningFleet"]:
        desk = self.desk("home")
        with desk.sweeping("up") as up:
            fleet = RunningFleet(self, desk, up.pid)
            fleet.await_start()
            yield fleet

    def run_from_nothing(self) -> Took:
        """`sweep run` in an empty state folder, from its start to its end."""
        self.write_spec()
        desk, began = self.desk(f"home-{self._runs}"), time.monotonic()
        with desk.sweeping("run", "jobs.yaml") as run:
            used = read_tree(run.pid)
            while run.poll() is None:
                used = max(used, read_tree(run.pid))
                time.sleep(0.2)
            assert run.returncode == 0, desk.said()[-2000:]
        return Took(time.monotonic() - began, used.cpu, used.megabytes)


class RunningFleet:
    """`sweep up`, which runs, and what it has used so far."""

    def __init__(self, place: Place, desk: Desk, pid: int) -> None:
        self._place, self._desk, self._pid = place, desk, pid
        self._settings = read_settings(desk.variables({}))

    def await_start(self) -> None:
        """Wait until it has ended a small sweep, so that everything that is loaded late is loaded."""
        (self._desk.folder / "first.yaml").write_text(Jobs(rates=8, seeds=1).spec("first"), encoding="utf-8")
        until = time.monotonic() + 60
        while self._desk.sweep("submit", "first.yaml").status:
            assert time.monotonic() < until, self._desk.said()[-2000:]
        self._await_end("first")

    def run_jobs(self) -> Took:
        """Submit the jobs and wait until the last stage has ended."""
        name = self._place.write_spec()
        before, began = read_tree(self._pid), time.monotonic()
        submitted = self._desk.sweep("submit", "jobs.yaml")
        assert submitted.status == 0, submitted.err
        self._await_end(name)
        seconds, after = time.monotonic() - began, read_tree(self._pid)
        return Took(seconds, after.cpu - before.cpu, after.megabytes)

    def _await_end(self, name: str) -> None:
        with open_store(self._settings) as store:
            while views.read_sweep(store, name).state != "finished":
                time.sleep(0.05)
            states = {stage.state for stage in views.read_stages(store, name)}
        assert states == {"succeeded"}, states


def _compare_with_bare(ours: list[Took], bare: list[Took], nothing: list[Took], loaded: list[Took]) -> list[Row]:
    running = "submitted to a running fleet"
    return [
        compare_seconds(f"{running}, time", ours, bare, 1.10),
        compare_processor(f"{running}, processor", ours, bare, 1.20),
        Row(what="largest process of ours", unit="MB", ours=[took.megabytes for took in ours], most=180),
        compare_seconds("`sweep run` from nothing, time (theirs with the import of the SDK)", nothing, loaded, 1.35),
    ]


def compare_seconds(what: str, ours: list[Took], bare: list[Took], most: float) -> Row:
    """Compare by the clock."""
    times, others = [took.seconds for took in ours], [took.seconds for took in bare]
    return Row(what=what, against=THREADS, unit="s", ours=times, theirs=others, most=most)


def compare_processor(what: str, ours: list[Took], bare: list[Took], most: float) -> Row:
    """Compare the processor: of ours, everything but the service."""
    spent, others = [took.cpu for took in ours], [took.cpu for took in bare]
    return Row(what=what, against=THREADS, unit="s", ours=spent, theirs=others, most=most)

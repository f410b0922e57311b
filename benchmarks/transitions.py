"""What the queue itself costs: a stage claimed, reported and settled by the real verbs, beside other queues."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.alternation import alternate
from benchmarks.peers import install_peers, run_peer
from benchmarks.row import Row
from scheduler.engine.capacity import Bounds
from scheduler.engine.tick import TickLimits, tick
from scheduler.state.store import Store
from scheduler.state.submission import submit
from tests.nights.simulation import Post
from tests.scheduler.plans import single, submission
from tests.support import FakeClock, RedisServer, redis_server

STAGES, PROCESSES = 4_000, 4
CALLS = 3  # of a stage: claim, progress, settle
TRIALS, JOBS = STAGES // 10, STAGES // 50  # of peers that are so slow that a part says enough


def measure() -> list[Row]:
    """Stages a second, against the floor and against what others do for one trial, job or task."""
    install_peers()
    rows = [_compare("raw Redis round trips, as many", run_raw, least=0.5)]
    rows.append(
        _compare("Optuna in Redis: ask, report, tell", lambda url: _run_peer("optuna_trials.py", url, TRIALS), least=3)
    )
    rows.append(
        _compare("RQ, 4 workers that fork for each job", lambda url: _run_peer("rq_empty_jobs.py", url, JOBS), least=1)
    )
    rows.append(_compare("a Celery task that does nothing, 4 threads", run_celery))
    return rows


def _compare(against: str, theirs: Callable[[str], float], least: float | None = None) -> Row:
    ours, others = alternate(lambda: _on_a_server(run_verbs), lambda: _on_a_server(lambda redis: theirs(redis.url)))
    what = "stages a second (claim, progress, settle), 4 processes"
    return Row(what=what, against=against, unit="/s", ours=ours, theirs=others, least=least)


def _on_a_server(measured: Callable[[RedisServer], float]) -> float:
    with TemporaryDirectory() as name, redis_server(Path(name)) as server:
        return measured(server)


def run_verbs(server: RedisServer) -> float:
    """Dispatch all stages, untimed, and let four processes do them; returns stages a second."""
    store, nudges = Store(server.client(), FakeClock()), Post()
    submit(store, submission(single("s", STAGES)))
    store.report_worker("w", threads=2 * STAGES, busy=0, ttl=1e6)
    limits = TickLimits(Bounds(floor=STAGES, ceiling=STAGES, start=STAGES), stall=1e9)
    while len(nudges.sent) < STAGES:
        tick(store, nudges, limits)
    sent = list(nudges.sent)
    shares = [json.dumps(sent[number::PROCESSES]) for number in range(PROCESSES)]
    return STAGES / _time_processes("verbs", server.url, shares)


def run_raw(url: str) -> float:
    """As many round trips of a bare client, a kilobyte each: three for a stage."""
    return STAGES / _time_processes("raw", url, [json.dumps(CALLS * STAGES // PROCESSES)] * PROCESSES)


def _time_processes(kind: str, url: str, shares: list[str]) -> float:
    """Start the processes, wait until all are ready, let them go, and return the seconds to the last end."""
    command = [sys.executable, "-m", "benchmarks.queue_client", kind, url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in shares]
    for process, share in zip(started, shares, strict=True):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(share + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait() for process in started] == [0] * len(started)
    return time.monotonic() - began


def run_celery(url: str) -> float:
    """Tasks a second of one Celery worker with four threads and Redis as its broker, results ignored."""
    words = [
        "-m",
        "celery",
        "-A",
        "benchmarks.empty_task",
        "worker",
        "-P",
        "threads",
        "-c",
        str(PROCESSES),
        "-l",
        "ERROR",
    ]
    command = [sys.executable, *words, "--without-gossip", "--without-mingle", "--without-heartbeat"]
    environment = {**os.environ, "BENCHMARK_BROKER": url}
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.empty_task", str(STAGES)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
    finally:
        worker.terminate()
        worker.wait(60)
    return STAGES / float(done.stdout)


def _run_peer(program: str, url: str, count: int) -> float:
    return count / float(run_peer(program, url, str(count))["seconds"])

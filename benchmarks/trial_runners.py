"""The same 64 trainings, submitted to a running fleet of ours and given to four tools that run trials."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.alternation import alternate
from benchmarks.peers import run_peer
from benchmarks.row import Row
from benchmarks.trainings import JOBS, Place, lay_jobs
from tests.support import redis_server
from tests.tinker_offline.process import KEY


class Peer(NamedTuple):
    """A program of `peer_programs/`, its name, and the largest ratio of our time to its."""

    program: str
    words: str
    most: float = 1.0
    needs_redis: bool = False
    part: int = 1  # it gets every so many-th of the jobs, and its seconds count so often, because it takes minutes


PEERS = (
    Peer("ray_tune.py", "Ray Tune", 1 / 7),
    Peer("optuna_study.py", "Optuna on Redis, 4 × 16 threads", needs_redis=True),
    Peer("cookbook_sweep.py", "tinker-cookbook's sweep runner, 16 processes"),
    Peer("rq_jobs.py", "RQ, 4 workers (a quarter of the jobs, its seconds four times)", needs_redis=True, part=4),
)


def measure() -> list[Row]:
    """Measure us against each of them in turn."""
    with lay_jobs(JOBS) as (place, jobs):
        return [compare_with(peer, place, jobs) for peer in PEERS]


def compare_with(peer: Peer, place: Place, jobs: Path) -> Row:
    """Measure us against one of them: its seconds from the first job to the last end, its own start included."""
    given = _take_part(jobs, peer.part)

    def theirs() -> float:
        with TemporaryDirectory() as name, redis_server(Path(name)) as redis:
            more = [redis.url] if peer.needs_redis else []
            return peer.part * float(run_peer(peer.program, place.url, KEY, str(given), *more)["seconds"])

    with place.fleet() as fleet:
        ours, others = alternate(lambda: fleet.run_jobs().seconds, theirs)
    what = "submitted to a running fleet"
    return Row(what=what, against=peer.words, unit="s", ours=ours, theirs=others, most=peer.most)


def _take_part(jobs: Path, part: int) -> Path:
    document = json.loads(jobs.read_text(encoding="utf-8"))
    path = jobs.with_name(f"jobs-{part}.json")
    path.write_text(json.dumps({**document, "jobs": document["jobs"][::part]}), encoding="utf-8")
    return path

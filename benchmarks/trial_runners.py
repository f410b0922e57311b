"""The same 64 trainings, submitted to a running fleet of ours and given to four tools that run trials."""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.alternation import alternate
from benchmarks.peers import run_peer
from benchmarks.row import Row
from benchmarks.trainings import JOBS, Place, lay_jobs
from tests.support import redis_server
from tests.tinker_offline.process import KEY

PEERS = {
    "ray_tune.py": ("Ray Tune", 1 / 7),
    "rq_jobs.py": ("RQ, 4 workers", 1.0),
    "optuna_study.py": ("Optuna on Redis, 4 × 16 threads", 1.0),
    "cookbook_sweep.py": ("tinker-cookbook's sweep runner, 16 processes", 1.0),
}
IN_REDIS = ("rq_jobs.py", "optuna_study.py")


def measure() -> list[Row]:
    """Measure us against each of them in turn."""
    with lay_jobs(JOBS) as (place, jobs):
        return [_compare(place, jobs, program, words, most) for program, (words, most) in PEERS.items()]


def _compare(place: Place, jobs: Path, program: str, words: str, most: float) -> Row:
    def theirs() -> float:
        with TemporaryDirectory() as name, redis_server(Path(name)) as redis:
            more = [redis.url] if program in IN_REDIS else []
            return float(run_peer(program, place.url, KEY, str(jobs), *more)["seconds"])

    with place.fleet() as fleet:
        ours, others = alternate(lambda: fleet.run_jobs().seconds, theirs)
    return Row(what="submitted to a running fleet", against=words, unit="s", ours=ours, theirs=others, most=most)

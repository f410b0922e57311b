"""500 trainings in flight in one process, at a service that works once a second."""

from benchmarks.alternation import alternate
from benchmarks.jobs import Jobs
from benchmarks.row import Row
from benchmarks.trainings import compare_processor, compare_seconds, lay_jobs, run_bare

JOBS = Jobs(rates=20, seeds=25)


def measure() -> list[Row]:
    """One worker with 500 threads against 500 bare threads."""
    with lay_jobs(JOBS) as (place, jobs), place.fleet() as fleet:
        ours, bare = alternate(fleet.run_jobs, lambda: run_bare(place.url, jobs))
    what = f"{JOBS.total} trainings of ten steps in flight"
    return [
        compare_seconds(f"{what}, time", ours, bare, 1.10),
        compare_processor(f"{what}, processor", ours, bare, 1.10),
        Row(what=f"{what}, largest process of ours", unit="MB", ours=[took.megabytes for took in ours], most=350),
    ]

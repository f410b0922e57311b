"""Run the jobs through RQ with four workers: each forks a process for every job."""

import subprocess
import sys
import time
from pathlib import Path

from bare_training import read_jobs, show
from redis import Redis
from rq import Queue

WORKERS = 4


def run_job(url: str, key: str, path: str, number: int) -> float:
    from bare_training import read_jobs, train

    document = read_jobs(path)
    return train(url, key, document["jobs"][number], document["examples"])[-1]


def main() -> None:
    url, key, path, redis = sys.argv[1:]
    jobs = len(read_jobs(path)["jobs"])
    began = time.monotonic()
    queue = Queue("jobs", connection=Redis.from_url(redis))
    listed = [queue.enqueue("rq_jobs.run_job", url, key, path, number, job_timeout=600) for number in range(jobs)]
    words = [str(Path(sys.executable).with_name("rq")), "worker", "jobs", "--url", redis, "--burst", "--quiet"]
    workers = [subprocess.Popen(words) for _ in range(WORKERS)]
    for worker in workers:
        worker.wait()
    assert all(job.get_status(refresh=True) == "finished" for job in listed), {job.get_status() for job in listed}
    show(began)


if __name__ == "__main__":
    main()

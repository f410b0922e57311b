"""Run jobs that do nothing through RQ with four workers, from the first enqueuing to the last end."""

import subprocess
import sys
import time
from pathlib import Path

from bare_training import show
from redis import Redis
from rq import Queue

WORKERS = 4


def do_nothing() -> None:
    pass


def main() -> None:
    url, jobs = sys.argv[1], int(sys.argv[2])
    queue = Queue("jobs", connection=Redis.from_url(url))
    began = time.monotonic()
    listed = [queue.enqueue("rq_empty_jobs.do_nothing") for _ in range(jobs)]
    words = [str(Path(sys.executable).with_name("rq")), "worker", "jobs", "--url", url, "--burst", "--quiet"]
    workers = [subprocess.Popen(words) for _ in range(WORKERS)]
    assert [worker.wait() for worker in workers] == [0] * WORKERS
    assert all(job.get_status(refresh=True) == "finished" for job in listed)
    show(began)


if __name__ == "__main__":
    main()

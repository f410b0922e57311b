"""A Celery app with one task that does nothing; `python -m benchmarks.empty_task N` sends N and waits for them."""

import os
import sys
import time

from celery import Celery
from redis import Redis

URL = os.environ["BENCHMARK_BROKER"]
app = Celery("empty", broker=URL.replace("unix://", "redis+socket://"))  # as kombu spells a socket
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=16)
_client = Redis.from_url(URL)


@app.task(name="empty")
def count() -> None:
    """Count itself: the least that tells that it ran."""
    _client.incr("done")


def main(tasks: int) -> None:
    """Wait for the worker, then time the tasks from the first sending to the last end."""
    count.delay()
    _await_count(1)
    began = time.monotonic()
    for _ in range(tasks):
        count.delay()
    _await_count(tasks + 1)
    sys.stdout.write(f"{time.monotonic() - began}\n")


def _await_count(tasks: int) -> None:
    until = time.monotonic() + 240
    while int(_client.get("done") or 0) < tasks:
        assert time.monotonic() < until, "the tasks did not end"
        time.sleep(0.01)


if __name__ == "__main__":
    main(int(sys.argv[1]))

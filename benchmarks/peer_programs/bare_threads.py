"""Run the jobs in as many threads, one Tinker session each: the floor."""

import sys
import time

STARTED = time.monotonic()

import resource
from concurrent.futures import ThreadPoolExecutor

from bare_training import read_jobs, show, train


def main() -> None:
    url, key, path = sys.argv[1:]
    document = read_jobs(path)
    loaded = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    with ThreadPoolExecutor(len(document["jobs"])) as pool:
        trained = list(pool.map(lambda job: train(url, key, job, document["examples"]), document["jobs"]))
    assert all(len(losses) == len(job["batches"]) for losses, job in zip(trained, document["jobs"], strict=True))
    show(began, loading=began - STARTED, loading_cpu=loaded.ru_utime + loaded.ru_stime)


main()

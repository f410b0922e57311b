"""Run the jobs by the sweep runner of tinker-cookbook, in sixteen processes at once, as its docstring shows."""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import chz
from bare_training import read_jobs, show, train
from tinker_cookbook.recipes.chat_sl import sweep

PROCESSES = 16  # each takes as long to start as the SDK takes to load


@chz.chz
class Job:
    url: str
    key: str
    path: str
    number: int = 0
    log_path: str = ""


def run_job(job: Job) -> None:
    document = read_jobs(job.path)
    losses = train(job.url, job.key, document["jobs"][job.number], document["examples"])
    Path(job.log_path).mkdir(parents=True, exist_ok=True)
    (Path(job.log_path) / "config.json").write_text(json.dumps({"number": job.number}))
    (Path(job.log_path) / "metrics.jsonl").write_text(json.dumps({"step": len(losses), "loss": losses[-1]}) + "\n")


def main() -> None:
    url, key, path = sys.argv[1:]
    numbers = list(range(len(read_jobs(path)["jobs"])))
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        results = sweep.run(
            run_job, Job(url=url, key=key, path=path), sweep_dir=folder, max_parallel=PROCESSES, number=numbers
        )
    assert len(results) == len(numbers), results
    show(began)


if __name__ == "__main__":
    main()

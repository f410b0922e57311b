"""Run the jobs as trials of Ray Tune: as many at once as its actors may be, each in a process of its own."""

import os
import sys
import time
from typing import Any

os.environ.update(RAY_TRAIN_V2_ENABLED="0", RAY_AIR_NEW_OUTPUT="0", TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1")

import ray
from bare_training import read_jobs, show
from ray import tune


def trial(config: dict[str, Any]) -> None:
    from bare_training import read_jobs, train

    document = read_jobs(config["path"])
    losses = train(config["url"], config["key"], document["jobs"][config["number"]], document["examples"])
    tune.report({"loss": losses[-1], "steps": len(losses)})


def main() -> None:
    url, key, path = sys.argv[1:]
    jobs = len(read_jobs(path)["jobs"])
    began = time.monotonic()
    environment = {"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}}
    ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    space = {"url": url, "key": key, "path": path, "number": tune.grid_search(list(range(jobs)))}
    results = tune.Tuner(tune.with_resources(trial, {"cpu": 1}), param_space=space).fit()
    assert not results.errors, results.errors[:1]
    assert len(results) == jobs
    show(began)


main()

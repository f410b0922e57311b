"""Run the jobs as trials of one Optuna study in Redis: four processes of sixteen threads, as its manual shows."""

import subprocess
import sys
import time

import optuna
from bare_training import read_jobs, show, train
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalRedisBackend

PROCESSES, THREADS = 4, 16


def main() -> None:
    url, key, path, redis, *work = sys.argv[1:]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalRedisBackend(redis))
    document = read_jobs(path)
    jobs = document["jobs"]
    space = {"number": list(range(len(jobs)))}
    began = time.monotonic()
    study = optuna.create_study(
        storage=storage, study_name="jobs", load_if_exists=True, sampler=optuna.samplers.GridSampler(space, seed=0)
    )
    if not work:
        for number in space["number"]:
            study.enqueue_trial({"number": number})
        command = [sys.executable, *sys.argv, "work"]
        helpers = [subprocess.Popen(command) for _ in range(PROCESSES)]
        assert [helper.wait() for helper in helpers] == [0] * PROCESSES
        finished = [trial.params["number"] for trial in study.trials if trial.state.is_finished()]
        assert sorted(finished) == space["number"], finished
        show(began)
        return

    def objective(trial: optuna.Trial) -> float:
        number = trial.suggest_categorical("number", space["number"])
        return train(url, key, jobs[number], document["examples"])[-1]

    study.optimize(objective, n_trials=len(jobs) // PROCESSES, n_jobs=THREADS)


main()

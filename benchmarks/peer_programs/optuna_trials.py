"""Ask, report and tell trials of one Optuna study in Redis from four processes."""

import subprocess
import sys
import time

import optuna
from bare_training import show
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalRedisBackend

PROCESSES = 4


def main() -> None:
    url, trials, *work = sys.argv[1:]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalRedisBackend(url))
    study = optuna.create_study(
        storage=storage, study_name="trials", load_if_exists=True, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    if work:
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(int(trials) // PROCESSES):
            trial = study.ask()
            trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True)
            trial.report(1.0, 5)
            study.tell(trial, 1.0)
        return
    command = [sys.executable, *sys.argv, "work"]
    helpers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    for helper in helpers:
        assert helper.stdout.readline() == "ready\n"
    began = time.monotonic()
    for helper in helpers:
        helper.stdin.write("go\n")
        helper.stdin.flush()
    assert [helper.wait() for helper in helpers] == [0] * PROCESSES
    assert len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) == int(trials)
    show(began)


main()

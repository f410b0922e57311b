"""Experiment trackers: what shows the runs of a sweep beside all others. Each library is imported in one file only.

A tracker keeps nothing of its own: what it was told before is found where it was put. So the same export can be made
again, tomorrow, by somebody else or after a crash, and adds what has grown.
"""

from importlib import import_module
from typing import Protocol

from scheduler.errors import TrackerUnusable
from sweeps.errors import NotInstalled
from sweeps.report.tracker_runs import TrackedRun

# Kind: the library that it needs, its extra, and what may stand behind the colon.
KINDS = {
    "tensorboard": ("tensorboardX", "tensorboardx", "FOLDER"),
    "mlflow": ("mlflow", "mlflow-skinny", "URI"),
    "wandb": ("wandb", "wandb", "[ENTITY/]PROJECT"),
}
FORMS = " | ".join(f"{kind}[:{where}]" for kind, (_, _, where) in KINDS.items())


class Tracker(Protocol):
    """Where the runs of one sweep are told of."""

    @property
    def where(self) -> str:
        """For people: what to open to see them."""
        ...

    def put(self, run: TrackedRun) -> bool:
        """Tell of one run what is not known of it there. False: all of it was."""
        ...


def open_tracker(target: str, sweep: str) -> Tracker:
    """What `tensorboard:DIR`, `mlflow:URI` or `wandb:PROJECT` names, ready to take the runs of a sweep.

    Raises TrackerUnusable, and NotInstalled where its library is missing.
    """
    kind, _, where = target.partition(":")
    if kind not in KINDS:
        raise TrackerUnusable(f"--to {target}: {kind!r} is no tracker that is known; {FORMS} is right")
    library, package, _ = KINDS[kind]
    try:
        module = import_module(f"scheduler.trackers.{kind}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        install = f".venv/bin/python -m pip install {package} (the extra `{kind}`)"
        raise NotInstalled(f"--to {kind} needs {library}, which is not installed: {install}") from None
    opened: Tracker = module.open_at(where, sweep)
    return opened

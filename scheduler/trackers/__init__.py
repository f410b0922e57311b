"""Send runs to experiment trackers. Each tracker's library is imported in one file only.

We keep no state of our own: what was sent before is read from the tracker. So anybody can repeat an export, tomorrow or
after a crash, and it adds only what is new.
"""

from importlib import import_module
from typing import Protocol

from scheduler.errors import TrackerUnusable
from sweeps.errors import NotInstalled
from sweeps.report.tracker_runs import TrackedRun

# Kind: its library, the package to install, and what may follow the colon.
KINDS = {
    "tensorboard": ("tensorboardX", "tensorboardx", "FOLDER"),
    "mlflow": ("mlflow", "mlflow-skinny", "URI"),
    "wandb": ("wandb", "wandb", "[ENTITY/]PROJECT"),
}
FORMS = " | ".join(f"{kind}[:{where}]" for kind, (_, _, where) in KINDS.items())


class Tracker(Protocol):
    """The runs of one sweep at one tracker."""

    @property
    def where(self) -> str:
        """For people: where to look."""
        ...

    def put(self, run: TrackedRun) -> bool:
        """Send what the tracker does not have of a run. False if it has everything."""
        ...


def open_tracker(target: str, sweep: str) -> Tracker:
    """Open `tensorboard:DIR`, `mlflow:URI` or `wandb:PROJECT` for the runs of a sweep.

    Raises TrackerUnusable, and NotInstalled if its library is missing.
    """
    kind, _, where = target.partition(":")
    if kind not in KINDS:
        raise TrackerUnusable(f"--to: expected {FORMS}, got {target!r}")
    library, package, _ = KINDS[kind]
    try:
        module = import_module(f"scheduler.trackers.{kind}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        install = f"`.venv/bin/python -m pip install {package}` (the extra `{kind}`)"
        raise NotInstalled(f"--to {kind}: {library} is not installed; run {install}") from None
    opened: Tracker = module.open_at(where, sweep)
    return opened

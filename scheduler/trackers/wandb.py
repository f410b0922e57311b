"""Weights & Biases: a run for each of ours, in a group that is the sweep.

On line the service knows the last step of a run, and what lies behind it is added. Off line (WANDB_MODE=offline)
nothing can be asked: a run that has grown is written anew, whole, and takes the place of the folder before, so that
`wandb sync` sends each once. The key is wandb's own business.
"""

import os
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import wandb
from wandb.errors import Error

from scheduler.errors import TrackerUnusable
from sweeps.report.tracker_runs import TrackedRun

MARK = "sweep-export"  # a file in a run's folder that says what has been written there, once all of it has been
LONGEST = 64  # characters of a tag
# A run of ours is one row of a table: neither this machine, its code nor its terminal belongs to it.
SETTINGS = {
    "console": "off",
    "silent": True,
    "disable_git": True,
    "save_code": False,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
}


class WandB:
    """A project, of ours or of a team's."""

    def __init__(self, entity: str | None, project: str, folder: Path) -> None:
        self._entity, self._project, self._folder = entity, project, folder
        mode = wandb.setup().settings.mode  # by the environment, or by `wandb offline`
        if mode == "disabled":
            raise TrackerUnusable("--to wandb: W&B is disabled here, by WANDB_MODE; online or offline is right")
        self._offline = mode in ("offline", "dryrun")
        known = "/".join(filter(None, [entity, project]))
        self.where = f"wandb sync {folder}/wandb/offline-run-*" if self._offline else f"the project {known} in W&B"

    def put(self, run: TrackedRun) -> bool:
        before = list(self._offline_folders(run.id)) if self._offline else []
        if any(_mark(folder) == run.content for folder in before):
            return False
        try:
            folder = self._write_run(run)
        except Error as error:
            raise TrackerUnusable(f"W&B does not take {run.name}: {error}") from None
        if self._offline:
            for old in before:
                shutil.rmtree(old)
            (folder / MARK).write_text(run.content, encoding="utf-8")
        return True

    def _write_run(self, run: TrackedRun) -> Path:
        """The folder that it was written to."""
        there = wandb.init(
            entity=self._entity,
            project=self._project,
            dir=self._folder,
            id=run.id,
            resume=None if self._offline else "allow",
            reinit="create_new",
            group=run.sweep,
            name=run.name,
            config=dict(run.config),
            allow_val_change=True,
            tags=_tags(run),
            settings=wandb.Settings(**SETTINGS),
        )
        for step, values in _group_by_step(run):
            if step >= there.step:  # the next one that it takes
                there.log(values, step=step)
        there.summary.update({**run.summary, "state": run.state, "cause": run.cause})
        folder = Path(there.dir).parent
        there.finish(exit_code=1 if run.lost else 0)
        return folder

    def _offline_folders(self, run: str) -> Iterator[Path]:
        return (self._folder / "wandb").glob(f"offline-run-*-{run}")


def open_at(where: str, sweep: str) -> WandB:
    """`[ENTITY/]PROJECT`; without, what the environment says, or a project named as the sweep."""
    entity, _, project = where.rpartition("/")
    project = project or os.environ.get("WANDB_PROJECT") or sweep
    folder = Path(os.environ.get("WANDB_DIR") or ".")
    folder.mkdir(parents=True, exist_ok=True)
    return WandB(entity or os.environ.get("WANDB_ENTITY"), project, folder)


def _group_by_step(run: TrackedRun) -> Iterator[tuple[int, dict[str, Any]]]:
    """Points of one step are told together."""
    for step, points in groupby(run.points, key=lambda point: point.step):
        yield step, {point.metric: point.value for point in points}


def _tags(run: TrackedRun) -> list[str]:
    return [value[:LONGEST] for key, value in run.tags.items() if key != "sweep" and value]


def _mark(folder: Path) -> str:
    mark = folder / MARK
    return mark.read_text(encoding="utf-8") if mark.exists() else ""

"""Send runs to Weights & Biases: one W&B run for each of ours, grouped by sweep.

Online, W&B knows the last step of a run, and we add the later ones. Offline (WANDB_MODE=offline) we cannot ask: a run
that has grown is written again, whole, and replaces its old folder, so that `wandb sync` sends it once. wandb itself
reads the key.
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

MARK = "sweep-export"  # a file in a run's folder with the hash of what was written, created last
LONGEST = 64  # characters of a tag
# Our run is a row of a table: it has nothing to do with this machine, its code or its terminal.
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
    """A project, of a user or a team."""

    def __init__(self, entity: str | None, project: str, folder: Path) -> None:
        self._entity, self._project, self._folder = entity, project, folder
        mode = wandb.setup().settings.mode  # set by the environment, or by `wandb offline`
        if mode == "disabled":
            raise TrackerUnusable("--to wandb: WANDB_MODE: expected online or offline, got disabled")
        self._offline = mode in ("offline", "dryrun")
        known = "/".join(filter(None, [entity, project]))
        self.where = f"wandb sync {folder}/wandb/offline-run-*" if self._offline else f"the project {known} in W&B"

    def put(self, run: TrackedRun) -> bool:
        before = list(self._list_offline_folders(run.id)) if self._offline else []
        if any(_mark(folder) == run.content for folder in before):
            return False
        try:
            folder = self._write_run(run)
        except Error as error:
            raise TrackerUnusable(f"W&B refuses {run.name}: {error}") from None
        if self._offline:
            for old in before:
                shutil.rmtree(old)
            (folder / MARK).write_text(run.content, encoding="utf-8")
        return True

    def _write_run(self, run: TrackedRun) -> Path:
        """Write the run, and return its folder."""
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
            tags=_list_tags(run),
            settings=wandb.Settings(**SETTINGS),
        )
        for step, values in _group_by_step(run):
            if step >= there.step:  # the next step that W&B takes
                there.log(values, step=step)
        there.summary.update({**run.summary, **run.texts})
        folder = Path(there.dir).parent
        there.finish(exit_code=1 if run.lost else 0)
        return folder

    def _list_offline_folders(self, run: str) -> Iterator[Path]:
        return (self._folder / "wandb").glob(f"offline-run-*-{run}")


def open_at(where: str, sweep: str) -> WandB:
    """Open `[ENTITY/]PROJECT`; without it, what the environment names, or a project with the sweep's name."""
    entity, _, project = where.rpartition("/")
    project = project or os.environ.get("WANDB_PROJECT") or sweep
    folder = Path(os.environ.get("WANDB_DIR") or ".")
    folder.mkdir(parents=True, exist_ok=True)
    return WandB(entity or os.environ.get("WANDB_ENTITY"), project, folder)


def _group_by_step(run: TrackedRun) -> Iterator[tuple[int, dict[str, Any]]]:
    """Group points by step: W&B takes each step once."""
    for step, points in groupby(run.points, key=lambda point: point.step):
        yield step, {point.metric: point.value for point in points}


def _list_tags(run: TrackedRun) -> list[str]:
    return [value[:LONGEST] for key, value in run.tags.items() if key != "sweep" and value]


def _mark(folder: Path) -> str:
    mark = folder / MARK
    return mark.read_text(encoding="utf-8") if mark.exists() else ""

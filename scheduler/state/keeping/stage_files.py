"""Find and delete files of stages in the artefact store that are kept no longer.

A file stays while its stage is unfinished, and while a result or a checkpoint names it and is young enough. Files are
listed before the states are read, so a file that an attempt writes meanwhile is never seen without its stage.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from scheduler.artefacts import Artefacts, StoredFile, locate_stage_files, locate_uploads
from scheduler.state import keys
from scheduler.state.keeping.packing import unpack
from scheduler.state.keeping.retention import DAY, Retention
from scheduler.state.states import ENDED_SWEEPS, FINISHED
from scheduler.state.store import Store

PAGE = 500


@dataclass(frozen=True)
class Freed:
    """How much was deleted."""

    files: int = 0
    bytes: int = 0

    def plus(self, file: StoredFile) -> "Freed":
        return Freed(self.files + 1, self.bytes + file.size)


@dataclass(frozen=True)
class _Owner:
    """What decides about the files of a stage."""

    ended_at: float | None  # seconds since 1970; None while it has not ended
    paths: frozenset[str]  # that its result and its checkpoints name
    free: bool  # no sweep that has not ended wants it
    answered: bool  # each of its sweeps has kept its answer
    expired: float  # when its checkpoints have expired


def list_stage_files(artefacts: Artefacts, fleet: str) -> list[tuple[str, StoredFile]]:
    """List every file of the stages of an installation, each behind the name of its stage, in order."""
    files = [file for file in artefacts.list_files(locate_stage_files(fleet)) if not file.path.endswith(".probe")]
    return sorted((file.path.rpartition("/")[2].partition(".")[0], file) for file in files)


def clean_stage_files(store: Store, artefacts: Artefacts, keep: Retention, now: float) -> Freed:
    """Delete the files that are kept no longer. `now` in seconds since 1970."""
    files = list_stage_files(artefacts, store.read_fleet_name())
    by_stage = {stage: [file for _, file in pairs] for stage, pairs in groupby(files, key=lambda pair: pair[0])}
    names, freed = list(by_stage), Freed()
    for start in range(0, len(names), PAGE):
        page = names[start : start + PAGE]
        owners = _read_owners(store, page)
        for stage in page:
            for file in by_stage[stage]:
                if not must_stay(stage, file, owners.get(stage), keep, now):
                    artefacts.remove(file.path)
                    freed = freed.plus(file)
    return freed


def clean_uploads(artefacts: Artefacts, keep: Retention, now: float) -> Freed:
    """Delete what people sent long ago. No sweep needs it: whoever submits one stores its rows apart."""
    freed = Freed()
    for file in artefacts.list_files(locate_uploads()):
        if now - file.modified >= max(keep.artefacts, DAY):  # a spec is planned and sent within the day
            artefacts.remove(file.path)
            freed = freed.plus(file)
    return freed


def must_stay(stage: str, file: StoredFile, owner: _Owner | None, keep: Retention, now: float) -> bool:
    """Decide whether a file of a stage is still kept."""
    if owner is None:  # the stage is gone; an age protects from a clock that is wrong
        return now - file.modified < DAY
    if owner.ended_at is None or not owner.free:
        return owner.ended_at is None or file.path in owner.paths or now - file.modified < keep.artefacts
    if file.path not in owner.paths:
        return now - file.modified < keep.artefacts
    if stage.startswith("train-"):
        return now - owner.ended_at < keep.curves or now < owner.expired
    return now - owner.ended_at < keep.items or not owner.answered


def remove_stage_files(artefacts: Artefacts, fleet: str, stages: Iterable[str]) -> Freed:
    """Delete every file of these stages."""
    wanted, freed = set(stages), Freed()
    for stage, file in list_stage_files(artefacts, fleet):
        if stage in wanted:
            artefacts.remove(file.path)
            freed = freed.plus(file)
    return freed


def _read_owners(store: Store, stages: Sequence[str]) -> dict[str, _Owner]:
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.hmget(keys.stage(stage), ["state", "since", "result"])
        pipe.lrange(keys.checkpoints(stage), 0, -1)
        pipe.smembers(keys.subscribers(stage))
    answers = pipe.execute()
    known = {sweep for sweeps in answers[2::3] for sweep in sweeps}
    ended, answered = _read_sweeps(store, sorted(known))
    return {
        stage: _make_owner(row, list(map(json.loads, texts)), free=sweeps <= ended, answered=sweeps <= answered)
        for stage, row, texts, sweeps in zip(stages, answers[::3], answers[1::3], answers[2::3], strict=True)
        if row[0]
    }


def _read_sweeps(store: Store, names: Sequence[str]) -> tuple[set[str], set[str]]:
    """Read which of these sweeps have ended, and which have kept their answer."""
    pipe = store.client.pipeline(transaction=False)
    for name in names:
        pipe.hget(keys.sweep(name), "state")
        pipe.exists(keys.sweep_answer(name))
    answers = pipe.execute()
    ended = {name for name, state in zip(names, answers[::2], strict=True) if state in (None, *ENDED_SWEEPS)}
    return ended, {name for name, kept in zip(names, answers[1::2], strict=True) if kept}


def _make_owner(
    row: Sequence[str | None], checkpoints: Sequence[Mapping[str, object]], *, free: bool, answered: bool
) -> _Owner:
    state, since, text = row
    ended = int(since or 0) / 1000 if state in FINISHED else None
    named = [*unpack(text).values(), *(value for point in checkpoints for value in point.values())]
    days = max((float(str(point.get("ttl_days") or 0)) for point in checkpoints), default=0.0)
    paths = frozenset(value for value in named if isinstance(value, str))
    return _Owner(ended, paths, free, answered, (ended or 0) + days * DAY)

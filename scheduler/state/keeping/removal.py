"""Remove the details of a sweep, page by page: its stages, unless another sweep needs them, and its own hashes.

Every step is a verb that may be repeated, so what is interrupted is completed later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.errors import SchedulerError
from scheduler.state import keys
from scheduler.state.keeping.archive import build_archive
from scheduler.state.pages import read_in_pages
from scheduler.state.store import Store
from scheduler.state.views import name_unknown_sweep

PAGE = 100  # stages in one verb
HASHES = {
    "runs": keys.sweep_runs,
    "values": keys.sweep_values,
    "cells": keys.sweep_cells,
    "feeds": keys.sweep_feeds,
    "candidates": keys.sweep_candidates,
    "held": keys.sweep_held,
}


class NotEnded(SchedulerError):
    """The sweep has not ended, so it stays."""


@dataclass(frozen=True)
class Belongings:
    """What a sweep has, and what of it would go with the sweep."""

    own: tuple[str, ...]  # stages that no other sweep wants
    shared: int  # stages that stay
    checkpoints: int  # of its own stages, at the service


def list_belongings(store: Store, name: str) -> Belongings:
    """List what would go with a sweep. Raises UnknownSweep."""
    if not store.client.exists(keys.sweep(name)):
        raise name_unknown_sweep(store, name)
    stages: Sequence[str] = store.client.zrange(keys.sweep_stages(name), 0, -1)
    wanted = read_in_pages(store.client, stages, lambda pipe, stage: pipe.scard(keys.subscribers(stage)))
    own = tuple(stage for stage, count in wanted if count < 2)
    kept = read_in_pages(store.client, own, lambda pipe, stage: pipe.llen(keys.checkpoints(stage)))
    return Belongings(own, len(stages) - len(own), sum(int(count) for _, count in kept))


def remove_sweep(store: Store, name: str) -> int:
    """Remove a sweep that has ended; return how many stages went with it. Raises UnknownSweep or NotEnded.

    A stage whose cost is still to be reconciled stays until then, and the sweep with it.
    """
    answer = str(store.scripts.run("remove_sweep", name))
    if not answer:
        raise name_unknown_sweep(store, name)
    if answer != "removing":
        raise NotEnded(f"{name} is {answer}: `sweep cancel {name}` ends it, and its workers must have stopped")
    return drop_details(store, name)


def archive_sweep(store: Store, name: str) -> int:
    """Archive a sweep that has ended and drop its details; return how many stages went. Raises NotEnded."""
    answer = str(store.scripts.run("archive_sweep", name, build_archive(store, name)))
    if answer != "archived":
        raise NotEnded(f"{name} is {answer or 'unknown'}, and cannot be archived")
    return drop_details(store, name)


def drop_details(store: Store, name: str) -> int:
    """Drop the details of a sweep that is archived or being removed; forget the one that is being removed."""
    stages: Sequence[str] = store.client.zrange(keys.sweep_stages(name), 0, -1, desc=True)  # children first
    pages = [stages[start : start + PAGE] for start in range(0, len(stages), PAGE)]
    count = sum(int(store.scripts.run("drop_stages", name, *page)) for page in pages)
    for part, key in HASHES.items():
        fields = list(store.client.hgetall(key(name)))
        for start in range(0, len(fields), PAGE):
            store.scripts.run("drop_fields", name, part, *fields[start : start + PAGE])
    store.scripts.run("forget_sweep", name)
    return count

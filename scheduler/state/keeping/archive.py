"""Archive a sweep whose details go: one packed document, from which everything about the sweep is read afterwards.

`open_archive` answers the same reads as Redis did, so whoever reads a sweep need not know whether it is archived.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from scheduler.state import keys
from scheduler.state.connection import Client, Pipe
from scheduler.state.keeping.packing import pack, unpack
from scheduler.state.pages import read_in_pages
from scheduler.state.store import Store
from sweeps.stage import Json

FIELDS = (
    *("kind", "label", "state", "attempt", "since", "started", "steps", "cause", "lost", "tokens", "micro_usd"),
    *("estimate", "low_estimate", "payer", "recipe", "result"),
)
PACKED = ("recipe", "result")
FILES = ("items", "metrics_file", "rollouts", "logprobs", "metrics")  # of a result; the values hold its metrics


def build_archive(store: Store, name: str) -> str:
    """Build the archive of a sweep from its details."""
    client = store.client
    stages: Sequence[str] = client.zrange(keys.sweep_stages(name), 0, -1)
    rows = read_in_pages(client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), FIELDS))
    columns: list[list[Json]] = [[] for _ in FIELDS]
    for _, row in rows:
        for field, column, value in zip(FIELDS, columns, row, strict=True):
            column.append(_shorten(field, value) if field in PACKED else value)
    runs = client.hgetall(keys.sweep_runs(name))
    return pack(
        {
            "stages": list(stages),
            "fields": dict(zip(FIELDS, columns, strict=True)),
            "runs": [unpack(runs[str(number)]) for number in range(len(runs))],
            "values": _group(client.hgetall(keys.sweep_values(name))),
            "cells": dict(client.hgetall(keys.sweep_cells(name))),
        }
    )


def open_archive(store: Store, name: str) -> Store:
    """Return the store from which to read a sweep: the same one, unless the sweep is archived."""
    if isinstance(store.client, _ArchiveClient):
        return store
    text = store.client.get(keys.sweep_archive(name))
    if text is None:
        return store
    opened = copy.copy(store)
    opened.client = cast(Client, _ArchiveClient(store.client, _list_contents(name, unpack(text))))
    return opened


def _shorten(field: str, value: str | None) -> Json:
    document = unpack(value)
    return {key: part for key, part in document.items() if field != "result" or key not in FILES}


def _group(values: Mapping[str, str]) -> dict[str, Json]:
    """Group `run|metric` -> value by metric; a value keeps its spelling."""
    metrics: dict[str, dict[str, str]] = {}
    for key, value in values.items():
        run, _, metric = key.partition("|")
        metrics.setdefault(metric, {})[run] = value
    return dict(metrics)  # type: ignore[arg-type]


def _list_contents(name: str, archive: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each key of the sweep held."""
    runs = {str(number): json.dumps(row) for number, row in enumerate(archive["runs"])}
    values = {f"{run}|{metric}": value for metric, part in archive["values"].items() for run, value in part.items()}
    contents: dict[str, Any] = {
        keys.sweep_stages(name): archive["stages"],
        keys.sweep_runs(name): runs,
        keys.sweep_values(name): values,
        keys.sweep_cells(name): archive["cells"],
    }
    for place, stage in enumerate(archive["stages"]):
        row = {field: column[place] for field, column in archive["fields"].items()}
        texts = {field: json.dumps(value) if field in PACKED else value for field, value in row.items()}
        contents[keys.stage(stage)] = {field: text for field, text in texts.items() if text is not None}
    return contents


# How the content of a key answers each command that readers send.
ANSWERS: Mapping[str, Callable[..., Any]] = {
    "hgetall": dict,
    "hget": lambda content, field: content.get(field),
    "hmget": lambda content, fields: [content.get(field) for field in fields],
    "zrange": lambda content, start, end: content[start:] if end == -1 else content[start : end + 1],
    "zcard": len,
    "hlen": len,
}


class _ArchiveClient:
    """A client that answers reads of archived keys itself."""

    def __init__(self, client: Client, contents: Mapping[str, Any]) -> None:
        self._client = client
        self._contents = contents

    def __getattr__(self, command: str) -> Any:
        passed = getattr(self._client, command)
        answer = ANSWERS.get(command)
        if answer is None:
            return passed

        def ask(key: str, *words: Any, **options: Any) -> Any:
            return answer(self._contents[key], *words) if key in self._contents else passed(key, *words, **options)

        return ask

    def pipeline(self, transaction: bool = True) -> Any:
        return _ArchivePipe(self._client.pipeline(transaction), self._contents)


class _ArchivePipe:
    """A pipeline that answers reads of archived keys itself, in their places among the other answers."""

    def __init__(self, pipe: Pipe, contents: Mapping[str, Any]) -> None:
        self._pipe = pipe
        self._contents = contents
        self._answers: list[tuple[bool, Any]] = []

    def __getattr__(self, command: str) -> Any:
        def ask(key: Any, *words: Any, **options: Any) -> None:
            here = command in ANSWERS and isinstance(key, str) and key in self._contents
            self._answers.append((here, ANSWERS[command](self._contents[key], *words) if here else None))
            if not here:
                getattr(self._pipe, command)(key, *words, **options)

        return ask

    def execute(self) -> list[Any]:
        others = iter(self._pipe.execute())
        return [answer if here else next(others) for here, answer in self._answers]

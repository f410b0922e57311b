"""Write and read the rounds of a sweep with `until`: the runs that it may have, those that it has, and what follows.

The runs that may follow are written when the sweep is submitted, because only whoever submits reads its data. A round
makes some of them stages of the sweep like any other. Every change is one verb, all or nothing, that says how many
rounds its caller knew of. So two schedulers that decide at the same time append the same round once.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.state import keys
from scheduler.state.commands import Word
from scheduler.state.keeping.packing import pack, unpack
from scheduler.state.runs.written_rows import CellNumbers, make_row, map_feeds
from scheduler.state.scripts import spell_word
from scheduler.state.store import Store, compact
from scheduler.state.views import read_planned_rows
from sweeps.identity import name_run
from sweeps.stage import HeldRun, Json, Run

PAGE = 200  # fields in one command


@dataclass(frozen=True)
class KnownRounds:
    """The rounds of a sweep as they are now."""

    until: Mapping[str, Json]
    appended: Sequence[Mapping[str, Any]]  # their records, after the first round
    stopped: Mapping[str, Any] | None  # why no other follows

    @property
    def count(self) -> int:
        """The rounds that were appended to the first one."""
        return len(self.appended)


def hold_back(
    store: Store, name: str, runs: Sequence[HeldRun], stages: Iterable[tuple[str, Sequence[str], Mapping[str, Word]]]
) -> None:
    """Write all runs that a sweep may have, and the stages that are not its own yet: id, parents, fields.

    Repeating it changes nothing.
    """
    rows = {name_run(held.run.cell, held.run.seed): pack(_document(place, held)) for place, held in enumerate(runs)}
    texts = {stage: _write_held(parents, fields) for stage, parents, fields in stages}
    for key, content in ((keys.sweep_candidates(name), rows), (keys.sweep_held(name), texts)):
        for page in _split_pages(list(content.items())):
            store.client.hset(key, mapping=dict(page))


def _document(place: int, held: HeldRun) -> dict[str, Json]:
    run = held.run
    return {
        "place": place,
        "cell": dict(run.cell),
        "seed": run.seed,
        "stage": run.stage,
        "before": list(run.before),
        "measures": dict(run.measures),
        "stages": list(held.stages),
        "cost": held.cost,
        "in_grid": held.in_grid,
    }


def _write_held(parents: Sequence[str], fields: Mapping[str, Word]) -> str:
    flat: list[Json] = [str(spell_word(word)) for pair in fields.items() for word in pair]
    return compact({"parents": " ".join(parents), "fields": flat})


def _split_pages(items: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    return (items[start : start + PAGE] for start in range(0, len(items), PAGE))


def read_rounds(store: Store, name: str) -> KnownRounds | None:
    """Read the rounds of a sweep; None for one without `until`."""
    pipe = store.client.pipeline()
    pipe.hmget(keys.sweep(name), ["until", "stopped"])
    pipe.lrange(keys.sweep_rounds(name), 0, -1)
    (until, stopped), records = pipe.execute()
    if not until:
        return None
    appended = [json.loads(record) for record in records]
    return KnownRounds(json.loads(until), appended, json.loads(stopped) if stopped else None)


def read_held_runs(store: Store, name: str) -> list[HeldRun]:
    """Read all runs that a sweep may have, in the order of its plan. Which are in the first round is not kept."""
    rows = [unpack(text) for text in store.client.hgetall(keys.sweep_candidates(name)).values()]
    return [
        HeldRun(
            Run(row["cell"], row["seed"], row["stage"], row["measures"], tuple(row["before"])),
            row["cost"],
            row["in_grid"],
            is_first=False,
            stages=tuple(row["stages"]),
        )
        for row in sorted(rows, key=lambda row: int(row["place"]))
    ]


def append_round(store: Store, name: str, count: int, held: Sequence[HeldRun], record: Mapping[str, Json]) -> str:
    """Append a round to `count` rounds: all of its runs, or nothing. Return `appended`, or why not."""
    before = read_planned_rows(store, name)
    cells = CellNumbers(row["cell"] for row in sorted(before, key=lambda row: int(row["number"])))
    numbered = [(number, run.run) for number, run in enumerate(held, len(before))]
    rows = [word for number, run in numbered for word in (number, make_row(cells, number, run))]
    feeds = [word for stage, own in map_feeds(numbered, cells).items() for word in (stage, json.dumps(own))]
    stages = dict.fromkeys(stage for run in held for stage in run.stages)
    document = compact({**record, "begin": len(before), "count": len(held)})
    words = (name, count, document, len(numbered), *rows, len(feeds) // 2, *feeds, *stages)
    return str(store.scripts.run("append_round", *words))


def stop_rounds(store: Store, name: str, count: int, record: Mapping[str, Json]) -> str:
    """End the rounds of a sweep after `count` appended ones. Return `stopped`, or why not."""
    return str(store.scripts.run("stop_rounds", name, count, compact(record)))


def moves_end(store: Store, name: str, spec: Mapping[str, Json]) -> bool:
    """Say whether a file lets a sweep that was submitted before stop elsewhere than it is to."""
    until: str | None = store.client.hget(keys.sweep(name), "until")
    return "until" in spec if until is None else json.loads(until) != read_until(spec)


def change_until(store: Store, name: str, spec: Mapping[str, Json]) -> str:
    """Let a sweep stop where its file says now; without `until`, at the end of its full grid.

    Return `changed`, `same`, or `archived`: then nothing can follow any more.
    """
    return str(store.scripts.run("change_until", name, json.dumps(dict(spec)), compact(read_until(spec))))


def read_until(spec: Mapping[str, Json]) -> Mapping[str, Json]:
    """Read when a sweep stops; without `until` at the end of its full grid."""
    until = spec.get("until")
    return until if isinstance(until, Mapping) else {"full_grid": True}

"""A small sweep for nights with every real part, and what is known of it while it runs."""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import httpx

from tests.acceptance.command import Desk, until
from tests.few_rows import find_few_rows

SMALL = """
sweep: {name}
experiment: data_scaling
model: offline/ngram-s
train: {{method: sl, rank: 8, learning_rate: 0.01, batch_size: 16, steps: {steps}}}
data: {{reference: {{source: "{rows}", holdout: 64}}}}
sizes: {sizes}
seeds: {seeds}
evaluate: [nll]
"""
SLOW = "rules: [{on: forward_backward, slow: 1}]\n"  # a step takes half of that: the next one is on its way


def small(name: str = "small", *, steps: int | str = 8, sizes: Iterable[int] = (32, 64), seeds: int = 2) -> str:
    return SMALL.format(name=name, steps=steps, sizes=list(sizes), seeds=seeds, rows=find_few_rows())


def small_beside(desk: Desk, name: str = "small", *, sizes: Iterable[int] = (32, 64), seeds: int = 2) -> str:
    """The same with its rows in the desk's folder, so that it travels."""
    rows = Path(find_few_rows())
    shutil.copy(rows, desk.folder)
    return small(name, sizes=sizes, seeds=seeds).replace(str(rows), rows.name)


def find_flower(desk: Desk) -> tuple[str, str, str]:
    """Its address, user and password, as `sweep up` says them."""
    words = desk.said().split()
    address, user, password = (words[words.index(word) + 1].rstrip(",") for word in ("(Flower):", "user", "password"))
    return address, user, password


def flower_hears(desk: Desk) -> bool:
    """Whether a worker's sign of life has come to it: what was told before, it never tells of."""
    address, user, password = find_flower(desk)
    fleet = httpx.get(f"{address}/workers", params={"json": "1"}, auth=(user, password)).raise_for_status().json()
    return any(worker["status"] for worker in fleet["data"])


def flower_counts(desk: Desk) -> Counter[str]:
    """How many tasks Flower knows, by their state."""
    address, user, password = find_flower(desk)
    tasks = httpx.get(f"{address}/api/tasks", auth=(user, password)).json().values()
    return Counter(task["state"] for task in tasks)


def finished(desk: Desk, *states: str) -> int:
    if not (desk.home / "up.json").exists():
        return 0
    rows = desk.call("-f", "json", "status").json["sweeps"]
    return sum(row.get(state, 0) for row in rows for state in states)


def finished_stages(desk: Desk, sweep: str) -> dict[str, list[int]]:
    """The stages of a sweep that have succeeded -> the numbers of the attempts that did it."""
    events = desk.call("-f", "json", "events", sweep, "--last", "10000").json["events"]
    done: dict[str, list[int]] = {}
    for event in events:
        if event["to"] == "succeeded":
            done.setdefault(event["stage"], []).append(event["attempt"])
    return done


def run_short_night(desk: Desk) -> None:
    """Two sweeps under a supervisor, from its start to its end: one ends well, one diverges. Flower says the same."""
    good = desk.write("small.yaml", small(sizes=(32,), seeds=1))
    bad = desk.write("bad.yaml", small("bad", sizes=(32,), seeds=1).replace("0.01", "1e38"))
    desk.environment["SWEEP_FLOWER_PORT"] = "0"
    with desk.sweeping("up") as process:
        until(lambda: "password" in desk.said(), f"it is up: {desk.said()}")
        until(lambda: flower_hears(desk), "Flower hears what workers tell")
        assert desk.call("submit", str(good)).status == desk.call("submit", str(bad)).status == 0
        until(lambda: finished(desk, "succeeded", "failed", "skipped") == 3 + 3, "all has ended")
        rows = {row["sweep"]: row for row in desk.call("-f", "json", "status").json["sweeps"]}
        assert rows["small"]["succeeded"] == 3
        assert [rows["bad"][state] for state in ("succeeded", "failed", "skipped")] == [1, 1, 1]
        # The untrained base was measured once, for both.
        until(lambda: flower_counts(desk) == {"SUCCESS": 3, "FAILURE": 1}, "Flower says the same")
        assert httpx.get(f"{find_flower(desk)[0]}/api/tasks").status_code == 401
        process.terminate()
        assert process.wait(60) == 0

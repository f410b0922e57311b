"""A worker that is killed in the middle of a round changes nothing: the same rounds and results, nothing twice."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from scheduler.state import keys, views
from scheduler.state.runs.round_store import read_rounds
from scheduler.state.states import StageState
from tests.chaos.fleet import Fleet
from tests.few_rows import find_few_rows
from tests.support import wait_until

_SPEC = """
sweep: {name}
experiment: data_scaling
model: offline/ngram-s
train: {{method: sl, rank: 8, learning_rate: 0.01, batch_size: 16, epochs: 2}}
data: {{reference: {{source: "{rows}", holdout: 64}}}}
sizes: [32, 64, 128, 256]
seeds: 2
evaluate: [nll]
target: {{metric: nll, below: 2.0}}
until: {{minimum_data: {{ratio: 1.2}}}}
reuse: sweep
"""


@pytest.mark.timeout(180)
def test_a_worker_killed_in_a_round_changes_nothing_of_what_follows(tmp_path: Path) -> None:
    with Fleet(tmp_path / "fleet", workers=1).up() as fleet:
        fleet.submit(_SPEC.format(name="calm", rows=find_few_rows()))
        fleet.await_finish("calm", seconds=60)
        fleet.submit(_SPEC.format(name="disturbed", rows=find_few_rows()))
        wait_until(lambda: _runs_in_a_later_round(fleet), "a training of a later round", seconds=60)
        fleet.children["worker-1"].send(signal.SIGKILL)
        fleet.run_worker("worker-2")
        fleet.await_finish("disturbed", seconds=90)
        assert _read_story(fleet, "disturbed") == _read_story(fleet, "calm")
        succeeded = Counter(event["stage"] for event in fleet.events() if event.get("to") == "succeeded")
        assert set(succeeded.values()) == {1}


def _runs_in_a_later_round(fleet: Fleet) -> bool:
    with fleet.store() as store:
        known = read_rounds(store, "disturbed")
        running = store.client.zrange(keys.state(StageState.RUNNING), 0, -1)
    return known is not None and known.count > 0 and any(stage.startswith("train-") for stage in running)


def _read_story(fleet: Fleet, sweep: str) -> tuple[object, ...]:
    """Read the rounds of a sweep, why they stopped, and the values of all its runs."""
    with fleet.store() as store:
        known = read_rounds(store, sweep)
        rows = views.read_results(store, sweep)
    assert known is not None
    assert known.count > 0, "nothing followed the first round, so nothing is tested"
    values = {(json.dumps(dict(row.cell)), row.seed): dict(row.metrics) for row in rows}
    return [dict(record) for record in known.appended], known.stopped, values

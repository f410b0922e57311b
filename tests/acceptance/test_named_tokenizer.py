"""A real tokenizer in a real worker: its many threads load it at once, and no attempt is lost. STARTS=50 for more.

`make methods` runs it. That threads share one tokenizer, tests/scheduler/plugins/test_loading_tokenizers.py shows.
"""

import json
import os

import pytest

from tests.acceptance.command import Desk
from tests.tokenizers import folder
from tests.worker.long_runs import LONG

STARTS = int(os.environ.get("STARTS", "1"))
ASKED = """
sweep: named
experiment: grid
model: offline/rehearsal
tokenizer: theirs
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 1}
data: {mine: {source: chats.jsonl, holdout: 4}}
vary: {train.learning_rate: {lin: [0.01, 0.16], count: 16}}
seeds: 1
evaluate: [nll]
"""


@LONG
@pytest.mark.timeout(170 * STARTS)
def test_sixteen_threads_that_begin_with_a_real_tokenizer_lose_no_attempt(desk: Desk) -> None:
    (desk.folder / "theirs").symlink_to(folder("qwen3-2507"))
    turns = [("user", "{0} and {0}?"), ("assistant", "It is {0}, twice.")]
    rows = (
        {"messages": [{"role": role, "content": text.format(number)} for role, text in turns]} for number in range(12)
    )
    desk.write("chats.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    desk.write("named.yaml", ASKED)
    for start in range(STARTS):
        home = desk.folder / f"home{start}"
        desk.environment.update(SWEEP_HOME=str(home), SWEEP_THREADS="16", SWEEP_WORKERS="1")
        desk.environment.update(SWEEP_SLOTS="16", SWEEP_SLOTS_START="16")
        done = desk.sweep("run", "named.yaml", wait=300)
        assert done.status == 0, done.err
        assert "PyTorch" not in done.out + done.err
        runs = desk.call("-f", "json", "results", "named").json["runs"]
        assert [run["state"] for run in runs] == ["succeeded"] * 17  # and the untrained model
        events = desk.call("-f", "json", "events", "named", "--last", "1000").json["events"]
        assert {event["attempt"] for event in events if event["to"] == "succeeded"} == {1}
        assert not [event for event in events if (event["from"], event["to"]) == ("running", "ready")]
        (kept,) = (home / "store/tokenizers").iterdir()
        assert kept.suffix == ".zip"

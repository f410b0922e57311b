"""Each line that is logged in an attempt's thread names its sweep, its stage and its attempt."""

import io
import json
import logging

import pytest

from scheduler.processes.json_log import JsonFormatter
from tests.tinker_offline.process import KEY
from tests.worker.workshop import Workshop


@pytest.fixture
def lines() -> io.StringIO:
    """What is logged while the test runs, as SWEEP_LOG=json writes it."""
    return io.StringIO()


def test_the_lines_of_an_attempt_name_it_and_hold_no_key(workshop: Workshop, lines: io.StringIO) -> None:
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter({"TINKER_API_KEY": KEY}))
    logger = logging.getLogger("worker")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        stage = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
        workshop.attempt(stage)
        logger.info("the key is %s", KEY)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    rows = [json.loads(line) for line in lines.getvalue().splitlines()]
    mine = [row for row in rows if row["stage"] == stage.id]
    assert len(mine) >= 2, "its beginning and its end"
    assert {(row["sweep"], row["attempt"], row["level"]) for row in mine} == {("one", 1, "info")}
    assert {row["stage"][:6] for row in rows[:-1]} == {"train-", "evalua"}, "and the evaluation on its client"
    assert (rows[-1]["stage"], rows[-1]["sweep"]) == (None, None)
    assert KEY not in lines.getvalue()

"""Every move from one state to another, tried in Lua against the one table that Python reads too."""

import itertools
from typing import Any

import pytest
import redis

from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.scripts import build_script
from scheduler.state.states import FINISHED, MOVES, StageState
from tests.support import FakeClock, read_log

PAIRS = list(itertools.product(StageState, StageState))
STAGE = "train-a"


def move(client: Client, clock: FakeClock, start: StageState, end: StageState) -> int:
    """A verb of one line that calls `move`."""
    verb = client.register_script(
        build_script("a_test", "return move(ARGS[1], ARGS[2], ARGS[3], nil, 'a test') and 1 or 0")
    )
    return int(verb(args=[keys.PREFIX, clock(), STAGE, start, end]))


def put(client: Client, state: StageState) -> None:
    client.hset(keys.stage(STAGE), "state", state)
    client.zadd(keys.state(state), {STAGE: 1})


def indices(client: Client) -> list[StageState]:
    return [state for state in StageState if client.zscore(keys.state(state), STAGE) is not None]


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_a_stage_moves_only_as_the_table_says(
    client: Client, clock: FakeClock, start: StageState, end: StageState
) -> None:
    put(client, start)
    if end in MOVES[start]:
        assert move(client, clock, start, end) == 1
        assert (client.hget(keys.stage(STAGE), "state"), indices(client)) == (end, [end])
        return
    with pytest.raises(redis.ResponseError, match="illegal move of train-a"):
        move(client, clock, start, end)
    assert (client.hget(keys.stage(STAGE), "state"), indices(client)) == (start, [start])


@pytest.mark.parametrize(("start", "end"), [pair for pair in PAIRS if pair[1] in MOVES[pair[0]]])
def test_a_legal_move_from_where_the_stage_is_not_changes_nothing(
    client: Client, clock: FakeClock, start: StageState, end: StageState
) -> None:
    elsewhere = next(state for state in StageState if state is not start)
    put(client, elsewhere)
    assert move(client, clock, start, end) == 0
    assert (client.hget(keys.stage(STAGE), "state"), indices(client)) == (elsewhere, [elsewhere])
    assert read_log(client) == []


def test_a_move_tells_the_event_and_marks_the_stage_as_changed(client: Client, clock: FakeClock) -> None:
    put(client, StageState.WAITING)
    move(client, clock, StageState.WAITING, StageState.READY)
    (event,) = read_log(client)
    assert (event["stage"], event["from"], event["to"], event["detail"]) == (STAGE, "waiting", "ready", "a test")
    assert client.zscore(keys.CHANGED, STAGE) is not None


def test_the_table_names_every_state_and_nothing_finished_runs_again_unasked() -> None:
    assert set(MOVES) == set(StageState)
    reached: Any = set().union(*MOVES.values())
    assert reached == set(StageState)
    assert all(not MOVES[state] & {StageState.DISPATCHED, StageState.RUNNING} for state in FINISHED)

"""Every move of a sweep from one state to another, tried in Lua against the table that Python reads."""

import itertools
import re
from importlib.resources import files

import pytest
import redis

from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.scripts import build_script
from scheduler.state.states import SWEEP_MOVES, SweepState
from tests.scheduler.night import Night
from tests.support import FakeClock

PAIRS = list(itertools.product(SweepState, SweepState))
LEGAL = [pair for pair in PAIRS if pair[1] in SWEEP_MOVES[pair[0]]]
SWEEP = "s"
INDEX = {SweepState.ACTIVE: [keys.LIVE], SweepState.PAUSED: [keys.HELD]}  # the others are in neither


def move(client: Client, clock: FakeClock, start: SweepState, end: SweepState) -> int:
    """Run a verb of one line that calls `move_sweep`."""
    verb = client.register_script(build_script("a_test", "return move_sweep(ARGS[1], ARGS[2], ARGS[3]) and 1 or 0"))
    return int(verb(args=[keys.PREFIX, clock(), SWEEP, start, end]))


def put(client: Client, state: SweepState) -> None:
    client.hset(keys.sweep(SWEEP), "state", state)
    for key in INDEX.get(state, []):
        client.sadd(key, SWEEP)


def read(client: Client) -> tuple[str | None, list[str]]:
    indices = [key for key in (keys.LIVE, keys.HELD) if SWEEP in client.smembers(key)]
    return client.hget(keys.sweep(SWEEP), "state"), indices


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_a_sweep_moves_only_as_the_table_says(
    client: Client, clock: FakeClock, start: SweepState, end: SweepState
) -> None:
    put(client, start)
    if end in SWEEP_MOVES[start]:
        assert move(client, clock, start, end) == 1
        assert read(client) == (end, INDEX.get(end, []))
        assert client.hget(keys.sweep(SWEEP), "since") == str(clock())
        return
    with pytest.raises(redis.ResponseError, match="illegal move of sweep s"):
        move(client, clock, start, end)
    assert read(client) == (start, INDEX.get(start, []))


@pytest.mark.parametrize(("start", "end"), LEGAL)
def test_a_legal_move_from_another_state_changes_nothing(
    client: Client, clock: FakeClock, start: SweepState, end: SweepState
) -> None:
    elsewhere = next(state for state in SweepState if state is not start)
    put(client, elsewhere)
    assert move(client, clock, start, end) == 0
    assert read(client) == (elsewhere, INDEX.get(elsewhere, []))


def test_an_active_sweep_outside_its_window_is_held(night: Night) -> None:
    night.store.client.hset(keys.sweep(SWEEP), mapping={"state": "paused", "outside": 1})
    assert night.run_lua("return move_sweep('s', 'paused', 'active') and 1 or 0") == 1
    assert read(night.store.client) == ("active", [keys.HELD])


def test_the_table_names_every_state() -> None:
    assert set(SWEEP_MOVES) == set(SweepState)
    assert set[SweepState]().union(*SWEEP_MOVES.values()) == set(SweepState)


def test_only_the_moves_write_a_state() -> None:
    """A new stage and a new sweep begin with a state; from then on, one function for each writes it."""
    writes = re.compile(r"write\('HSET',[^\n]*'state'")
    folder = files("scheduler.state") / "lua"
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.name.endswith(".lua")}
    counts = {name: len(writes.findall(text)) for name, text in texts.items() if writes.search(text)}
    assert counts == {"_prelude.lua": 2, "_prelude_rounds.lua": 1, "_prelude_service.lua": 1, "open_sweep.lua": 1}

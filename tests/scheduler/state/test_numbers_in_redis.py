"""Numbers go to Redis as every server takes them: whole ones as integers, zero without a sign, all of them exact."""

import pytest

from scheduler.state import keys
from scheduler.state.connection import StoreBug
from scheduler.state.scripts import LARGEST, spell_word
from scheduler.state.store import Meter
from tests.scheduler.night import Night
from tests.scheduler.plans import COST, single

SPELLED = {
    "-(0 * 1)": "0",
    "0 * -1": "0",
    "1e15": "1000000000000000",
    "1.8e12 + 1": "1800000000001",
    "-9007199254740992": "-9007199254740992",
    "3 / 3": "1",
    "math.ceil(-0.5)": "0",
    "0.1": "0.10000000000000001",
    "-2.5": "-2.5",
    "1 / 3": "0.33333333333333331",
    "'-0'": "-0",
    "'1e5'": "1e5",
}
REFUSED = ("0 / 0", "1 / 0", "-1 / 0", "2 ^ 53 + 2", "1e300", "nil", "{}")


@pytest.mark.parametrize("number", SPELLED)
def test_a_number_is_spelt_in_one_way(night: Night, number: str) -> None:
    body = f"write('HSET', PREFIX .. 'notified', 'x', {number}); return read('HGET', PREFIX .. 'notified', 'x')"
    assert night.run_lua(body) == SPELLED[number]


@pytest.mark.parametrize("number", REFUSED)
def test_what_is_no_exact_number_is_refused(night: Night, number: str) -> None:
    with pytest.raises(StoreBug, match="`a_test`"):
        night.run_lua(f"write('HSET', PREFIX .. 'notified', 'y', 1, 'x', {number})")
    assert night.snapshot() == {}


def test_sums_are_whole_numbers_and_zero_has_no_sign(night: Night) -> None:
    add = "return {add(PREFIX .. 'notified', 'a', %s, 'b', %s), read('HGET', PREFIX .. 'notified', 'b')}"
    assert night.run_lua(add % ("-0 * 1", "1e15")) == [0, "1000000000000000"]
    assert night.run_lua(add % ("-7", "-1e15")) == [-7, "0"]
    for amounts in (("0.5", "1"), ("1", "0 / 0"), ("2 ^ 53", "2 ^ 53 + 2"), ("'x'", "1")):
        before = night.snapshot()
        with pytest.raises(StoreBug, match="`a_test`"):
            night.run_lua(add % amounts)
        assert night.snapshot() == before


def test_a_sum_on_what_is_no_number_is_refused(night: Night) -> None:
    night.store.client.hset(keys.NOTIFIED, "a", "many")
    with pytest.raises(StoreBug, match="`a_test`"):
        night.run_lua("add(PREFIX .. 'notified', 'b', 1, 'a', 1)")
    assert night.store.client.hgetall(keys.NOTIFIED) == {"a": "many"}


def test_an_attempt_that_used_nothing_ends_on_every_server(night: Night) -> None:
    """What is freed, and what is unreconciled, is nothing: minus zero."""
    night.submit(single("s", 1))
    lease = night.start("train-0000", "s")
    assert night.store.report_progress(lease, Meter(0, 0), {})
    assert night.store.give_back(lease, Meter(0, 0), delay=0, failure="", cost="unknown", cause="")
    assert night.money("s") == (0, 0, COST)
    (attempt,) = night.store.scripts.run("read_unreconciled", 9)
    assert night.store.scripts.run("reconcile_cost", attempt[0], "{}") == 1
    assert night.money("s") == (0, 0, 0)


def test_words_from_python_are_spelt_too(night: Night) -> None:
    assert [spell_word(word) for word in (1e15, 1.0, -0.0, 0.25, LARGEST, "nan")] == [
        10**15,
        1,
        0,
        0.25,
        LARGEST,
        "nan",
    ]
    assert str(spell_word(-0.0)) == "0"
    for word in (float("nan"), float("inf"), -float("inf"), 1e16, LARGEST + 1, -(LARGEST + 1)):
        with pytest.raises(ValueError, match="2\\^53"):
            night.store.scripts.run("set_priority", "s", word)

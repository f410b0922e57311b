"""How long a plan takes: never less than its longest chain, never less than its share of all the work."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sweeps.planning.duration import estimate_cycles
from sweeps.stage import Stage
from tests.scheduler.plans import evaluate, train


def steps(stage: Stage, count: int) -> Stage:
    return replace(stage, steps=count)


CHAIN = [steps(train("a"), 9), steps(train("b", "train-a"), 19), evaluate("b", "train-b"), steps(train("c"), 99)]


def test_a_chain_takes_its_length_and_all_of_it_the_sum() -> None:
    cycles = estimate_cycles(CHAIN)
    assert (cycles.longest, cycles.total) == (100, 10 + 20 + 1 + 100)
    assert [cycles.count_for_slots(slots) for slots in (1, 2, 50)] == [131, 100, 100]


def test_what_is_done_takes_no_time_and_its_children_still_do() -> None:
    cycles = estimate_cycles(CHAIN, done={"train-a", "train-c"})
    assert (cycles.longest, cycles.total) == (21, 21)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.integers(1, 40))
def test_more_slots_never_take_longer(lengths: list[int], slots: int) -> None:
    cycles = estimate_cycles([steps(train(str(number)), length) for number, length in enumerate(lengths)])
    assert (
        cycles.count_for_slots(slots + 1) <= cycles.count_for_slots(slots) <= cycles.count_for_slots(1) == cycles.total
    )
    assert cycles.count_for_slots(slots) >= max(cycles.longest, cycles.total / slots)

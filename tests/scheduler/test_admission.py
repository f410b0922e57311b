"""Who may start: the highest priority first, among equals whoever has least under way, and never past a limit."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from scheduler.admission import Admitted, Queue, admit, still_open, window

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])
QUEUES = st.lists(
    st.builds(
        Queue,
        sweep=NAMES,
        priority=st.integers(0, 2),
        inflight=st.integers(0, 5),
        slots=st.integers(0, 4),
        ready=st.lists(st.sampled_from("0123456789"), unique=True),
    ),
    unique_by=lambda queue: queue.sweep,
    max_size=4,
)


def queue(sweep: str, count: int, *, priority: int = 0, inflight: int = 0, slots: int = 0) -> Queue:
    return Queue(sweep, priority, inflight, slots, [f"{sweep}{number}" for number in range(count)])


def test_equals_share_evenly_whatever_their_length() -> None:
    admitted = admit([queue("a", 100), queue("b", 100), queue("c", 2)], 12)
    assert Counter(each.sweep for each in admitted) == {"a": 5, "b": 5, "c": 2}


def test_whoever_has_less_under_way_catches_up() -> None:
    assert Counter(each.sweep for each in admit([queue("a", 9, inflight=6), queue("b", 9)], 8)) == {"a": 1, "b": 7}


def test_a_higher_priority_takes_all_it_can_use() -> None:
    admitted = admit([queue("a", 9), queue("b", 3, priority=1)], 5)
    assert [each.sweep for each in admitted] == ["b", "b", "b", "a", "a"]


def test_the_order_within_a_sweep_is_its_own() -> None:
    assert [each.stage for each in admit([queue("a", 4)], 3)] == ["a0", "a1", "a2"]


def test_a_stage_that_two_want_is_admitted_once() -> None:
    both = [Queue("a", 0, 0, 0, ["x", "y"]), Queue("b", 0, 0, 0, ["x", "z"])]
    assert admit(both, 9) == [Admitted("x", "a"), Admitted("z", "b"), Admitted("y", "a")]


@given(QUEUES, st.integers(0, 12))
def test_nothing_is_admitted_twice_or_past_a_limit_and_no_room_is_wasted(queues: list[Queue], room: int) -> None:
    admitted = admit(queues, room)
    stages = [each.stage for each in admitted]
    assert len(stages) == len(set(stages)) <= room
    for each in queues:
        mine = [entry.stage for entry in admitted if entry.sweep == each.sweep]
        assert set(mine) <= set(each.ready)
        assert not each.slots or not mine or each.inflight + len(mine) <= each.slots
        if len(admitted) < room and (not each.slots or each.inflight + len(mine) < each.slots):
            assert set(each.ready) <= set(stages), "there was room, and it might have started"


@given(QUEUES, st.integers(1, 12), st.data())
def test_trying_again_comes_to_an_end_and_never_tries_the_same_twice(
    queues: list[Queue], room: int, data: st.DataObject
) -> None:
    tried: list[Admitted] = []
    started = 0
    while started < room and (admitted := admit(queues, room - started)):
        words = st.sampled_from(["", "not ready", "backoff", "budget", "slots", "the sweep is not active"])
        answers = {each: data.draw(words) for each in admitted}
        tried += admitted
        started += sum(not refused for refused in answers.values())
        queues = still_open(queues, answers)
    assert len(tried) == len(set(tried))


def test_a_closed_gate_closes_the_queue_and_leaves_a_shared_stage_to_the_others() -> None:
    both = [Queue("a", 1, 0, 0, ["x", "y"]), Queue("b", 0, 2, 0, ["x", "z"])]
    left = still_open(both, {Admitted("x", "a"): "budget", Admitted("z", "b"): ""})
    assert left == [Queue("b", 0, 3, 0, ["x"])]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_window_never_passes_slots_or_threads(slots: int, inflight: int, threads: int, unclaimed: int) -> None:
    room = window(slots=slots, inflight=inflight, threads=threads, unclaimed=unclaimed)
    assert room >= 0
    assert not room or (inflight + room <= slots and unclaimed + room <= threads)

"""Who may start: the highest priority first, among equals whoever has least under way, and never past a limit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from scheduler.engine.admission import (
    GATES,
    LANE_GATES,
    Admitted,
    Board,
    Contender,
    Queue,
    Room,
    admit,
    close_gates,
    count_free_nudges,
)

LANES = ("here/training/a", "here/training/b", "there/training/a")
POOLS = ("here/training", "there/training")
STAGES = st.lists(st.sampled_from("0123456789"), unique=True)
CONTENDERS = st.builds(
    Contender,
    user=st.sampled_from(["ada", "bob"]),
    priority=st.integers(0, 2),
    weight=st.sampled_from([0.5, 1.0, 3.0]),
    slots=st.integers(0, 4),
    inflight=st.integers(0, 5),
)


@st.composite
def boards(draw: st.DrawFn) -> Board:
    """Stages of one name are the same stage, and a stage is in one lane only."""
    contenders = draw(st.dictionaries(st.sampled_from("abcd"), CONTENDERS, max_size=4))
    queues = []
    for sweep in contenders:
        ready = draw(STAGES)
        for number, lane in enumerate(LANES):
            if mine := [stage for stage in ready if int(stage) % len(LANES) == number]:
                queues.append(Queue(sweep, lane, mine))
    return Board(contenders, queues, draw(st.sampled_from([{}, {"ada": 2.0}])))


SLOTS = st.fixed_dictionaries(dict.fromkeys(POOLS, st.integers(0, 9)))
ROOMS = st.builds(Room, threads=st.integers(0, 12), pools=SLOTS)


def board(**sweeps: tuple[int, Contender]) -> Board:
    """Of each sweep so many stages in one lane."""
    queues = [Queue(name, LANES[0], [f"{name}{n}" for n in range(count)]) for name, (count, _) in sweeps.items()]
    return Board({name: contender for name, (_, contender) in sweeps.items()}, queues)


def room(slots: int) -> Room:
    return Room(slots, {POOLS[0]: slots})


def shares(admitted: Sequence[Admitted]) -> Counter[str]:
    return Counter(admission.sweep for admission in admitted)


PLAIN = Contender()


def test_equals_share_evenly_whatever_their_length() -> None:
    assert shares(admit(board(a=(100, PLAIN), b=(100, PLAIN), c=(2, PLAIN)), room(12))) == {"a": 5, "b": 5, "c": 2}


def test_whoever_has_less_under_way_catches_up() -> None:
    assert shares(admit(board(a=(9, Contender(inflight=6)), b=(9, PLAIN)), room(8))) == {"a": 1, "b": 7}


def test_a_higher_priority_takes_all_it_can_use() -> None:
    admitted = admit(board(a=(9, PLAIN), b=(3, Contender(priority=1))), room(5))
    assert [admission.sweep for admission in admitted] == ["b", "b", "b", "a", "a"]


def test_a_weight_is_a_share() -> None:
    assert shares(admit(board(a=(99, Contender(weight=3)), b=(99, PLAIN)), room(40))) == {"a": 30, "b": 10}


def test_users_share_before_their_sweeps_do() -> None:
    contest = board(a=(99, Contender("ada")), b=(99, Contender("bob")), c=(99, Contender("bob")))
    assert shares(admit(contest, room(40))) == {"a": 20, "b": 10, "c": 10}
    assert shares(admit(replace(contest, weights={"ada": 3.0}), room(40))) == {"a": 30, "b": 5, "c": 5}


def test_the_order_within_a_sweep_is_its_own() -> None:
    assert [admission.stage for admission in admit(board(a=(4, PLAIN)), room(3))] == ["a0", "a1", "a2"]


def test_a_stage_that_two_want_is_admitted_once() -> None:
    both = Board({"a": PLAIN, "b": PLAIN}, [Queue("a", LANES[0], ["x", "y"]), Queue("b", LANES[0], ["x", "z"])])
    assert admit(both, room(9)) == [Admitted("x", "a"), Admitted("z", "b"), Admitted("y", "a")]


def test_a_pool_that_is_full_holds_up_no_other() -> None:
    both = Board({"a": PLAIN}, [Queue("a", LANES[0], ["x", "y"]), Queue("a", LANES[2], ["z"])])
    assert admit(both, Room(9, {POOLS[0]: 0, POOLS[1]: 3})) == [Admitted("z", "a")]


@given(boards(), ROOMS)
def test_nothing_is_admitted_twice_or_past_a_limit_and_no_room_is_wasted(contest: Board, free: Room) -> None:
    admitted = admit(contest, free)
    stages = [admission.stage for admission in admitted]
    assert len(stages) == len(set(stages)) <= free.threads
    lane_of = {stage: queue.lane for queue in contest.queues for stage in queue.ready}
    used = Counter(lane_of[stage].rpartition("/")[0] for stage in stages)
    assert all(used[pool] <= free.pools[pool] for pool in POOLS)
    mine = shares(admitted)
    for queue in contest.queues:
        who = contest.contenders[queue.sweep]
        under_way = who.inflight + mine[queue.sweep]
        assert not who.slots or not mine[queue.sweep] or under_way <= who.slots
        pool = queue.lane.rpartition("/")[0]
        if len(admitted) < free.threads and used[pool] < free.pools[pool] and (not who.slots or under_way < who.slots):
            assert set(queue.ready) <= set(stages), "there was room, and it might have started"


REFUSALS = ["", "not ready", "backoff", *sorted(GATES | LANE_GATES)]


@given(boards(), ROOMS, st.data())
def test_trying_again_comes_to_an_end_and_never_tries_the_same_twice(
    contest: Board, free: Room, data: st.DataObject
) -> None:
    tried: list[Admitted] = []
    while admitted := admit(contest, free):
        answers = {admission: data.draw(st.sampled_from(REFUSALS)) for admission in admitted}
        tried += admitted
        contest, free = close_gates(contest, free, answers)
    assert len(tried) == len(set(tried))


def test_a_closed_gate_closes_the_sweep_and_leaves_a_shared_stage_to_the_others() -> None:
    both = Board(
        {"a": Contender(priority=1), "b": Contender(inflight=2)},
        [Queue("a", LANES[0], ["x", "y"]), Queue("b", LANES[0], ["x", "z"]), Queue("a", LANES[2], ["w"])],
    )
    left, free = close_gates(both, room(5), {Admitted("x", "a"): "budget", Admitted("z", "b"): ""})
    assert (left.queues, left.contenders["b"].inflight, free) == ([Queue("b", LANES[0], ["x"])], 3, room(4))


def test_a_full_lane_closes_for_everybody_and_no_other_lane_does() -> None:
    both = Board(
        {"a": PLAIN, "b": PLAIN},
        [Queue("a", LANES[0], ["x"]), Queue("b", LANES[0], ["y"]), Queue("b", LANES[1], ["z"])],
    )
    left, _ = close_gates(both, room(5), {Admitted("x", "a"): "capacity"})
    assert left.queues == [Queue("b", LANES[1], ["z"])]


@given(st.integers(0, 50), st.integers(0, 50))
def test_the_window_never_passes_the_threads(threads: int, unclaimed: int) -> None:
    free = count_free_nudges(threads=threads, unclaimed=unclaimed)
    assert free >= 0
    assert not free or unclaimed + free <= threads

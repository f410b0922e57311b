"""With a clock, work starts at its ticks only. The test itself ticks, and counts the ticks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
import tinker
from tinker import types

from tests.support import wait_until
from tests.tinker_offline.examples import ADAM, SMALL, TEXT, batch, logprobs, tokens, train
from tests.tinker_offline.plain_http import create_model, fetch_future, post, save_weights
from tests.tinker_offline.process import KEY, Control, Server
from tinker_offline.faults.clock import Clock

HOUR = 3600.0
PROMPT = types.ModelInput.from_ints(tokens(TEXT[:8]))
FEW = types.SamplingParams(max_tokens=2, seed=1)


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("clocked"), ["--control"])
    server.start()
    yield server
    server.end()


@pytest.fixture
def control(clocked: Server) -> Iterator[Control]:
    with clocked.control() as side:
        yield side
        side.clear()


@pytest.fixture
def client(clocked: Server, control: Control) -> Iterator[tinker.TrainingClient]:
    with clocked.session() as service:
        yield service.create_lora_training_client(SMALL, rank=4, seed=1).result(60)
        control.clear()  # whatever a failed test left waiting


def tick_when(control: Control, waiting: int) -> None:
    """Once so many operations wait for it."""
    wait_until(lambda: control.cycles()["waiting"] == waiting, f"{waiting} operations to wait for the tick")
    control.tick()


def counted(control: Control) -> tuple[int, int, int]:
    cycles = control.cycles()
    return cycles["ticks"], cycles["busy"], cycles["waiting"]


def test_what_is_sent_together_takes_one_cycle(control: Control, client: tinker.TrainingClient) -> None:
    control.set(cycle=HOUR)
    forward = client.forward_backward(batch(0), "cross_entropy")
    step = client.optim_step(ADAM)
    saved = client.save_weights_for_sampler("behind")
    state = client.save_state("behind")
    measured = client.forward(batch(1), "cross_entropy")
    tick_when(control, waiting=5)
    for future in (forward, step, saved, state, measured):
        future.result(60)
    assert counted(control) == (1, 1, 0)


def test_what_is_waited_for_takes_a_cycle_each(control: Control, client: tinker.TrainingClient) -> None:
    control.set(cycle=HOUR)
    control.tick()
    for ask_for in (
        lambda: client.forward_backward(batch(0), "cross_entropy"),
        lambda: client.optim_step(ADAM),
        lambda: client.save_weights_for_sampler("each"),
    ):
        future = ask_for()
        tick_when(control, waiting=1)
        future.result(60)
    assert counted(control) == (4, 3, 0)


def test_samples_and_training_of_all_models_share_a_tick(
    clocked: Server, control: Control, client: tinker.TrainingClient
) -> None:
    """And a model is created between ticks."""
    sampler = client.save_weights_and_get_sampling_client().result(60)
    control.set(cycle=HOUR)
    with clocked.session() as service:
        other = service.create_lora_training_client(SMALL, rank=4, seed=2).result(60)
        steps = [trainer.forward_backward(batch(0), "cross_entropy") for trainer in (client, other)]
        samples = [sampler.sample(PROMPT, 2, FEW) for _ in range(3)]
        tick_when(control, waiting=5)
        assert all(step.result(60).metrics for step in steps)
        assert len({tuple(sample.result(60).sequences[0].tokens) for sample in samples}) == 1
        assert counted(control) == (1, 1, 0)


def test_a_steps_cycles_do_not_depend_on_how_fast_anything_is(control: Control, client: tinker.TrainingClient) -> None:
    """A real clock, a short cycle: waiting for every answer takes one tick each; sending ahead takes fewer."""
    control.set(cycle=0.05)
    for step in range(3):
        client.forward_backward(batch(step), "cross_entropy").result(60)
        client.optim_step(ADAM).result(60)
    cycles = control.cycles()
    assert cycles["busy"] == 6
    assert cycles["ticks"] >= 6
    control.set(cycle=0.3)
    train(client, range(6))
    assert 1 <= control.cycles()["busy"] < 12


def test_the_clock_changes_when_and_not_what(clocked: Server, control: Control, client: tinker.TrainingClient) -> None:
    train(client, range(3))
    with clocked.session() as service:
        slow = service.create_lora_training_client(SMALL, rank=4, seed=1).result(60)
        control.set(cycle=0.02)
        train(slow, range(3))
        assert logprobs(slow, batch(9)).tobytes() == logprobs(client, batch(9)).tobytes()


def test_operations_of_a_model_are_done_in_the_order_of_their_numbers(clocked: Server, control: Control) -> None:
    with clocked.client() as raw:
        model = create_model(raw)
        control.set(cycle=HOUR)
        second = save_weights(raw, model, 2, "same")
        assert counted(control) == (0, 0, 0)  # the first has not come, so it does not even wait for the tick
        control.tick()
        first = save_weights(raw, model, 1, "same")
        assert save_weights(raw, model, 1, "same") == first
        assert counted(control) == (1, 0, 2)
        control.tick()
        assert "path" in fetch_future(raw, first)
        assert fetch_future(raw, second)["category"] == "user"  # the name was taken


def test_without_a_cycle_nothing_waits_and_nothing_ticks(clocked: Server, control: Control) -> None:
    with clocked.client() as raw, httpx.Client(base_url=clocked.url, headers={"X-API-Key": KEY}) as other:
        model = create_model(raw)
        control.set(cycle=HOUR)
        kept = [save_weights(raw, model, number, f"kept-{number}") for number in (1, 2)]
        control.set(cycle=2 * HOUR)  # another clock: what waits goes on waiting
        assert counted(control) == (0, 0, 2)
        control.clear()
        assert all("path" in fetch_future(raw, request) for request in kept)
        assert counted(control) == (0, 0, 0)
        refused = other.post("/offline/tick")
        assert (refused.status_code, "no cycle" in refused.text) == (422, True)


def test_a_session_that_ends_before_the_tick_gets_nothing_done(clocked: Server, control: Control) -> None:
    with clocked.client() as raw:
        model = create_model(raw)
        session = model.partition(":")[0]
        control.set(cycle=HOUR)
        late = save_weights(raw, model, 1, "late")
        post(raw, f"/sessions/{session}/finish", reason={"type": "interrupted"})
        control.tick()
        assert "finished" in fetch_future(raw, late)["error"]


class Time:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleepers.append((self.seconds + seconds, event))
        await event.wait()

    async def go_on(self, seconds: float) -> None:
        """Until all who wake up have gone to sleep again."""
        self.seconds += seconds
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self.seconds]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper not in due]
        for _, event in due:
            event.set()
        for _ in range(5):
            await asyncio.sleep(0)


def under_a_clock(play: Callable[[Clock, Time, list[str]], Awaitable[None]]) -> None:
    async def run() -> None:
        time = Time()
        clock = Clock(time.now, time.sleep)
        clock.set(10)
        await time.go_on(0)
        await play(clock, time, [])
        clock.set(None)

    asyncio.run(run())


def test_the_clock_ticks_on_its_grid_and_begins_what_has_come() -> None:
    async def play(clock: Clock, time: Time, begun: list[str]) -> None:
        for name in ("a", "b"):
            clock.take(lambda name=name: begun.append(name))  # type: ignore[misc]
        await time.go_on(9.9)
        assert (begun, clock.ticks, clock.waiting) == ([], 0, 2)
        await time.go_on(0.2)
        clock.take(lambda: begun.append("too late"))
        assert (begun, clock.ticks, clock.busy, clock.waiting) == (["a", "b"], 1, 1, 1)
        await time.go_on(9.8)
        assert clock.waiting == 1
        await time.go_on(0.1)
        assert (begun, clock.ticks, clock.busy) == (["a", "b", "too late"], 2, 2)

    under_a_clock(play)


def test_a_late_event_loop_misses_ticks_and_not_the_grid() -> None:
    async def play(clock: Clock, time: Time, begun: list[str]) -> None:
        clock.take(lambda: begun.append("a"))
        await time.go_on(37)
        assert (begun, clock.ticks, clock.busy) == (["a"], 3, 1)
        await time.go_on(3)
        assert (clock.ticks, clock.busy) == (4, 1)

    under_a_clock(play)


def test_work_begun_in_a_tick_that_asks_for_more_gets_it_in_the_next() -> None:
    async def play(clock: Clock, time: Time, begun: list[str]) -> None:
        clock.take(lambda: clock.take(lambda: begun.append("more")))
        await time.go_on(10)
        assert (begun, clock.waiting) == ([], 1)
        clock.set(None)
        assert begun == ["more"]
        clock.take(lambda: begun.append("at once"))
        await time.go_on(100)
        assert (begun, clock.ticks) == (["more", "at once"], 0)

    under_a_clock(play)

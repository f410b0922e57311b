"""Each private part of the SDK that we replace exists, and reports what it should."""

import asyncio
import inspect
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tinker
from tinker._base_client import AsyncAPIClient
from tinker._client import AsyncTinker
from tinker.lib import internal_client_holder
from tinker.lib.queue_state_logger import QueueStateLogger

from scheduler.engine.retry import Fault
from tests.support import wait_until
from tests.tinker_offline.process import KEY, Control, Server
from worker.open_model import ALL_LAYERS
from worker.sdk import hooks
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.futures import PendingAnswer
from worker.sdk.hooks import CORNERS, Signal
from worker.sdk.sampler import SamplingSettings
from worker.sdk.session import AdamStep, Session, Trainer

ADAM = AdamStep(learning_rate=0.01, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0, grad_clip_norm=1)
SOON = 5.0  # seconds, on a machine that is busy; the SDK by itself takes minutes
NO_SLOT = (Signal.RATE_LIMITED, "fault: too many training clients")

SIGNATURES = {
    "QueueStateLogger": ["identifier", "message_prefix"],
    "on_queue_state_change": ["self", "queue_state", "queue_state_reason"],
    "_send_asample_request": [
        *("self", "request_id", "num_samples", "prompt", "sampling_params", "include_prompt_logprobs"),
        *("topk_prompt_logprobs", "topk_sample_logprobs", "target_prompt_logprobs", "prompt_alt_tokens_k"),
        "prompt_logprobs_last_n",
    ],
    "_should_pause_on_billing": ["self", "status_code", "detail"],
    "_is_retryable_exception": ["exception"],
    "_default_pyqwest_transport": [],
    "AsyncHttpxClientWrapper": ["kwargs"],
    "_should_retry": ["self", "response"],
    "_sleep_for_retry": ["self", "retries_taken", "max_retries", "options", "response"],
    "_fetch_via_rest": ["self", "state", "iteration"],
}


class Eyes:
    """Everything that one session lets be seen."""

    def __init__(self) -> None:
        self.signs: list[tuple[Signal, str]] = []

    def __call__(self, sign: Signal, reason: str) -> None:
        self.signs.append((sign, reason))

    def wait_for(self, sign: tuple[Signal, str], *, seconds: float = SOON) -> None:
        wait_until(lambda: sign in self.signs, f"{sign}, not {set(self.signs)}", seconds=seconds)


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def opened(moody: Server, control: Control) -> Iterator[Callable[[Eyes], Session]]:  # noqa: ARG001 - ended after us
    """Sessions that are over with the test."""
    sessions: list[Session] = []

    def session(eyes: Eyes) -> Session:
        sessions.append(Session(lambda: Endpoint(base_url=moody.url, api_key=KEY), {}, on_signal=eyes))
        return sessions[-1]

    yield session
    for client_session in sessions:
        client_session.close("errored")


def create(session: Session) -> PendingAnswer[Trainer]:
    return session.create("offline/ngram-s", rank=4, seed=0, layers=ALL_LAYERS)


def wait(pending: PendingAnswer[Any]) -> Any:
    return pending.wait(lambda: None)


@pytest.mark.parametrize(("owner", "name"), [corner[:2] for corner in CORNERS], ids=lambda part: str(part)[-40:])
def test_every_corner_is_there_as_we_know_it(owner: Any, name: str) -> None:
    """A new SDK fails here first: look at what it does there now."""
    original = QueueStateLogger if name == "QueueStateLogger" else getattr(owner, name)
    assert list(inspect.signature(original).parameters) == SIGNATURES[name]
    assert inspect.unwrap(original) is not original or name == "QueueStateLogger", "it is ours that stands there"


def test_a_corner_that_is_not_there_is_named_with_the_version() -> None:
    with pytest.raises(ImportError, match=rf"^tinker {tinker.__version__} has no .*AsyncAPIClient._gone, "):
        hooks._find_corner(AsyncAPIClient, "_gone")


def test_to_install_them_again_changes_nothing() -> None:
    before = [getattr(owner, name) for owner, name, _ in CORNERS]
    hooks.install()
    assert [getattr(owner, name) for owner, name, _ in CORNERS] == before


def test_two_sessions_see_their_own_each(opened: Callable[[Eyes], Session], control: Control) -> None:
    """One waits for room to be created in, and hears of it; the other takes steps meanwhile, and hears of nothing."""
    busy, waiting = Eyes(), Eyes()
    trainer = wait(create(opened(busy)))
    control.set(max_clients=1)
    first = create(opened(waiting))
    stepping = threading.Thread(target=lambda: [wait(trainer.step(ADAM)) for _ in range(5)])
    stepping.start()
    waiting.wait_for(NO_SLOT)
    stepping.join()
    assert {sign for sign, _ in busy.signs} == {Signal.ACTIVE}
    assert set(waiting.signs) == {NO_SLOT}
    assert not first._future.done()


def test_a_creation_that_was_abandoned_takes_no_slot_when_there_is_one(
    opened: Callable[[Eyes], Session], control: Control, eyes: Eyes
) -> None:
    first, second = opened(Eyes()), opened(eyes)
    wait(create(first))
    control.set(max_clients=1)
    create(second)
    eyes.wait_for(NO_SLOT)
    second.close("interrupted")
    first.close("success")
    assert wait(create(opened(Eyes()))).run_id


def test_a_pause_of_what_trains_is_seen_and_its_end(
    opened: Callable[[Eyes], Session], control: Control, eyes: Eyes
) -> None:
    trainer = wait(create(opened(eyes)))
    control.set(pause={"for": 1.5})
    wait(trainer.step(ADAM))
    assert (Signal.NO_CAPACITY, "fault: no capacity") in eyes.signs
    assert eyes.signs[-1][0] is Signal.ACTIVE


@pytest.mark.parametrize("on", ["optim_step", "retrieve_future"])
def test_a_bill_that_is_not_paid_surfaces_at_once(
    opened: Callable[[Eyes], Session], control: Control, eyes: Eyes, on: str
) -> None:
    trainer = wait(create(opened(eyes)))
    control.set(rules=[{"on": on, "answer": {"status": 402}}])
    began = time.monotonic()
    with pytest.raises(ServiceError) as raised:
        wait(trainer.step(ADAM))
    assert (raised.value.fault, time.monotonic() - began < SOON) == (Fault.ACCOUNT, True)


@pytest.mark.parametrize(
    ("on", "status"),
    [
        ("create_session", 503),  # each of the SDK's loops, with what it repeats
        ("create_model", 429),
        ("optim_step", 503),
        ("save_weights", 429),
        ("retrieve_future", 429),
        ("retrieve_future", 503),
    ],
)
def test_what_the_sdk_tries_again_is_seen_at_once(
    opened: Callable[[Eyes], Session], control: Control, eyes: Eyes, on: str, status: int
) -> None:
    session = opened(eyes)
    trainer = None if on.startswith("create") else wait(create(session))
    control.set(rules=[{"on": on, "answer": {"status": status}, "times": 1}])
    if trainer is None:
        create(session)
    elif on == "save_weights":
        trainer.save("a", ttl_seconds=None, metadata={})
    else:
        trainer.step(ADAM)
    eyes.wait_for((Signal.TROUBLE, f"{status} at {on}"))


MANNER = SamplingSettings(2, (), 1.0)


def test_a_sample_that_is_held_back_is_seen(opened: Callable[[Eyes], Session], control: Control, eyes: Eyes) -> None:
    """However long that takes, it is no stall: the service is there."""
    sampler = wait(wait(create(opened(eyes))).create_sampler())
    control.set(rules=[{"on": "asample", "answer": {"status": 429}, "times": 1}])
    asked = sampler.write([70, 71], 1, MANNER, seed=1)
    eyes.wait_for((Signal.RATE_LIMITED, "429 at asample"))
    assert len(wait(asked).written) == 1


@pytest.mark.parametrize("kept", [False, True])
def test_what_was_sampled_and_is_lost_is_not_sampled_again_behind_our_back(
    opened: Callable[[Eyes], Session], control: Control, eyes: Eyes, kept: bool
) -> None:
    """The SDK would send it again under another number: billed twice, booked once."""
    trainer = wait(create(opened(eyes)))
    sampler = wait(
        trainer.open_sampler(wait(trainer.save_for_sampling("a", ttl_seconds=None)))
        if kept
        else trainer.create_sampler()
    )
    control.set(rules=[{"on": "retrieve_future", "answer": {"status": 410}, "times": 1}])
    with pytest.raises(ServiceError) as raised:
        wait(sampler.write([70, 71], 1, MANNER, seed=1))
    assert raised.value.fault is Fault.BROKEN
    assert control.usage()[trainer.session_id]["operations"]["sample"] == 1


def test_that_nobody_is_there_is_seen(eyes: Eyes) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        session = Session(lambda: Endpoint(base_url=url, api_key=KEY), {}, on_signal=eyes)
        create(session)
        eyes.wait_for((Signal.TROUBLE, "no answer at config"))
        session.close("errored")


def test_an_outage_is_polled_ever_more_rarely_and_not_at_all_once_nobody_waits(
    opened: Callable[[Eyes], Session], control: Control, eyes: Eyes
) -> None:
    """The SDK alone asks 900 times a second, and goes on asking when the attempt is long over."""
    session = opened(eyes)
    trainer = wait(create(session))
    control.set(rules=[{"on": "retrieve_future", "answer": {"status": 503}}])
    began, others = time.monotonic(), polling()  # those that other tests of this process have left behind
    trainer.step(ADAM)
    wait_until(lambda: control.hits()[0] >= 5, "five polls")
    assert time.monotonic() - began > 1.4  # 0.1 + 0.2 + 0.4 + 0.8
    assert polling() - others
    session.close("interrupted")
    wait_until(lambda: not polling() - others, "an end of it", seconds=SOON)


def polling() -> "set[asyncio.Task[Any]]":
    """What the SDK waits for at this moment."""
    loop = internal_client_holder._internal_client_holder_thread_singleton.get_loop()
    tasks = asyncio.all_tasks(loop)
    return {task for task in tasks if getattr(task.get_coro(), "__qualname__", "") == "_APIFuture._result_async"}


@pytest.mark.parametrize(
    ("url", "trusted"), [("http://127.0.0.1:1", False), ("http://localhost:1", False), ("https://tinker.example", True)]
)
def test_the_environment_is_asked_for_a_proxy_for_the_service_alone(url: str, trusted: bool) -> None:
    hooks.install()
    assert AsyncTinker(base_url=url, api_key=KEY)._client.trust_env is trusted

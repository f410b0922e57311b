"""Every answer of the service is checked once: a malformed one ends the stage at once and says what was wrong."""

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.responses import JSONResponse, Response

from scheduler.artefacts import decode_rows
from scheduler.engine.retry import Fault
from scheduler.state import keys
from sweeps.stage import Stage
from tests.tinker_offline.process import KEY, Server
from tests.worker.odd_service import NO_ROUTE, Odd
from tests.worker.specs import submit_rl
from tests.worker.workshop import SPEC, Workshop
from worker.maintenance.probes import FIRST, LENGTH
from worker.open_model import ALL_LAYERS
from worker.outcome import Failed, Succeeded
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.responses import read_prompt
from worker.sdk.sampler import SamplingSettings
from worker.sdk.session import Session, Trainer
from worker.training.loss_from_logprobs import make_policy_loss

PROMPT = [70, 71, 72, 73]
MANNER = SamplingSettings(most=4, stop=(), temperature=1.0, vocabulary=99)


def floats(*values: float) -> bytes:
    return np.array(values, np.float32).tobytes()


@pytest.fixture
def trainer(strange: tuple[Server, Odd], odd: Odd) -> Iterator[Trainer]:  # noqa: ARG001 - ended after us
    session = Session(lambda: Endpoint(strange[0].url, KEY), {})
    yield wait(session.create("offline/ngram-s", rank=4, seed=0, layers=ALL_LAYERS))
    session.close("success")


def wait(pending: Any) -> Any:
    return pending.wait(lambda: None)


def refused(act: Callable[[], Any]) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        act()
    return raised.value


def field(message: Any) -> Any:
    """The log-probabilities of a pass."""
    return message.loss_fn_outputs[0].fields["logprobs"]


def renamed(message: Any) -> None:
    message.loss_fn_outputs[0].fields["elementwise"].CopyFrom(field(message))
    del message.loss_fn_outputs[0].fields["logprobs"]


def shortened(message: Any) -> None:
    field(message).data, field(message).offsets = field(message).data[:-4], np.array([0, 4 * (LENGTH - 1)]).tobytes()


def doubled(message: Any) -> None:
    field(message).offsets = np.array([0, 4, 4 * LENGTH]).tobytes()
    message.loss_fn_outputs[0].num_datums = 2


def with_values(value: float) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        field(message).data = floats(*[value] * LENGTH)

    return change


def emptied(message: Any) -> None:
    del message.loss_fn_outputs[:]


def contradicted(message: Any) -> None:
    """By log-probabilities that are numbers."""
    message.metrics["loss:sum"] = np.nan


def of_no_kind(message: Any) -> None:
    field(message).dtype = 77


def badly_named(message: Any) -> None:
    message.metrics["loss"] = 1.0


PASSES = {
    "no outputs": (emptied, "1", "0"),
    "two for one": (doubled, "1", "2"),
    "another field": (renamed, "`logprobs`", "elementwise"),
    "one short": (shortened, str(LENGTH), str(LENGTH - 1)),
    "not a number, with a loss": (with_values(np.nan), "finite", "nan"),
    "a loss that is no number, of those that are": (contradicted, "finite `loss:sum`", "nan"),
    "an unknown kind of number": (of_no_kind, "protocol", "77"),
    "losses in their place": (with_values(2.5), "log-probabilities", "2.5"),
    "a metric without its reduction": (badly_named, "loss:sum", ""),
    "bytes of something else": (lambda _: b"\xff\xff", "protocol", "bytes"),
    "JSON": (lambda _: JSONResponse({"metrics": {}}), "protobuf", "JSON"),
}


@pytest.mark.parametrize("on", ["forward_backward", "forward"])
@pytest.mark.parametrize("kind", PASSES)
def test_a_pass_whose_answer_is_none_says_what_was_expected_and_what_came(
    trainer: Trainer, odd: Odd, kind: str, on: str
) -> None:
    change, expected, got = PASSES[kind]
    odd.changes = dict.fromkeys(("ForwardBackward", "Forward"), change)
    error = refused(lambda: wait(getattr(trainer, on)(FIRST)))
    assert error.fault is Fault.MALFORMED
    assert str(error).startswith(on)
    before, _, behind = str(error).partition("got ")
    assert expected in before
    assert got in behind


def first_of(change: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda message: change(message.sequences[0])


def one_less(message: Any) -> None:
    del message.sequences[-1]


def longer(sequence: Any) -> None:
    sequence.tokens, sequence.logprobs = np.arange(5, dtype=np.int32).tobytes(), floats(*[-1.0] * 5)


def no_logprobs(sequence: Any) -> None:
    sequence.ClearField("logprobs")


def fewer_logprobs(sequence: Any) -> None:
    sequence.logprobs = sequence.logprobs[:-4]


def infinite(sequence: Any) -> None:
    sequence.logprobs = floats(*[-np.inf] * (len(sequence.tokens) // 4))


def negative(sequence: Any) -> None:
    sequence.tokens = np.array([-1] * (len(sequence.tokens) // 4), np.int32).tobytes()


def beyond(sequence: Any) -> None:
    sequence.tokens = np.array([2**31 - 1] * (len(sequence.tokens) // 4), np.int32).tobytes()


def unknown_reason(sequence: Any) -> None:
    sequence.stop_reason = 7


def halved(sequence: Any) -> None:
    sequence.tokens = sequence.tokens[:-1]


def far_too_many_hits(message: Any) -> None:
    message.prompt_cache_hit_tokens = len(PROMPT) + 1


WRITTEN = {
    "a sequence less": (one_less, "2 sequences", "1"),
    "longer than asked": (first_of(longer), "4 tokens", "5"),
    "no log-probabilities": (first_of(no_logprobs), "log-probabilities", "0"),
    "one log-probability less": (first_of(fewer_logprobs), "4 log-probabilities", "3"),
    "infinite": (first_of(infinite), "finite", "-inf"),
    "no tokens of any vocabulary": (first_of(negative), "tokens", "-1"),
    "of another vocabulary": (first_of(beyond), "99", "2147483647"),
    "stopped for no known reason": (first_of(unknown_reason), "stop or length", ""),
    "more in the cache than was asked": (far_too_many_hits, "0 to 4", "5"),
    "half a number": (
        lambda message: message.sequences[0].MergeFromString(b"\x12\x01\x00") and None,
        "protocol",
        "bytes",
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_was_written_is_as_much_as_was_asked_for(trainer: Trainer, odd: Odd, kind: str) -> None:
    change, expected, got = WRITTEN[kind]
    sampler = wait(trainer.create_sampler())
    odd.changes = {"Sample": change}
    error = refused(lambda: wait(sampler.write(PROMPT, 2, MANNER, seed=1)))
    assert error.fault is Fault.MALFORMED
    assert str(error).startswith("sample")
    assert expected in str(error).partition("got ")[0]
    assert got in str(error).partition("got ")[2]


def test_an_answer_without_a_token_is_one(trainer: Trainer, odd: Odd) -> None:
    def nothing(sequence: Any) -> None:
        sequence.tokens, sequence.logprobs, sequence.stop_reason = b"", b"", 0

    sampler = wait(trainer.create_sampler())
    odd.changes = {"Sample": first_of(nothing)}
    assert [len(sequence.tokens) for sequence in wait(sampler.write(PROMPT, 2, MANNER, seed=1)).written] == [0, 4]


def prompt_of(*values: float) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        message.prompt_logprobs = floats(*values)

    return change


NONE = np.nan


@pytest.mark.parametrize(
    ("values", "got"),
    [
        ([], "got 0"),
        ([NONE, -1.0, -2.0], "got 3"),
        ([-1.0, -2.0], "got 2"),
        ([NONE, -1.0, -2.0, -3.0, -4.0], "got 5"),
        ([-1.0, -2.0, -3.0, -4.0], "got -1 "),
        ([NONE, -1.0, NONE, -3.0], "got nan"),
        ([NONE, -1.0, -np.inf, -3.0], "got -inf"),
        ([NONE, 0.4, 0.3, 0.2], "got 0.4"),
    ],
)
def test_log_probabilities_of_a_prompt_that_are_not_told_once(
    trainer: Trainer, odd: Odd, values: list[float], got: str
) -> None:
    sampler = wait(trainer.create_sampler())
    odd.changes = {"Sample": prompt_of(*values)}
    error = refused(lambda: wait(sampler.read(PROMPT)))
    assert (error.fault, got in str(error)) == (Fault.MALFORMED, True), str(error)


@pytest.mark.parametrize("values", [[NONE, -1.0, -2.0, -3.0], [0.0, -1.0, -2.0, -3.0], [-1.0, -2.0, -3.0]])
def test_that_nothing_comes_before_the_first_token_is_said_in_three_ways(
    trainer: Trainer, odd: Odd, values: list[float]
) -> None:
    sampler = wait(trainer.create_sampler())
    odd.changes = {"Sample": prompt_of(*values)}
    assert wait(sampler.read(PROMPT)).logprobs.tolist() == [-1.0, -2.0, -3.0]


@pytest.mark.parametrize("values", [[[NONE, -1.0], [-2.0, -3.0]], NONE, ["a", "b", "c", "d"]])
def test_what_is_no_row_of_numbers_is_no_error_of_numpys(values: Any) -> None:
    answer = SimpleNamespace(prompt_logprobs_np=values)
    assert refused(lambda: read_prompt("sample", answer, 4)).fault is Fault.MALFORMED


def there(trainer: Trainer, odd: Odd, *answers: tuple[int, Any]) -> list[Fault]:
    """What a sampler's refusal, in words of its own, is taken for where the service answers so when it is asked."""
    sampler, faults = wait(trainer.create_sampler()), []
    for status, body in answers:
        odd.forget()
        odd.refuse("POST asample", 400, {"error": "stale handle"})
        if status != 200:
            odd.refuse("GET samplers/*", status, body)
        faults.append(refused(lambda: wait(sampler.write(PROMPT, 1, MANNER, seed=1))).fault)
    return faults


def test_a_refusal_is_of_the_request_where_the_sampler_is_there(trainer: Trainer, odd: Odd) -> None:
    answers = [(200, {}), NO_ROUTE, (404, {"error": "stale"}), (400, {"error": "stale"}), (503, {}), (401, {})]
    expected = [Fault.STAGE, Fault.STAGE, *[Fault.GONE] * 3, Fault.STAGE]
    assert there(trainer, odd, *answers) == expected


@pytest.mark.parametrize("path", ["", "weights/a", "tinker://", "tinker://run/a", "tinker://run/weights/"])
def test_a_path_that_leads_nowhere_is_not_recorded(trainer: Trainer, odd: Odd, path: str) -> None:
    odd.changes = dict.fromkeys(("SaveWeights", "SaveWeightsForSampler"), lambda answer: answer.update(path=path))
    for save in (trainer.save("a", ttl_seconds=None, metadata={}), trainer.save_for_sampling("b", ttl_seconds=None)):
        assert refused(partial(wait, save)).fault is Fault.MALFORMED


NOT_DUE = {
    "an error": ({"error": "the queue is full"}, Fault.GONE, "the queue is full"),
    "a page": ("<html>log in</html>", Fault.BROKEN, "<html>log in</html>"),
    "nothing": ("", Fault.BROKEN, "nothing"),
}


@pytest.mark.parametrize("request_", ["create_session", "create_model", "forward_backward"])
@pytest.mark.parametrize("kind", NOT_DUE)
def test_an_answer_that_is_not_due_is_told_with_its_call(
    trainer: Trainer, strange: tuple[Server, Odd], odd: Odd, request_: str, kind: str
) -> None:
    body, fault, got = NOT_DUE[kind]
    odd.refuse(f"POST {request_}", 200, body)
    session = Session(lambda: Endpoint(strange[0].url, KEY), {})
    opened = session.create("offline/ngram-s", rank=4, seed=0, layers=ALL_LAYERS)
    error = refused(lambda: wait(trainer.forward_backward(FIRST) if request_ == "forward_backward" else opened))
    odd.forget()
    session.close("success").result(20)
    assert error.fault is fault
    assert str(error).startswith(request_)
    assert got in str(error)


PAGE = Response("<html>we will be back soon</html>", media_type="text/html")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [(PAGE, Fault.BROKEN), (JSONResponse([1]), Fault.BROKEN), (JSONResponse({"status": "maintenance"}), Fault.GONE)],
    ids=["a page", "a list", "something else"],
)
def test_what_stands_between_us_and_the_service_fails_no_stage_at_once(
    trainer: Trainer, odd: Odd, answer: Response, fault: Fault
) -> None:
    odd.changes = {"SaveWeights": lambda _: answer}
    error = refused(lambda: wait(trainer.save("a", ttl_seconds=None, metadata={})))
    assert error.fault is fault
    assert "validation error" not in str(error), "pydantic's words are not ours"


# What a service answers as a whole, to a whole stage.


SHORT = SPEC.replace("steps: 20", "steps: 8")


def training(workshop: Workshop, spec: str = SHORT) -> Stage:
    return next(stage for stage in workshop.submit(spec + "reuse: never\n").plan.stages if stage.kind == "train")


def row(workshop: Workshop, stage: Stage) -> dict[str, str]:
    return workshop.store.client.hgetall(keys.stage(stage.id))


def without_loss(message: Any) -> None:
    message.metrics.clear()


def test_a_loss_that_the_service_does_not_return_is_computed(among_odds: Workshop, odd: Odd) -> None:
    """The same curve, to the rounding of a sum."""
    returned, untold = (
        training(among_odds, SHORT.replace("sweep: one", f"sweep: {name}")) for name in ("told", "untold")
    )
    assert isinstance(among_odds.attempt(returned, "told"), Succeeded)
    odd.changes = dict.fromkeys(("ForwardBackward", "Forward"), without_loss)
    assert isinstance(among_odds.attempt(untold, "untold"), Succeeded)
    curves: list[list[Any]] = [list(decode_rows(among_odds.metrics(stage))) for stage in (returned, untold)]
    ours, theirs = ([row["train_mean_nll"] for row in curve] for curve in curves)
    assert len(ours) == 8
    assert ours == pytest.approx(theirs, rel=1e-5)


def without_loss_or_number(message: Any) -> None:
    message.metrics.clear()
    field(message).data = np.full(len(field(message).data) // 4, np.nan, np.float32).tobytes()


@pytest.mark.parametrize(
    ("good", "fault", "cause"),
    [(0, Fault.MALFORMED, "step 0: "), (1, Fault.STAGE, "diverged: ")],
    ids=["first", "later"],
)
def test_log_probabilities_that_are_no_numbers_mean_divergence_only_after_a_step(
    among_odds: Workshop, odd: Odd, good: int, fault: Fault, cause: str
) -> None:
    passes = iter(range(100))

    def spoil(message: Any) -> None:
        if next(passes) >= good:
            without_loss_or_number(message)

    stage = training(among_odds)
    odd.changes = {"ForwardBackward": spoil}
    outcome = among_odds.attempt(stage)
    assert isinstance(outcome, Failed)
    assert outcome.fault is fault
    assert outcome.cause.startswith(cause)
    assert row(among_odds, stage)["state"] == "failed"


LOSSES = {
    "importance_sampling": "",
    "ppo": ", loss: ppo, substeps: 2",
    "cispo": ", loss: cispo",
    "dro": ", loss: dro, loss_config: {beta: 0.001}",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_so_is_that_of_what_a_model_did_itself(among_odds: Workshop, odd: Odd, loss: str) -> None:
    """The loss computed from the log-probabilities is the one that the service would have returned."""
    losses: list[float] = []

    def keep_the_loss(message: Any) -> None:
        losses.append(message.metrics["loss:sum"])
        message.metrics.clear()

    odd.changes = {"ForwardBackward": keep_the_loss}
    stage = submit_rl(among_odds, train=LOSSES[loss], steps=2).stages[0]
    assert isinstance(among_odds.attempt(stage), Succeeded)
    rows: list[Any] = [row for row in decode_rows(among_odds.metrics(stage)) if "loss" in row]
    parts = len(losses) // len(rows)
    assert [row["loss"] for row in rows] == pytest.approx(
        [sum(losses[start : start + parts]) for start in range(0, len(losses), parts)], rel=1e-4, abs=1e-4
    )


def test_a_broken_answer_is_paid_for_once(among_odds: Workshop, odd: Odd) -> None:
    stage = training(among_odds)
    odd.changes = {"ForwardBackward": shortened_last}
    outcome = among_odds.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, row(among_odds, stage)["state"]) == (Fault.MALFORMED, "failed")
    assert row(among_odds, stage)["attempt"] == "1"
    assert outcome.cause.startswith("forward_backward, datum 8 of 8: expected ")


def shortened_last(message: Any) -> None:
    offsets = np.frombuffer(field(message).offsets, np.int64).copy()
    offsets[-1] -= 4
    field(message).offsets = offsets.tobytes()


def test_each_loss_is_computed_by_its_formula() -> None:
    """By hand, for two sampled tokens after one of the prompt."""
    now, then = np.array([-9.0, -1.0, -2.0], np.float32), np.array([0.0, -1.5, -1.5], np.float32)
    advantages = np.array([0.0, 2.0, -1.0], np.float32)
    up, down = np.exp(0.5), np.exp(-0.5)
    expected = {
        "importance_sampling": -(2 * up - down),
        "ppo": -(2 * 1.2 - 0.8),
        "cispo": -(up * -1.0 * 2 + down * -2.0 * -1),
        "dro": 0.05 * (81 + 0.25 + 0.25) - (2 * -1.0 + -1 * -2.0),
    }
    for name, value in expected.items():
        config = {"beta": 0.1} if name == "dro" else {}
        assert make_policy_loss(name, config, [then], [advantages])([now]) == pytest.approx(value, rel=1e-6), name
    assert make_policy_loss("gspo", {}, [then], [advantages])([now]) is None

"""A refusal of a lost model or session is retried once from the checkpoint, then judged."""

from typing import Any

import httpx
import numpy as np
import pytest
import tinker

from scheduler.engine.retry import Fault
from scheduler.state import keys
from sweeps.stage import Stage
from tests.worker.odd_service import NO_ROUTE, Odd
from tests.worker.workshop import SPEC, Workshop
from worker.held_lease import EndRequest, LeaseLost
from worker.maintenance.canary import try_service
from worker.outcome import Failed, Stopped, Succeeded
from worker.sdk.failures import translate

REQUEST = httpx.Request("POST", "http://tinker/api/v1/forward_backward")
KINDS = {400: tinker.BadRequestError, 403: tinker.PermissionDeniedError, 409: tinker.ConflictError}
KINDS |= {404: tinker.NotFoundError, 410: tinker.APIStatusError, 422: tinker.UnprocessableEntityError}
KINDS |= dict.fromkeys((302, 405, 418, 451), tinker.APIStatusError)

DEAD = [
    (400, "Model not loaded"),
    (400, "model 1f2e:train:0 is not loaded"),
    (400, "unknown model_id '1f2e:train:0'"),
    (400, "no such session"),
    (400, "Session 1f2e has expired"),
    (400, "sampling session s:sample:3 was not found"),
    (400, "training client has been evicted"),
    (400, "Could not find model abc"),
    (400, "the adapter was unloaded to make room"),
    (422, "model_id does not exist"),
    (409, "session is already closed"),
    (403, "session 7 no longer exists"),
    (400, "request_id 12 is unknown"),
    (400, "checkpoint tinker://r/weights/a not found"),
    (400, "unrecognized model_id"),
    (400, "model has not been created; call create_model first"),
    (400, "Model a:train:0 is not available anymore"),
    (400, "model a is not in memory"),
    (400, "session has been released"),
    (400, "Session timed out due to inactivity"),
]
WRONG = [
    (400, "learning_rate must be positive"),
    (400, "invalid request: missing field target_tokens"),
    (400, "base model Qwen/Qwen9 not found"),
    (400, "the model does not support a context of 99999 tokens"),
    (422, "model_input: field required"),
    (400, "unknown loss function 'dpo'"),
    (400, "rank is 3; a power of two up to 256 is possible"),
    (400, "prompt is longer than the model can read"),
    (400, "invalid model_input: 3 tokens"),
    (400, "invalid lora rank 3"),
    (400, "no checkpoint name was given"),
    (400, "there is no loss function of that kind"),
    (400, "Invalid rank for model Qwen/Qwen3-8B"),
    (400, "model max_tokens is missing"),
    (400, "Invalid optimizer for session s1"),
    (422, "field 'targets' of request for model is missing"),
    (400, "model learning rate is invalid"),
    (400, "Invalid value: model must be a string"),
]


def status_error(status: int, body: Any) -> Exception:
    message = f"Error code: {status} - {body}"
    return KINDS[status](message, response=httpx.Response(status, request=REQUEST), body=body)


@pytest.mark.parametrize(("status", "words"), DEAD)
def test_it_is_told_by_its_words_whatever_its_status(status: int, words: str) -> None:
    error = translate(status_error(status, {"error": words}))
    expected = Fault.BROKEN if status == 409 else Fault.GONE  # which a 409 is in any case
    assert (error.fault, error.missing) == (expected, True)
    hidden = ValueError("Error retrieving result")
    hidden.__cause__ = status_error(status, {"detail": words})
    assert translate(hidden).missing


@pytest.mark.parametrize(("status", "words"), WRONG)
def test_a_request_that_is_wrong_is_refused_in_other_words(status: int, words: str) -> None:
    error = translate(status_error(status, {"error": words}))
    assert (error.fault, error.missing) == (Fault.STAGE, False)


def test_so_is_a_request_that_failed_by_the_users_fault() -> None:
    category = tinker.types.RequestErrorCategory("user")
    faults = {"model not loaded": Fault.GONE, "target_tokens must be below 4096": Fault.STAGE}
    for text, fault in faults.items():
        error = tinker.RequestFailedError(f"Request failed: {text}", request_id="r", category=category)
        assert translate(error).fault is fault


@pytest.mark.parametrize(
    ("status", "body", "lacking"),
    [
        (404, {"detail": "Not Found"}, True),
        (404, "404 page not found", False),
        (404, "Not Found", True),
        (404, "<html><title>404</title></html>", True),
        (404, {"error": "model x is not there"}, False),
        (404, None, False),
        (405, {"detail": "Method Not Allowed"}, True),
    ],
)
def test_that_there_is_no_such_call_is_told_from_that_there_is_no_such_thing(
    status: int, body: Any, lacking: bool
) -> None:
    error = translate(status_error(status, body))
    assert error.lacking is lacking
    assert (error.fault is Fault.GONE) is lacking


@pytest.mark.parametrize(("status", "fault"), [(302, Fault.BROKEN), (418, Fault.STAGE), (451, Fault.STAGE)])
def test_a_status_that_is_rare_is_sorted_by_its_class(status: int, fault: Fault) -> None:
    assert translate(status_error(status, {"error": "no"})).fault is fault


def test_a_name_that_is_taken_is_no_outage() -> None:
    assert translate(status_error(409, {"error": "checkpoint step-000006 already exists"})).fault is Fault.GONE
    assert translate(status_error(409, None)).fault is Fault.BROKEN


# What becomes of a stage.

LOST = (400, {"error": "model not loaded"})


ASKING = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.02, batch_size: 8, steps: 2}
data: {facts: {source: "offline:facts", holdout: 4}}
seeds: 1
evaluate: [{answers: {most: 4}}]
reuse: sweep
"""


def training(workshop: Workshop, name: str = "one") -> Stage:
    spec = SPEC.replace("sweep: one", f"sweep: {name}").replace("steps: 20", "steps: 14") + "reuse: sweep\n"
    return next(stage for stage in workshop.submit(spec).plan.stages if stage.kind == "train")


def charged(workshop: Workshop, stage: Stage) -> dict[str, int]:
    return dict(workshop.store.read_assignment(stage.id).failures)


def again(workshop: Workshop, stage: Stage) -> Any:
    workshop.store.client.hset(keys.stage(stage.id), "not_before", 0)
    return workshop.attempt(stage)


def lose(odd: Odd, request: str, *, behind: int, times: int = 1) -> None:
    """After this many passes, refuse a request like a server that lost the model."""

    def count(_: object) -> None:
        if odd.count("POST forward_backward") >= behind:
            odd.changes.clear()
            odd.refuse(request, *LOST, times)

    odd.changes = {"ForwardBackward": count}


@pytest.mark.parametrize("on", ["optim_step", "retrieve_future"])
def test_it_goes_on_from_the_checkpoint_to_the_same_bits(among_odds: Workshop, odd: Odd, on: str) -> None:
    whole, stage = training(among_odds, "whole"), training(among_odds)
    assert isinstance(among_odds.attempt(whole, "whole"), Succeeded)
    odd.forget()
    lose(odd, f"POST {on}", behind=9, times=40 if on == "retrieve_future" else 1)  # the SDK polls three times more
    outcome = among_odds.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, charged(among_odds, stage)) == (Fault.GONE, {Fault.GONE: 1})
    odd.forget()
    done = again(among_odds, stage)
    assert isinstance(done, Succeeded)
    assert done.result["resumed_at"] == 6
    assert odd.count("POST create_session") == 1, "in a session of its own"
    ours, theirs = among_odds.weights(stage), among_odds.weights(whole)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_without_a_checkpoint_it_starts_over_once_and_then_has_failed(among_odds: Workshop, odd: Odd) -> None:
    stage = training(among_odds)
    odd.refuse("POST save_weights", *LOST)  # which no canary asks for
    outcomes = [among_odds.attempt(stage), again(among_odds, stage)]
    assert [getattr(outcome, "fault", None) for outcome in outcomes] == [Fault.GONE, Fault.GONE]
    assert among_odds.state(stage) == "failed"
    assert odd.count("POST create_model") == 3, "two attempts and one canary"
    assert isinstance(outcomes[1], Failed)
    assert "model not loaded" in outcomes[1].cause


ITS_OWN_WORDS = [
    "stale handle",
    "KeyError: 'a:train:0'",
    "call create_model first",
    "kein solches Modell",
    "invalid model id 'a:train:0'",
    "No model with id a:train:0",
    "LoRA weights for model a are missing",
    "The model instance was deleted",
]


@pytest.mark.parametrize("words", ITS_OWN_WORDS)
def test_words_that_nobody_knows_refuse_the_request_and_name_nothing_that_is_lost(words: str) -> None:
    error = translate(status_error(400, {"error": words}))
    assert (error.fault, error.missing) == (Fault.STAGE, False)


@pytest.mark.parametrize("words", ITS_OWN_WORDS[:2])
def test_in_words_that_nobody_knows_it_is_asked_whether_the_model_is_there(
    among_odds: Workshop, odd: Odd, words: str
) -> None:
    stage = training(among_odds)

    def lose_it(_: object) -> None:
        if odd.count("POST forward_backward") >= 9:
            odd.changes.clear()
            for request in ("optim_step", "get_info"):
                odd.refuse(f"POST {request}", 400, {"error": words}, 1)

    odd.changes = {"ForwardBackward": lose_it}
    outcome = among_odds.attempt(stage)
    assert isinstance(outcome, Failed)
    assert (outcome.fault, charged(among_odds, stage)) == (Fault.GONE, {Fault.GONE: 1})
    done = again(among_odds, stage)
    assert isinstance(done, Succeeded)
    assert done.result["resumed_at"] == 6


def test_a_service_that_loses_everything_is_down_and_the_stage_is_not_charged(among_odds: Workshop, odd: Odd) -> None:
    stage = training(among_odds)
    odd.refuse("POST forward_backward", *LOST)
    first, second = among_odds.attempt(stage), again(among_odds, stage)
    assert isinstance(first, Failed)
    assert isinstance(second, Failed)
    assert (first.fault, second.fault) == (Fault.GONE, Fault.OUTAGE)
    assert (among_odds.state(stage), charged(among_odds, stage)[Fault.GONE]) == ("ready", 1)
    among_odds.store.client.hset(keys.stage(stage.id), "not_before", 0)
    assert among_odds.store.dispatch(stage.id, sweep="one", patience=9).refused == "breaker", "nothing new is started"


def test_progress_in_between_forgives(among_odds: Workshop, odd: Odd) -> None:
    stage = training(among_odds)
    lose(odd, "POST optim_step", behind=2)
    assert isinstance(among_odds.attempt(stage), Failed)
    odd.forget()
    lose(odd, "POST optim_step", behind=9)
    outcome = again(among_odds, stage)
    assert isinstance(outcome, Failed)
    assert charged(among_odds, stage) == {Fault.GONE: 1}
    odd.forget()
    assert isinstance(again(among_odds, stage), Succeeded)


def test_a_session_that_is_gone_while_a_checkpoint_is_opened_costs_no_checkpoint(
    among_odds: Workshop, odd: Odd, stops: list[EndRequest | LeaseLost]
) -> None:
    """It was taken for a checkpoint that is refused, and forgotten."""
    stage = training(among_odds)
    stops[:] = [EndRequest.NOTHING] * 9 + [EndRequest.LEAVE]
    assert isinstance(among_odds.attempt(stage), Stopped)
    before = among_odds.store.read_assignment(stage.id).checkpoint
    assert before is not None
    odd.forget()
    odd.refuse("POST load_weights", 400, {"error": "session not found"}, times=1)
    assert isinstance(again(among_odds, stage), Failed)
    assert among_odds.store.read_assignment(stage.id).checkpoint == before
    done = again(among_odds, stage)
    assert isinstance(done, Succeeded)
    assert done.result["resumed_at"] == 9


@pytest.mark.parametrize("on", ["asample", "get_info"])
def test_a_sampler_and_a_model_that_is_measured_are_opened_anew(among_odds: Workshop, odd: Odd, on: str) -> None:
    train, evaluate = among_odds.submit(ASKING).plan.stages
    with pytest.MonkeyPatch.context() as apart:
        apart.setattr(type(among_odds.store), "list_evaluations", lambda *_: [])
        assert isinstance(among_odds.attempt(train), Succeeded)
    odd.refuse(f"POST {on}", 400, {"error": f"the session of this {on} is gone"}, times=1)
    outcome = among_odds.attempt(evaluate)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.GONE
    assert isinstance(again(among_odds, evaluate), Succeeded)


def test_a_canary_that_loses_its_model_tells_that_the_service_is_down(among_odds: Workshop, odd: Odd) -> None:
    def verdict() -> str:
        return try_service(lambda: among_odds.context.endpoint("offline/ngram-s"), "offline/ngram-s", {}, 9.0).word

    for answer in (LOST, (404, {"error": "no such model"}), NO_ROUTE, (410, {"error": "session is gone"})):
        odd.refuse("POST optim_step", *answer)
        assert verdict() == "down", answer
    odd.forget()
    odd.lack("GET get_server_capabilities")
    assert verdict() == "healthy", "who has no such call answers all the same"


def test_to_save_under_a_name_that_is_taken_ends_at_once(among_odds: Workshop, odd: Odd) -> None:
    """The SDK alone would repeat it for five minutes."""
    stage = training(among_odds)
    odd.refuse("POST save_weights", 409, {"error": "checkpoint step-000006 already exists"}, times=1)
    outcome = among_odds.attempt(stage)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.GONE
    assert isinstance(again(among_odds, stage), Succeeded)
    assert charged(among_odds, stage) == {}

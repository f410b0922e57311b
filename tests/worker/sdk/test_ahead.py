"""Training loops send ahead, so that no clock cycle of the service passes unused.

The service's clock ticks only when the loop waits for work that has not started and everything sent
has arrived. So the ticks counted are those that the loop needs, however slow the machine is.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import wait_until
from tests.tinker_offline.process import Control, Server
from tests.worker.specs import RL_SPEC as ACTING
from tests.worker.workshop import SPEC, Workshop
from worker.outcome import Succeeded
from worker.sdk.futures import Check, PendingAnswer, Requester

TURNS = 2  # of an episode of that environment: each needs an answer before the next


@pytest.fixture
def ticks(control: Control, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much was sent before each tick."""
    passed: list[int] = []
    sent: list[PendingAnswer[Any]] = []  # and not begun
    submit, wait = Requester.submit, PendingAnswer.wait

    def noted(
        requester: Requester, name: str, call: Any, read: Callable[[Any], Any], *, tokens: int = 0
    ) -> PendingAnswer[Any]:
        sent.append(submit(requester, name, call, read, tokens=tokens))
        return sent[-1]

    def ticked(pending: PendingAnswer[Any], check: Check) -> Any:
        if any(request is pending for request in sent):
            wait_until(lambda: control.cycles()["waiting"] == len(sent), "all that was sent to arrive", seconds=20)
            passed.append(len(sent))
            sent.clear()
            control.tick()
        return wait(pending, check)

    control.set(cycle=3600)
    monkeypatch.setattr(Requester, "submit", noted)
    monkeypatch.setattr(PendingAnswer, "wait", ticked)
    return passed


def trained(workshop: Workshop, moody: Server, spec: str) -> None:
    rhythmic = workshop.at(moody)
    stage = next(stage for stage in rhythmic.submit(spec).plan.stages if stage.kind == "train")
    assert isinstance(rhythmic.attempt(stage), Succeeded)


def test_supervised_training_takes_no_more_than_a_cycle_a_step(
    workshop: Workshop, moody: Server, ticks: list[int]
) -> None:
    trained(workshop, moody, SPEC.replace("checkpoint: {every_steps: 6}\n", ""))
    assert len(ticks) <= 1.1 * 20


@pytest.mark.parametrize(("lag", "cycles"), [(0, TURNS + 1), (1, TURNS)])
def test_rl_wastes_no_cycle(workshop: Workshop, moody: Server, ticks: list[int], lag: int, cycles: int) -> None:
    """On policy, a training and then each turn; with a lag, the training goes along with the first of them."""
    spec = ACTING.replace("checkpoint: {every_steps: 2}\n", "").replace("size: 4}", f"size: 4, lag: {lag}}}")
    trained(workshop, moody, spec)
    # Beside the iterations: the first weights, with a lag the last training; the weights and turns of the evaluation.
    assert len(ticks) <= cycles * 6 + 1 + lag + (1 + TURNS)

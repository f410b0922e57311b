"""Loops send ahead: the service works in clock cycles, and none of them passes because we were still waiting.

`busy` counts the ticks in which there was something to begin, so a slow machine changes nothing: what is sent before a
tick is done in it, and what could only be sent after an answer takes another one.
"""

import pytest

from tests.tinker_offline.process import Control, Server
from tests.worker.test_rl import SPEC as ACTING
from tests.worker.workshop import SPEC, Workshop
from worker.outcome import Succeeded

CYCLE = 0.3  # seconds: many times what it takes to send a step
TURNS = 2  # of an episode of that environment: each needs an answer before the next


def cycles(workshop: Workshop, control: Control, spec: str) -> int:
    """Cycles that a training took, without its opening and its end."""
    stage = next(stage for stage in workshop.submit(spec).plan.stages if stage.kind == "train")
    control.set(cycle=CYCLE)
    assert isinstance(workshop.attempt(stage), Succeeded)
    return control.cycles()["busy"]


@pytest.fixture
def rhythmic(workshop: Workshop, moody: Server) -> Workshop:
    return workshop.at(moody)


def test_supervised_training_takes_no_more_than_a_cycle_a_step(rhythmic: Workshop, control: Control) -> None:
    spec = SPEC.replace("checkpoint: {every_steps: 6}\n", "").replace("steps: 20", "steps: 15")
    assert cycles(rhythmic, control, spec) <= 1.1 * 15 + 1  # the last checkpoint comes behind the last step


@pytest.mark.parametrize(("lag", "each"), [(0, TURNS + 1), (1, TURNS)])
def test_rl_wastes_no_cycle(rhythmic: Workshop, control: Control, lag: int, each: int) -> None:
    """On policy, a training and then each turn; with a lag, the training goes along with the first of them."""
    spec = ACTING.replace("checkpoint: {every_steps: 2}\n", "").replace("size: 4}", f"size: 4, lag: {lag}}}")
    beyond = 1 + lag + (1 + TURNS)  # the first weights, and the last training; the weights and turns of the evaluation
    assert cycles(rhythmic, control, spec.replace("steps: 6", "steps: 4")) <= each * 4 + beyond

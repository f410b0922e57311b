"""What a training asks of the service, counted there: a guard for speed and for the bill."""

from tests.tinker_offline.process import Control, Server
from tests.worker.workshop import SPEC, Workshop
from worker.outcome import Succeeded

STEPS = 20
EVALUATION = {"forward": 1}  # continues on the same client: no new one is opened for it


def test_a_step_is_one_pass_and_one_update_and_its_evaluation_one_pass(
    workshop: Workshop, moody: Server, control: Control
) -> None:
    spec = SPEC.replace("checkpoint: {every_steps: 6}\n", "")
    there = workshop.at(moody)
    stage = next(stage for stage in there.submit(spec).plan.stages if stage.kind == "train")
    before = control.usage()
    assert isinstance(there.attempt(stage), Succeeded)
    (session,) = (used for name, used in control.usage().items() if name not in before)
    assert session["operations"] == {"forward_backward": STEPS, "optim_step": STEPS, **EVALUATION}

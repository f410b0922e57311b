"""With a tenth of all requests answered 429 and a twentieth 503: the same results, and no extra step."""

import numpy as np

from scheduler.state import keys
from sweeps.stage import Stage
from tests.bench.faults import FAULTS
from tests.tinker_offline.process import Control, Server
from tests.worker.workshop import SPEC, Workshop
from worker.outcome import Succeeded

STEPS = 20  # as the spec says


def training(workshop: Workshop, name: str) -> Stage:
    spec = SPEC.replace("sweep: one", f"sweep: {name}") + "reuse: sweep\n"
    return next(stage for stage in workshop.submit(spec).plan.stages if stage.kind == "train")


def test_results_are_identical_no_step_is_repeated_and_nothing_is_charged(
    workshop: Workshop, moody: Server, control: Control
) -> None:
    workshop = workshop.at(moody)
    calm, stormy = training(workshop, "calm"), training(workshop, "stormy")
    assert isinstance(workshop.attempt(calm, "calm"), Succeeded)
    control.set(seed=4, rules=FAULTS)
    assert isinstance(workshop.attempt(stormy, "stormy"), Succeeded)
    assert sum(control.hits()) > 5, "there was weather"
    ours, theirs = workshop.weights(stormy), workshop.weights(calm)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert workshop.metrics(stormy) == workshop.metrics(calm)
    assert steps_taken(control, stormy) == steps_taken(control, calm) == STEPS
    row = workshop.store.client.hgetall(keys.stage(stormy.id))
    assert (row["attempt"], workshop.store.read_assignment(stormy.id).failures) == ("1", {})


def steps_taken(control: Control, stage: Stage) -> int:
    """As the service counted, in all sessions that this stage ever had there."""
    sessions = control.usage().values()
    return sum(session["operations"].get("optim_step", 0) for session in sessions if of(session) == stage.id)


def of(session: dict[str, dict[str, str]]) -> str | None:
    return (session["user_metadata"] or {}).get("stage")

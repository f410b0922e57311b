"""Each answer as an input of its own, through the real pipeline: what is counted, measured and gone on with."""

import json
from typing import Any

from sweeps.stage import Stage
from tests.worker.results import count_at_service, read_usage
from tests.worker.workshop import SPEC, Workshop, same
from worker.held_lease import EndRequest, LeaseLost
from worker.outcome import Stopped, Succeeded

TURNS = (
    SPEC.replace("mine.jsonl", "turns.jsonl")
    .replace("steps: 20", "steps: 9, eval_every: 4")
    .replace("6}}", "6, validation: 4}}")
)


def planned(workshop: Workshop, name: str, *more: str) -> tuple[Stage, ...]:
    """The training and what is measured of it, of chats of one to three answers."""
    with (workshop.folder / "turns.jsonl").open("w") as file:
        for a in range(40):
            turns = [
                {"role": role, "content": text}
                for b in range(1 + a % 3)
                for role, text in (("user", f"{a} and {b}?"), ("assistant", f"it is {a + b}"))
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    spec = TURNS.replace("sweep: one", f"sweep: {name}") + "\n".join(["reuse: sweep", *more, ""])
    stages = [stage for stage in workshop.submit(spec).plan.stages if stage.kind == "train" or stage.parents]
    return tuple(sorted(stages, key=lambda stage: (stage.kind != "train", stage.examples)))


def result(workshop: Workshop, stage: Stage) -> dict[str, Any]:
    return dict(workshop.store.read_result(stage.id) or {})


def test_the_answers_of_a_row_are_in_one_batch_and_a_row_is_one_item(workshop: Workshop) -> None:
    """By a renderer that writes no answer otherwise later both ways measure the same, and each costs more."""
    whole, separate = planned(workshop, "whole"), planned(workshop, "each", "turns: each")
    for stages, name in ((whole, "whole"), (separate, "each")):
        before = count_at_service(workshop)
        assert isinstance(workshop.attempt(stages[0], name), Succeeded)  # and what is measured of it with it
        assert read_usage(workshop, *stages) == count_at_service(workshop).minus(before), "metered to the token"
        assert read_usage(workshop, *stages).tokens == sum(stage.tokens for stage in stages), "and as planned"
    assert separate[0].tokens > whole[0].tokens
    first_result, other = (result(workshop, stages[-1]) for stages in (whole, separate))
    assert first_result["count"] == other["count"] == 6
    for metric in ("nll", "bits_per_byte"):
        assert abs(first_result["metrics"][metric] - other["metrics"][metric]) < 2e-3, (
            "the same gradients, added in another order"
        )
    first = json.loads(workshop.metrics(separate[0]).splitlines()[0])
    assert first["num_sequences"] > 8 == TURNS.count("batch_size") * 8, "more inputs than the eight rows of a batch"
    assert first["num_loss_tokens"] == json.loads(workshop.metrics(whole[0]).splitlines()[0])["num_loss_tokens"]


def test_stopped_and_resumed(workshop: Workshop, stops: list[EndRequest | LeaseLost]) -> None:
    whole, parted = planned(workshop, "whole", "turns: each")[0], planned(workshop, "parted", "turns: each")[0]
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    stops[:] = [EndRequest.NOTHING] * 4 + [EndRequest.LEAVE]
    assert isinstance(workshop.attempt(parted, "parted"), Stopped)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)

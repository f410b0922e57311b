"""Specs that several tests submit, and helpers that submit them and attempt the first stage."""

from sweeps.stage import Plan, Stage
from tests.worker.workshop import Workshop
from worker.outcome import Succeeded

ANSWERS_SPEC = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.02, batch_size: 8, steps: 6}
data: {facts: {source: "offline:facts", holdout: 12}}
seeds: 1
evaluate: [EVALUATION]
reuse: sweep
"""


def submit_and_train(workshop: Workshop, evaluation: str, name: str = "one") -> list[Stage]:
    spec = ANSWERS_SPEC.replace("EVALUATION", evaluation).replace("sweep: one", f"sweep: {name}")
    stages = list(workshop.submit(spec).plan.stages)
    assert isinstance(workshop.attempt(stages[0], name), Succeeded)
    return stages


RL_SPEC = """
sweep: one
experiment: grid
model: offline/ngram-s
train:
  {method: rl, environment: "tests.worker.vowels:Vowels", rank: 8, learning_rate: 0.03, schedule: constant, steps: 6,
   groups: 2, group_size: 4}
seeds: 1
evaluate: [{task_completion: {environment: "tests.worker.vowels:Vowels", episodes: 8, attempts: 2}}]
checkpoint: {every_steps: 2}
reuse: sweep
"""


LAG, PENALTY = ", lag: 1", ", kl_penalty: 0.1, substeps: 2, loss: ppo"


def submit_rl(workshop: Workshop, name: str = "one", train: str = "", steps: int = 6) -> Plan:
    spec = RL_SPEC.replace("sweep: one", f"sweep: {name}").replace("group_size: 4}", f"group_size: 4{train}}}")
    return workshop.submit(spec.replace("steps: 6", f"steps: {steps}")).plan


def train_the_first_of_two(workshop: Workshop, train: str) -> tuple[Stage, Stage]:
    """Train one stage without interruption; return it and a second one like it."""
    whole, parted = (submit_rl(workshop, name, train).stages[0] for name in ("whole", "parted"))
    assert isinstance(workshop.attempt(whole, "whole"), Succeeded)
    return whole, parted

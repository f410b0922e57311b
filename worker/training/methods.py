"""Choose the training method that a recipe names, and run the training.

Opens the model through a session; the method does the rest.
"""

from collections.abc import Mapping

from worker.attempt import Attempt
from worker.open_model import open_for_training
from worker.outcome import Outcome
from worker.sdk.session import Session, Trainer
from worker.training.dpo import DPOTraining
from worker.training.rl import RLTraining
from worker.training.supervised import SupervisedTraining
from worker.training.training_loop import Training

METHODS: Mapping[str, type[Training]] = {"sl": SupervisedTraining, "dpo": DPOTraining, "rl": RLTraining}


def train(this: Attempt, session: Session) -> tuple[Outcome, Trainer]:
    """Train a stage to its end, or until it is asked to stop."""
    start = open_for_training(this, session)
    training = METHODS[str(this.recipe["method"])](this, start)
    return training.run(), start.trainer

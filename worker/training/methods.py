"""Which way of training a recipe means, and the training itself."""

from collections.abc import Mapping

from worker.attempt import Attempt
from worker.open_model import begin
from worker.outcome import Outcome
from worker.sdk.session import Session, Trainer
from worker.training.dpo import Preferring
from worker.training.rl import Reinforcing
from worker.training.supervised import Supervised
from worker.training.training_loop import Training

METHODS: Mapping[str, type[Training]] = {"sl": Supervised, "dpo": Preferring, "rl": Reinforcing}


def train(this: Attempt, session: Session) -> tuple[Outcome, Trainer]:
    """Train a stage to its end, or to where it is asked to stop."""
    start = begin(this, session)
    training = METHODS[str(this.recipe["method"])](this, start)
    return training.to_the_end(), start.trainer

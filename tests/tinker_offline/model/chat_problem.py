"""A small chat model with a batch of the four tasks, and its loss."""

import numpy as np

from tests.tinker_offline.model.chat_tasks import TASKS, make_items
from tests.tinker_offline.model.chat_training import Marked, list_config, mark_items
from tests.tinker_offline.model.handbook_task import make_handbook
from tinker_offline.model.characters import SIZE as VOCABULARY
from tinker_offline.model.chat import Texts
from tinker_offline.model.families import new_adapter, target_logprobs
from tinker_offline.model.losses import LOSSES, Inputs
from tinker_offline.model.ngram import Adapter, Base, Floats, Size

SEED = 20261130
TINY = Size("tiny", 4, 2**6, chats=True)
TINY_FINDER = TINY._replace(finds=True)


def make_chat_problem(size: Size = TINY) -> tuple[Base, Adapter, Marked]:
    source = np.random.default_rng(SEED)
    weights = 0.3 * source.standard_normal((size.features, VOCABULARY), np.float32)
    adapter = new_adapter(size, 4, SEED)
    adapter = Adapter(*(array + 0.05 * source.standard_normal(array.shape, np.float32) for array in adapter))
    items = [item for task in TASKS for item in make_items(task, 1, SEED)]
    if size.finds:
        items += make_handbook(2, SEED)
    return Base(size, weights, np.zeros(VOCABULARY, np.float32)), adapter, mark_items(items)


def make_inputs(name: str, logprobs: Floats, answers: Floats) -> Inputs:
    source = np.random.default_rng(SEED)
    if name == "cross_entropy":
        return {"weights": answers * source.uniform(0.1, 1, len(answers)).astype(np.float32)}
    moved = (logprobs + 0.05 * source.standard_normal(len(answers))).astype(np.float32)
    return {"logprobs": moved, "advantages": answers * source.standard_normal(len(answers)).astype(np.float32)}


def compute_loss(base: Base, adapter: Adapter, texts: Texts, name: str, inputs: Inputs) -> float:
    values = LOSSES[name].values(target_logprobs(base, adapter, texts), inputs, list_config(name))
    return float(values.sum(dtype=np.float64))

"""Train a chat model in this process on the four tasks, by answers or by rewards, and measure it on fresh items."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.tinker_offline.model.chat_tasks import Item, make_fresh, make_items, make_rewarded
from tinker_offline.model import characters
from tinker_offline.model.chat import Texts
from tinker_offline.model.families import add_gradient, get_base, new_adapter
from tinker_offline.model.learner import AdamParams, Learner
from tinker_offline.model.losses import LOSSES, Inputs
from tinker_offline.model.ngram import SIZES, Adapter, Base, Floats, Ints, Size
from tinker_offline.model.sampling import Draw, sample
from tinker_offline.wire import Sampled

CACHE = Path(__file__).parents[3] / ".sweep" / "test-cache"
SIZE, FINDER, RANK = SIZES["offline/chat-s"], SIZES["offline/chat-r"], 16
BATCH = 16


class Rewards(NamedTuple):
    """How to train by rewards."""

    iterations: int
    groups: int  # prompts of an iteration
    rollouts: int  # of each prompt
    rate: float


FIRST = {"tool call": 30, "clause": 60, "signal": 40, "rewriting": 40}  # steps by answers before the rewards
REWARDS = {
    "tool call": Rewards(40, 16, 8, 0.005),
    "clause": Rewards(120, 64, 4, 0.004),
    "signal": Rewards(100, 64, 4, 0.008),
    "rewriting": Rewards(60, 16, 8, 0.008),
}


class _Rollout(NamedTuple):
    prompt: Ints
    written: Sampled
    advantage: float


class Marked(NamedTuple):
    """Texts, and which of their positions are learnt."""

    texts: Texts
    answers: Floats


def load_chat_base(size: Size = SIZE) -> Base:
    return get_base(size, CACHE)


def encode_prompt(prompt: str) -> Ints:
    return np.array([characters.BEGIN, *characters.encode(prompt)])


def mark_answers(pairs: Sequence[tuple[Ints, Ints]]) -> Marked:
    wholes = [np.concatenate(pair) for pair in pairs]
    marks = [np.arange(1, len(whole)) >= len(prompt) for whole, (prompt, _) in zip(wholes, pairs, strict=True)]
    tokens = np.concatenate([whole[:-1] for whole in wholes])
    texts = Texts(tokens, [len(whole) - 1 for whole in wholes], np.concatenate([whole[1:] for whole in wholes]))
    return Marked(texts, np.concatenate(marks).astype(np.float32))


def mark_items(items: Sequence[Item]) -> Marked:
    return mark_answers(
        [(encode_prompt(prompt), np.array([*characters.encode(answer), characters.END])) for prompt, answer in items]
    )


def list_config(loss: str) -> dict[str, float]:
    """List the loss's configuration with its defaults, and a small number where it has none."""
    return {name: 0.1 if value is None else value for name, value in LOSSES[loss].config.items()}


def accumulate(learner: Learner, base: Base, texts: Texts, loss: str, inputs: Inputs) -> Floats:
    chosen, config = LOSSES[loss], list_config(loss)

    def slopes(at: slice, logprobs: Floats) -> Floats:
        return chosen.slopes(logprobs, {name: values[at] for name, values in inputs.items()}, config)

    return add_gradient(learner.pending(), base, learner.adapter, texts, slopes)


def teach(base: Base, task: str, seed: int, steps: int, *, rate: float = 0.02, shuffled: bool = False) -> Learner:
    """Train on answers; `shuffled` gives each prompt the answer of another item."""
    items = make_items(task, BATCH * steps, seed)
    if shuffled:
        answers = [answer for _, answer in items]
        random.Random(seed).shuffle(answers)
        items = [(prompt, answer) for (prompt, _), answer in zip(items, answers, strict=True)]
    return teach_items(base, items, seed, rate)


def teach_items(base: Base, items: Sequence[Item], seed: int, rate: float = 0.02) -> Learner:
    """Train once on these answers, in their order."""
    learner, steps = Learner(new_adapter(base.size, RANK, seed)), len(items) // BATCH
    for step in range(steps):
        marked = mark_items(items[BATCH * step : BATCH * (step + 1)])
        accumulate(learner, base, marked.texts, "cross_entropy", {"weights": marked.answers / marked.answers.sum()})
        learner.step(AdamParams(rate * (1 - step / steps)))
    return learner


def reinforce(base: Base, first: Adapter, task: str, seed: int, rewards: Rewards, *, chance: bool = False) -> Learner:
    """Go on from this adapter by rewards: 1 for the exact answer; `chance` gives the rewards of a coin.

    As the product does it: groups whose rewards are equal teach nothing, and the loss is a mean over the tokens.
    """
    learner, coin = Learner(first.copy()), random.Random(seed)
    for iteration in range(rewards.iterations):
        rollouts = list[_Rollout]()
        for prompt, answer in make_rewarded(task, rewards.groups, seed, iteration):
            read = encode_prompt(prompt)
            written = sample(base, learner.adapter, read, rewards.rollouts, Draw(2 * len(answer) + 8, iteration))
            gained = [coin.random() < 0.5 if chance else is_answer(sample, answer) for sample in written]
            if len(set(gained)) > 1:
                pairs = zip(written, gained, strict=True)
                rollouts += [_Rollout(read, sample, float(gain - np.mean(gained))) for sample, gain in pairs]
        if rollouts:
            _apply_rewards(learner, base, rollouts, rewards.rate * (1 - iteration / rewards.iterations))
    return learner


def _apply_rewards(learner: Learner, base: Base, rollouts: Sequence[_Rollout], rate: float) -> None:
    marked = mark_answers([(rollout.prompt, rollout.written.tokens) for rollout in rollouts])
    mine = marked.answers > 0
    inputs = {name: np.zeros(len(mine), np.float32) for name in ("logprobs", "advantages")}
    inputs["logprobs"][mine] = np.concatenate([rollout.written.logprobs for rollout in rollouts])
    inputs["advantages"][mine] = np.repeat(
        [rollout.advantage / mine.sum() for rollout in rollouts], [len(rollout.written.tokens) for rollout in rollouts]
    )
    accumulate(learner, base, marked.texts, "importance_sampling", inputs)
    learner.step(AdamParams(rate, eps=1e-8))


def is_answer(written: Sampled, answer: str) -> bool:
    return characters.decode(written.tokens) == answer


def measure(base: Base, learner: Learner, task: str, seed: int, count: int = 60) -> float:
    """Return the share of fresh items that are answered exactly."""
    return measure_items(base, learner, make_fresh(task, count, seed))


def measure_items(base: Base, learner: Learner, items: Sequence[Item]) -> float:
    """Return the share of items that are answered exactly."""
    right = 0
    for prompt, answer in items:
        draw = Draw(2 * len(answer) + 8, 0, temperature=0)
        (written,) = sample(base, learner.adapter, encode_prompt(prompt), 1, draw)
        right += is_answer(written, answer)
    return right / len(items)


def measure_samples(base: Base, learner: Learner, task: str, seed: int, count: int = 60) -> float:
    """Return the share of exact answers among four samples of each fresh item: what rewards are given for."""
    right = 0
    for prompt, answer in make_fresh(task, count, seed):
        written = sample(base, learner.adapter, encode_prompt(prompt), 4, Draw(2 * len(answer) + 8, 0))
        right += sum(is_answer(sample, answer) for sample in written)
    return right / (4 * count)

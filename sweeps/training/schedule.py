"""The length of a training, and its learning rate at each step."""

import math
from typing import Literal

from sweeps.spec.sections import Equal
from sweeps.spec.train_section import StepLaw, Train

Schedule = Literal["constant", "linear", "cosine", "wsd"]
COOLDOWN = 0.2  # the share of a wsd schedule in which the rate falls


def resolve_steps(train: Train, *, size: int, mean_tokens: float) -> int:
    """Resolve the optimizer steps for `size` examples of `mean_tokens` tokens each; at least 1.

    steps   the number itself, or base·(size/at_size)^power rounded to the nearest (halves up)
    epochs  as many batches of min(batch_size, size) as hold epochs·size examples, at least min_steps
    tokens  as many batches as hold that many tokens, to the nearest
    """
    batch = min(train.batch_size, size)
    if isinstance(train.steps, StepLaw):
        law = train.steps
        grown: float = law.base * (size / law.at_size) ** law.power
        return max(1, math.floor(grown + 0.5))
    if train.steps is not None:
        return train.steps
    if train.epochs is not None:
        return max(math.ceil(train.epochs * size / batch - 1e-9), train.min_steps or 1, 1)
    if train.tokens is None:
        raise ValueError("expected exactly one of steps, epochs, tokens, got none")
    return max(1, math.floor(train.tokens / (batch * mean_tokens) + 0.5))


def describe_length(train: Train) -> str:
    """Describe what stays equal when the data grows, for the legend of a plot."""
    if isinstance(train.steps, StepLaw):
        law = f"{train.steps.base:g}·(n/{train.steps.at_size})^{train.steps.power:g}"
        return f"steps = {law} (n = number of training rows)"
    if train.steps is not None:
        return f"{train.steps} steps at every size"
    if train.epochs is not None:
        floor = f", at least {train.min_steps} steps" if train.min_steps else ""
        return f"{train.epochs:g} epochs at every size{floor}"
    return f"{train.tokens:,} tokens at every size"


def describe_equal(equal: Equal, *, acts: bool = False) -> str:
    """Describe what is equal for every method of a comparison; `acts` says that one of them acts."""
    share = "for each method and seed"
    if equal.examples is not None:
        return f"about {equal.examples:,} rows {share}{' (of rl, tasks)' if acts else ''}"
    of_rl = " (for rl: prompts, samples and what is trained on; it ends at the nearest whole iteration)" if acts else ""
    if equal.tokens is not None:
        return f"about {equal.tokens:,} tokens in training {share}{of_rl}"
    return f"about ${equal.usd:g} {share}, as tokens in training at the price list's prices{of_rl}"


def count_warmup(warmup: float, steps: int) -> int:
    """Resolve a warm-up to steps: a count as it is, a share rounded; never more than all steps."""
    return min(steps, warmup if isinstance(warmup, int) else math.floor(warmup * steps + 0.5))


def learning_rate_at(step: int, *, schedule: Schedule, warmup: float, steps: int, peak: float) -> float:
    """Compute the learning rate of `step` (from 0) of `steps`.

    The warm-up rises linearly: peak·(step+1)/w over its w steps, times the schedule. With u = step/steps:

    constant  peak
    linear    peak·(1 - u), as the trainers of Tinker's cookbook have it
    cosine    peak·(1 + cos(pi·u))/2, Loshchilov and Hutter 2017 (SGDR, without restarts)
    wsd       peak until the last 20 % of the steps, then peak·(1 - sqrt(v)), v from 0 to 1 over these steps:
              the cooldown of Hägele et al. 2024, arXiv 2405.18392
    """
    if not 0 <= step < steps:
        raise ValueError(f"expected a step from 0 to {steps - 1}, got {step}")
    rising = count_warmup(warmup, steps)
    gain = min(1.0, (step + 1) / rising) if rising else 1.0
    return peak * gain * _shape(schedule, step, steps)


def _shape(schedule: Schedule, step: int, steps: int) -> float:
    if schedule == "linear":
        return 1 - step / steps
    if schedule == "cosine":
        return (1 + math.cos(math.pi * step / steps)) / 2
    if schedule == "wsd":
        cooling = math.floor(COOLDOWN * steps + 0.5)
        into = step - (steps - cooling)
        return 1 - math.sqrt(into / cooling) if into > 0 else 1.0
    return 1.0

"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290) as functions of log-probabilities.

Everything is about pairs, the chosen completion before the rejected one: a list of 2·pairs arrays, each with the
natural log-probabilities of one completion's tokens, (tokens,), and whatever there is one number of for each
completion as (2·pairs,). `policy` is the model in training, `reference` the one that it started from.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sweeps.rendering.render import Example

Floats = npt.NDArray[np.float64]


def completions(examples: Sequence[Example], logprobs: Sequence[npt.NDArray[np.float32]]) -> list[Floats]:
    """Of the log-probabilities of all targets of each example, those that bear loss: the completion's."""
    return [values[example.weights > 0].astype(np.float64) for example, values in zip(examples, logprobs, strict=True)]


def counts(examples: Sequence[Example]) -> npt.NDArray[np.int64]:
    """How many tokens each completion has: (2·pairs,)."""
    return np.array([np.count_nonzero(example.weights) for example in examples], np.int64)


def rewards(policy: Sequence[Floats], reference: Sequence[Floats], *, length_normalise: bool = False) -> Floats:
    """log(policy/reference) of each completion, in nats: the implicit reward of section 4 over beta; (2·pairs,).

    With `length_normalise` the mean over its tokens instead of the sum, so that long completions weigh no more.
    """
    shrink = np.mean if length_normalise else np.sum
    return np.array([shrink(ours - theirs) for ours, theirs in zip(policy, reference, strict=True)], np.float64)


def margins(values: Floats) -> Floats:
    """By how much the chosen completion's reward is above the rejected one's: (2·pairs,) to (pairs,)."""
    return values[0::2] - values[1::2]


def loss(margin: Floats, beta: float) -> float:
    """Equation 7: the mean over pairs of -log sigmoid(beta·margin)."""
    return float(np.logaddexp(0.0, -beta * margin).mean())


def slopes(margin: Floats, beta: float) -> Floats:
    """The derivative of `loss` by each completion's reward, (pairs,) to (2·pairs,).

    -beta·sigmoid(-beta·margin)/pairs for the chosen one and the opposite for the rejected one: the gradient that
    follows equation 7.
    """
    pull = beta * np.exp(-np.logaddexp(0.0, beta * margin)) / len(margin)
    return np.column_stack([-pull, pull]).ravel()


def weights(slope: Floats, tokens: npt.NDArray[np.int64], *, length_normalise: bool = False) -> Floats:
    """The weight that each completion's tokens bear in a cross-entropy whose gradient is that of `loss`; (2·pairs,).

    A cross-entropy falls by its weight for each nat of a token, so it is the slope with the other sign; where the
    reward is a mean, a token moves it by 1/tokens only.
    """
    return -slope / tokens if length_normalise else -slope


def accuracy(margin: Floats) -> float:
    """The share of pairs whose chosen completion is preferred; one that is not decided counts as half."""
    return float(((margin > 0) + 0.5 * (margin == 0)).mean())


def divergence(policy: Sequence[Floats], reference: Sequence[Floats]) -> float:
    """An estimate of KL(reference‖policy), in nats per token: the mean of r - 1 - log r, r = policy/reference.

    Never negative, and right on average where the completions are the reference's own (Schulman 2020, "Approximating
    KL divergence"); on completions from elsewhere it says how far the policy has moved on these.
    """
    moved = np.concatenate([ours - theirs for ours, theirs in zip(policy, reference, strict=True)])
    return float((np.expm1(moved) - moved).mean())

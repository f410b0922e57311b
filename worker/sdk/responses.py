"""Check every answer of the service once, before use: counts, lengths, finite numbers.

A malformed answer raises ServiceError that names the call, what was expected and what came. It is
not requested again: it would be the same and cost the same. Touches nothing outside.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from scheduler.engine.retry import Fault
from worker.sdk.failures import ServiceError
from worker.training.loss_from_logprobs import LossFunction

Floats = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int32]

ROUNDING = 0.05  # nats above 0 that half precision may round a certainty to
LARGEST = float(np.finfo(np.float32).max)
PADDED = 1.05  # a model may have room for this many times the tokenizer's tokens: vocabularies are rounded up
STOPS = ("stop", "length")
SHOWN = 80  # characters of the answer in an error
PATH = re.compile(r"tinker://[^/\s]+/(?:weights|sampler_weights|external_weights)/\S+")


@dataclass(frozen=True)
class PassResult:
    """The result of a pass: the natural log-probabilities of each datum's targets, and the weighted loss, summed.

    The loss is None if the service names none and it cannot be computed from the log-probabilities. A
    log-probability whose target has no weight is 0 if the service gives no number.
    """

    loss: float | None
    logprobs: list[Floats]


@dataclass(frozen=True)
class SampledSequence:
    """A sampled sequence, with the model's own natural log-probability of each token."""

    tokens: Tokens
    logprobs: Floats
    cut: bool = False  # at the most tokens


def read_losses(call: str, answer: Any, bearing: Sequence[Floats], worth: LossFunction) -> PassResult:
    """Read the result of a pass. Raises ServiceError.

    `bearing` is the weight of each target of each datum, (n,); a target of weight 0 is not checked.
    """
    outputs = list(answer.loss_fn_outputs or ())
    if len(outputs) != len(bearing):
        reject(call, f"{len(bearing)} outputs, one for each datum", f"{len(outputs)}")
    logprobs = [
        _read_target_logprobs(f"{call}, datum {number} of {len(bearing)}", output, bears)
        for number, (output, bears) in enumerate(zip(outputs, bearing, strict=True), 1)
    ]
    loss = _read_loss(call, (answer.metrics or {}).get("loss:sum"), partial(worth, logprobs))
    if loss is None or math.isfinite(loss):  # otherwise the training has diverged, which is reported as that
        for number, (values, bears) in enumerate(zip(logprobs, bearing, strict=True), 1):
            _check_finite(f"{call}, datum {number} of {len(bearing)} ", values, bears != 0)
    return PassResult(loss, logprobs)


def _read_loss(call: str, named: float | None, compute: Callable[[], float | None]) -> float | None:
    """Return the service's loss, or compute it; a loss that is not finite must follow from the log-probabilities."""
    if named is not None and math.isfinite(named):
        return float(named)
    with np.errstate(all="ignore"):  # of a training that has diverged
        computed = compute()
    if named is None:
        return computed
    if computed is not None and abs(computed) <= LARGEST:
        reject(call, "a finite `loss:sum`", f"{named}, but the log-probabilities give {computed:.4g}")
    return float(named)


def _read_target_logprobs(call: str, output: Any, bears: Floats) -> Floats:
    if "logprobs" not in output:
        reject(call, "a field `logprobs`", f"{', '.join(sorted(map(str, output))) or 'no field'}")
    values = _to_floats(call, output["logprobs"].to_numpy())
    if values.shape != bears.shape:
        reject(call, f"{len(bears)} log-probabilities, one for each target", _describe_shape(values))
    idle = (bears == 0) & ~np.isfinite(values)
    if idle.any():
        values = np.where(idle, np.float32(0), values)
    _check_logprobs(call, values[bears != 0])
    return values


def read_written(call: str, answer: Any, count: int, most: int, vocabulary: int | None = None) -> list[SampledSequence]:
    """Read `count` sequences of at most `most` tokens each, from a vocabulary of this size. Raises ServiceError."""
    sequences = list(answer.sequences or ())
    if len(sequences) != count:
        reject(call, f"{count} sequences", f"{len(sequences)}")
    written = [
        _read_sequence(f"{call}, sequence {number} of {count}", sequence, most)
        for number, sequence in enumerate(sequences, 1)
    ]
    highest = max((int(sequence.tokens.max()) for sequence in written if len(sequence.tokens)), default=0)
    if vocabulary is not None and highest >= vocabulary * PADDED:
        reject(call, f"tokens of the model's tokenizer, which has {vocabulary}", f"the token {highest}")
    return written


def _read_sequence(call: str, sequence: Any, most: int) -> SampledSequence:
    if sequence.stop_reason not in STOPS:
        reject(call, f"the stop reason {' or '.join(STOPS)}", repr(sequence.stop_reason))
    tokens = np.asarray([] if sequence.tokens_np is None else sequence.tokens_np, np.int32)
    if tokens.ndim != 1 or len(tokens) > most:
        reject(call, f"at most {most} tokens", _describe_shape(tokens))
    if (tokens < 0).any():
        reject(call, "tokens", f"{int(tokens.min())}")
    logprobs = _to_floats(call, [] if sequence.logprobs_np is None else sequence.logprobs_np)
    if logprobs.shape != tokens.shape:
        reject(call, f"{len(tokens)} log-probabilities, one for each token", _describe_shape(logprobs))
    _check_finite(call, logprobs, np.ones(len(logprobs), np.bool_))
    _check_logprobs(call, logprobs)
    return SampledSequence(tokens, logprobs, cut=sequence.stop_reason == "length")


def read_prompt(call: str, answer: Any, tokens: int) -> Floats:
    """Read the log-probabilities of a prompt's tokens after the first, (tokens - 1,). Raises ServiceError.

    The first token has none. Some servers leave its place out; then there is one number fewer.
    """
    expected = f"{tokens} log-probabilities of the prompt, none for the first token"
    values = _to_floats(call, [] if answer.prompt_logprobs_np is None else answer.prompt_logprobs_np)
    if values.shape == (tokens - 1,) and np.isfinite(values).all():
        logprobs = values
    elif values.shape != (tokens,):
        reject(call, expected, _describe_shape(values))
    elif np.isfinite(values[0]) and values[0] != 0:
        reject(call, expected, f"{values[0]:.4g} for it: the numbers are shifted by one place")
    else:
        logprobs = values[1:]
    _check_finite(call, logprobs, np.ones(len(logprobs), np.bool_))
    _check_logprobs(call, logprobs)
    return logprobs


def read_hits(call: str, answer: Any, prompt: int) -> int:
    """Read how many tokens of a prompt were cached. Raises ServiceError: a negative number must not be booked."""
    hits = int(answer.prompt_cache_hit_tokens or 0)
    if not 0 <= hits <= prompt:
        reject(call, f"0 to {prompt} tokens of the prompt in the cache", f"{hits}")
    return hits


def read_path(call: str, answer: Any) -> str:
    """Read where something was saved. Raises ServiceError."""
    path = answer.path
    if not isinstance(path, str) or not PATH.fullmatch(path):
        reject(call, "a path like tinker://RUN/weights/NAME", repr(path))
    return path


def _to_floats(call: str, values: Any) -> Floats:
    try:
        return np.asarray(values, np.float32)
    except (TypeError, ValueError):
        reject(call, "numbers", type(values).__name__)


def _check_finite(call: str, values: Floats, where: npt.NDArray[np.bool_]) -> None:
    odd = np.flatnonzero(where & ~np.isfinite(values))
    if len(odd):
        got = f"{values[odd[0]]} at {odd[0] + 1} of {len(values)}"
        reject(call, "finite log-probabilities", f"{got}; a diverged model answers like this too")


def _check_logprobs(call: str, values: Floats) -> None:
    """Reject losses or probabilities in place of log-probabilities, which would be used without notice."""
    if len(values) and np.nanmax(np.nan_to_num(values, nan=-1.0, posinf=np.inf)) > ROUNDING:
        reject(call, "log-probabilities of at most 0", f"{np.nanmax(values):.4g}")


def _describe_shape(values: npt.NDArray[Any]) -> str:
    return f"{len(values)}" if values.ndim == 1 else f"the shape {'×'.join(map(str, values.shape)) or 'of one number'}"


def reject(call: str, expected: str, got: str) -> NoReturn:
    """Raise that the answer is malformed."""
    raise ServiceError(Fault.MALFORMED, f"{call}: expected {expected}, got {got[:SHOWN]}")

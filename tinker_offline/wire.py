"""The binary half of the protocol: `forward_backward` comes and goes as protobuf, a sample only goes.

The one place that imports the SDK, and of it only the schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types
from tinker.proto import tinker_public_pb2 as schema

from tinker_offline import tokenizer
from tinker_offline.ngram import Floats, Ints
from tinker_offline.refusal import Refusal

CONTENT_TYPE = "application/x-protobuf"
_NOTHING = np.zeros(0, np.int32)
_DTYPES = {schema.DTYPE_FLOAT32: np.float32, schema.DTYPE_INT64: np.int64, schema.DTYPE_INT32: np.int32}


class Datum(NamedTuple):
    """One example: its tokens (length,) and the inputs of the loss, each (length,)."""

    tokens: Ints
    inputs: Mapping[str, npt.NDArray[Any]]


class Pass(NamedTuple):
    """A request for a forward pass, with or without the backward one. The data are decoded when they are needed."""

    model_id: str
    seq_id: int
    loss: str
    forward_only: bool
    message: schema.ForwardBackwardRequest

    def data(self) -> list[Datum]:
        """Raises Refusal for what this model cannot read."""
        return [_datum(datum, index) for index, datum in enumerate(self.message.data)]


def read_pass(body: bytes) -> Pass:
    message = schema.ForwardBackwardRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Refusal(f"the body is not a ForwardBackwardRequest: {error}") from None
    return Pass(message.model_id, message.seq_id, message.loss_fn, message.forward_only, message)


def _datum(datum: schema.Datum, index: int) -> Datum:
    chunks = [_chunk(chunk, index) for chunk in datum.model_input]
    tokens = (chunks[0] if len(chunks) == 1 else np.concatenate([_NOTHING, *chunks])).astype(np.int64)
    checked(tokens, f"datum {index}")
    return Datum(tokens, {name: _tensor(tensor, name, index) for name, tensor in datum.loss_fn_inputs.items()})


def checked(tokens: Ints, where: str) -> Ints:
    """The tokens, if there are any, not too many, and all in the vocabulary."""
    if not 0 < len(tokens) <= tokenizer.CONTEXT_LENGTH:
        raise Refusal(f"{where} has {len(tokens)} tokens; 1 to {tokenizer.CONTEXT_LENGTH} are possible")
    if tokens.view(np.uint64).max() >= tokenizer.SIZE:  # read as unsigned, a negative one is very large
        raise Refusal(f"{where} has a token outside the vocabulary of 0 to {tokenizer.SIZE - 1}")
    return tokens


def _chunk(chunk: schema.Chunk, index: int) -> npt.NDArray[np.int32]:
    if chunk.WhichOneof("chunk") != "encoded_text":
        raise Refusal(f"datum {index} has input that is not text; the offline models read text only")
    return np.frombuffer(chunk.encoded_text.tokens, np.int32)


def _tensor(tensor: schema.Tensor, name: str, index: int) -> npt.NDArray[Any]:
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None or tensor.WhichOneof("encoding") != "dense" or len(tensor.shape) > 1:
        raise Refusal(f"datum {index}: {name} must be a dense tensor of one dimension, of float32 or int64")
    return np.frombuffer(tensor.dense, dtype)


def pass_output(logprobs: Sequence[Floats], metrics: Mapping[str, float]) -> bytes:
    """A ForwardBackwardOutput with the log-probabilities of every datum's targets."""
    record = schema.ArrayRecord(num_datums=len(logprobs))
    field = record.fields["logprobs"]
    field.data = np.concatenate(logprobs).astype(np.float32).tobytes()
    field.offsets = np.cumsum([0, *(part.size * 4 for part in logprobs)], dtype=np.int64).tobytes()
    field.dtype = schema.DTYPE_FLOAT32
    output = schema.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord", metrics=metrics)
    output.loss_fn_outputs.append(record)
    return bytes(output.SerializeToString())


class Sampled(NamedTuple):
    """One generated sequence: tokens and their log-probabilities, both (length,), and the top k of each position."""

    tokens: Ints
    logprobs: Floats
    stopped: bool
    top: "Top | None" = None


class Top(NamedTuple):
    """The k likeliest tokens of every position and their log-probabilities: both (length, k)."""

    tokens: Ints
    logprobs: Floats


def sample_response(sequences: Sequence[Sampled], prompt: Floats | None, prompt_top: Top | None) -> bytes:
    """A SampleResponse; `prompt` has a NaN where no log-probability was asked for or is possible."""
    response = schema.SampleResponse()
    for sequence in sequences:
        message = response.sequences.add()
        message.stop_reason = schema.STOP_REASON_STOP if sequence.stopped else schema.STOP_REASON_LENGTH
        message.tokens = sequence.tokens.astype(np.int32).tobytes()
        message.logprobs = sequence.logprobs.astype(np.float32).tobytes()
        if sequence.top is not None:
            message.topk_sampled_logprobs.CopyFrom(_top(sequence.top))
    if prompt is not None:
        response.prompt_logprobs = prompt.astype(np.float32).tobytes()
    if prompt_top is not None:
        response.topk_prompt_logprobs.CopyFrom(_top(prompt_top))
    return bytes(response.SerializeToString())


def _top(top: Top) -> schema.TopkLogprobs:
    length, k = top.tokens.shape
    tokens, logprobs = top.tokens.astype(np.int32).tobytes(), top.logprobs.astype(np.float32).tobytes()
    return schema.TopkLogprobs(token_ids=tokens, logprobs=logprobs, k=k, length=length)

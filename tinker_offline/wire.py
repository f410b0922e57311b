"""The binary half of the protocol: `forward_backward` comes and goes as protobuf, a sample only goes.

The one place that imports the SDK, and of it only the schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types
from tinker.proto import tinker_public_pb2 as schema

from tinker_offline.errors import Refusal
from tinker_offline.model import characters
from tinker_offline.model.ngram import Floats, Ints

CONTENT_TYPE = "application/x-protobuf"
_DTYPES = {schema.DTYPE_FLOAT32: np.float32, schema.DTYPE_INT64: np.int64, schema.DTYPE_INT32: np.int32}


class PassData(NamedTuple):
    """Examples, one after another: all tokens (positions,), the length of each, and the inputs of the loss by name,
    each (positions,) too."""

    tokens: Ints
    lengths: list[int]
    inputs: Mapping[str, npt.NDArray[Any]]


class PassRequest(NamedTuple):
    """A request for a forward pass, with or without the backward one. The data are decoded when they are needed."""

    model_id: str
    seq_id: int
    loss: str
    forward_only: bool
    config: Mapping[str, float | str]
    message: schema.ForwardBackwardRequest

    def data(self, names: Mapping[str, float | None], vocabulary: int, *, strict: bool = False) -> PassData:
        """The data with those of their inputs, each with its default where it may be left out. Raises Refusal for what
        this model cannot read, and if it is `strict` for other inputs: who sends a mask relies on it."""
        texts = [_read_tokens(datum.model_input, index) for index, datum in enumerate(self.message.data)]
        given = [datum.loss_fn_inputs for datum in self.message.data]
        for index, one in enumerate(given):
            if strict and (others := sorted(set(one) - set(names))):
                raise Refusal(f"datum {index} has {', '.join(others)}, and loss {self.loss!r} takes {', '.join(names)}")
        tokens = np.frombuffer(b"".join(texts), np.int32).astype(np.int64)
        lengths = [len(text) // 4 for text in texts]
        check_sequences(tokens, lengths, vocabulary)
        return PassData(tokens, lengths, {name: _read_input(given, name, one, lengths) for name, one in names.items()})


def read_pass(body: bytes) -> PassRequest:
    message = schema.ForwardBackwardRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise Refusal(f"the body is not a ForwardBackwardRequest: {error}") from None
    return PassRequest(
        message.model_id, message.seq_id, message.loss_fn, message.forward_only, _read_config(message), message
    )


def _read_config(message: schema.ForwardBackwardRequest) -> Mapping[str, float | str]:
    """Clients write numbers twice, for older servers; text is in the second place only."""
    second = message.loss_fn_config_v2.items()
    return {**message.loss_fn_config, **{key: one.text if one.HasField("text") else one.number for key, one in second}}


def check_sequences(tokens: Ints, lengths: Sequence[int], vocabulary: int, what: str = "") -> None:
    """Check sequences that follow one another. All at once; only where that fails, one by one, to name the first."""
    if not lengths:
        raise Refusal("there are no data")
    if min(lengths) and max(lengths) <= characters.CONTEXT_LENGTH and _in_vocabulary(tokens, vocabulary):
        return
    for index, sequence in enumerate(np.split(tokens, np.cumsum(lengths)[:-1])):
        check_tokens(sequence, vocabulary, f"datum {index}{what}")


def check_tokens(tokens: Ints, vocabulary: int, where: str) -> Ints:
    """The tokens, if there are any, not too many, and all in the vocabulary."""
    if not 0 < len(tokens) <= characters.CONTEXT_LENGTH:
        raise Refusal(f"{where} has {len(tokens)} tokens; 1 to {characters.CONTEXT_LENGTH} are possible")
    if not _in_vocabulary(tokens, vocabulary):
        raise Refusal(f"{where} has a token outside the vocabulary of 0 to {vocabulary - 1}")
    return tokens


def _in_vocabulary(tokens: Ints, vocabulary: int) -> bool:
    return bool(tokens.view(np.uint64).max() < vocabulary)  # read as unsigned, a negative one is very large


def _read_tokens(chunks: Sequence[schema.Chunk], index: int) -> bytes:
    """The tokens of an input, as int32."""
    if len(chunks) == 1 and (text := chunks[0].encoded_text.tokens):
        return bytes(text)
    if any(chunk.WhichOneof("chunk") != "encoded_text" for chunk in chunks):
        raise Refusal(f"datum {index} has input that is not text; the offline models read text only")
    return b"".join(chunk.encoded_text.tokens for chunk in chunks)


Given = Sequence[Mapping[str, schema.Tensor]]


def _read_input(given: Given, name: str, default: float | None, lengths: Sequence[int]) -> npt.NDArray[Any]:
    """An input of all data, one after another: all at once where they are alike, as nearly always."""
    tensors = [one.get(name) for one in given]
    alike = _read_alike(tensors, lengths)
    if alike is not None:
        return alike
    parts = [_read_tensor(one, name, index, default, lengths[index]) for index, one in enumerate(tensors)]
    return np.concatenate(parts)


def _read_alike(tensors: Sequence[schema.Tensor | None], lengths: Sequence[int]) -> npt.NDArray[Any] | None:
    """One after another, if all are there, of one type and as long as the data; else None."""
    kind = tensors[0].dtype if tensors[0] is not None else None
    if kind not in _DTYPES or any(one is None or one.dtype != kind or len(one.shape) > 1 for one in tensors):
        return None
    dense, dtype = [one.dense for one in tensors if one is not None], np.dtype(_DTYPES[kind])
    if any(len(text) != dtype.itemsize * length for text, length in zip(dense, lengths, strict=True)):
        return None
    return np.frombuffer(b"".join(dense), dtype)


def _read_tensor(
    tensor: schema.Tensor | None, name: str, index: int, default: float | None, length: int
) -> npt.NDArray[Any]:
    if tensor is None:
        if default is None:
            raise Refusal(f"datum {index} has no {name}, which this loss needs")
        return np.full(length, default)
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None or not tensor.HasField("dense") or len(tensor.shape) > 1:
        raise Refusal(f"datum {index}: {name} must be a dense tensor of one dimension, of float32 or int64")
    values = np.frombuffer(tensor.dense, dtype)
    if len(values) != length:
        raise Refusal(f"datum {index} has {length} tokens and {len(values)} {name}")
    return values


def encode_pass(logprobs: Floats, lengths: Sequence[int], metrics: Mapping[str, float]) -> bytes:
    """A ForwardBackwardOutput with the log-probabilities of the targets of data of these lengths."""
    record = schema.ArrayRecord(num_datums=len(lengths))
    field = record.fields["logprobs"]
    field.data = logprobs.astype(np.float32, copy=False).tobytes()
    field.offsets = (4 * np.cumsum([0, *lengths], dtype=np.int64)).tobytes()
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


def encode_samples(sequences: Sequence[Sampled], prompt: Floats | None, prompt_top: Top | None) -> bytes:
    """A SampleResponse; `prompt` has a NaN where no log-probability was asked for or is possible.

    The hits of the cache are of the first sequence, whose prompt is never in it here. That the prompt of all further
    ones is, and billed so, a client knows without being told.
    """
    response = schema.SampleResponse(prompt_cache_hit_tokens=0)
    for sequence in sequences:
        message = response.sequences.add()
        message.stop_reason = schema.STOP_REASON_STOP if sequence.stopped else schema.STOP_REASON_LENGTH
        message.tokens = sequence.tokens.astype(np.int32).tobytes()
        message.logprobs = sequence.logprobs.astype(np.float32).tobytes()
        if sequence.top is not None:
            message.topk_sampled_logprobs.CopyFrom(_encode_top(sequence.top))
    if prompt is not None:
        response.prompt_logprobs = prompt.astype(np.float32).tobytes()
    if prompt_top is not None:
        response.topk_prompt_logprobs.CopyFrom(_encode_top(prompt_top))
    return bytes(response.SerializeToString())


def _encode_top(top: Top) -> schema.TopkLogprobs:
    length, k = top.tokens.shape
    tokens, logprobs = top.tokens.astype(np.int32).tobytes(), top.logprobs.astype(np.float32).tobytes()
    return schema.TopkLogprobs(token_ids=tokens, logprobs=logprobs, k=k, length=length)

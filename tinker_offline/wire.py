"""Read and write the protocol's protobuf messages: passes and samples.

The only place that imports the SDK, and only its schema.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

from tinker_offline.errors import Refusal
from tinker_offline.model import characters
from tinker_offline.model.ngram import Floats, Ints
from tinker_offline.wire_schema import load_schema

if TYPE_CHECKING:
    from tinker.proto import tinker_public_pb2 as schema
else:
    schema = load_schema()

CONTENT_TYPE = "application/x-protobuf"
_DTYPES = {schema.DTYPE_FLOAT32: np.float32, schema.DTYPE_INT64: np.int64, schema.DTYPE_INT32: np.int32}


class PassData(NamedTuple):
    """Examples, one after another: tokens (positions,), lengths, and the loss inputs by name, (positions,) each."""

    tokens: Ints
    lengths: list[int]
    inputs: Mapping[str, npt.NDArray[Any]]


class PassRequest(NamedTuple):
    """A request for a forward pass, with or without a backward pass. The data are decoded when needed."""

    model_id: str
    seq_id: int
    loss: str
    forward_only: bool
    config: Mapping[str, float | str]
    message: schema.ForwardBackwardRequest

    def decode(self, names: Mapping[str, float | None], vocabulary: int, *, strict: bool = False) -> PassData:
        """Decode the data with these inputs and their defaults. Raises Refusal for invalid data.

        A `strict` loss refuses other inputs: a client that sends a mask relies on it.
        """
        texts = [_read_tokens(datum.model_input, index) for index, datum in enumerate(self.message.data)]
        given = [datum.loss_fn_inputs for datum in self.message.data]
        for index, inputs in enumerate(given):
            if strict and (others := sorted(set(inputs) - set(names))):
                raise Refusal(f"datum {index} has {', '.join(others)}, and loss {self.loss!r} takes {', '.join(names)}")
        tokens = np.frombuffer(b"".join(texts), np.int32).astype(np.int64)
        lengths = [len(text) // 4 for text in texts]
        check_sequences(tokens, lengths, vocabulary)
        return PassData(
            tokens, lengths, {name: _read_input(given, name, inputs, lengths) for name, inputs in names.items()}
        )


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
    """Read the loss configuration. Clients send numbers twice, for older servers; text is in the second field only."""
    second = message.loss_fn_config_v2.items()
    return {
        **message.loss_fn_config,
        **{key: value.text if value.HasField("text") else value.number for key, value in second},
    }


def check_sequences(tokens: Ints, lengths: Sequence[int], vocabulary: int, what: str = "") -> None:
    """Check sequences that follow one another: all at once, and one by one only to name the first invalid one."""
    if not lengths:
        raise Refusal("expected at least one datum")
    if min(lengths) and max(lengths) <= characters.CONTEXT_LENGTH and _is_in_vocabulary(tokens, vocabulary):
        return
    for index, sequence in enumerate(np.split(tokens, np.cumsum(lengths)[:-1])):
        check_tokens(sequence, vocabulary, f"datum {index}{what}")


def check_tokens(tokens: Ints, vocabulary: int, where: str) -> Ints:
    """Return the tokens if there are any, not too many, and all in the vocabulary. Raises Refusal otherwise."""
    if not 0 < len(tokens) <= characters.CONTEXT_LENGTH:
        raise Refusal(f"{where}: expected 1 to {characters.CONTEXT_LENGTH} tokens, got {len(tokens)}")
    if not _is_in_vocabulary(tokens, vocabulary):
        raise Refusal(f"{where}: expected tokens of the vocabulary, 0 to {vocabulary - 1}")
    return tokens


def _is_in_vocabulary(tokens: Ints, vocabulary: int) -> bool:
    return bool(tokens.view(np.uint64).max() < vocabulary)  # read as unsigned, a negative number is very large


def _read_tokens(chunks: Sequence[schema.Chunk], index: int) -> bytes:
    """Read the tokens of an input, as int32 bytes."""
    if len(chunks) == 1 and (text := chunks[0].encoded_text.tokens):
        return bytes(text)
    if any(chunk.WhichOneof("chunk") != "encoded_text" for chunk in chunks):
        raise Refusal(f"datum {index} contains input that is not text; the offline models read text only")
    return b"".join(chunk.encoded_text.tokens for chunk in chunks)


Given = Sequence[Mapping[str, schema.Tensor]]


def _read_input(given: Given, name: str, default: float | None, lengths: Sequence[int]) -> npt.NDArray[Any]:
    """Read an input of all data as one array: at once if all are alike, which is the usual case."""
    tensors = [tensor.get(name) for tensor in given]
    alike = _read_alike(tensors, lengths)
    if alike is not None:
        return alike
    parts = [_read_tensor(tensor, name, index, default, lengths[index]) for index, tensor in enumerate(tensors)]
    return np.concatenate(parts)


def _read_alike(tensors: Sequence[schema.Tensor | None], lengths: Sequence[int]) -> npt.NDArray[Any] | None:
    """Read all tensors at once if all exist, have one type and fit the data; else return None."""
    kind = tensors[0].dtype if tensors[0] is not None else None
    if kind not in _DTYPES or any(
        tensor is None or tensor.dtype != kind or len(tensor.shape) > 1 for tensor in tensors
    ):
        return None
    dense, dtype = [tensor.dense for tensor in tensors if tensor is not None], np.dtype(_DTYPES[kind])
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
        raise Refusal(f"datum {index}: expected {name} as a dense, one-dimensional tensor of float32 or int64")
    values = np.frombuffer(tensor.dense, dtype)
    if len(values) != length:
        raise Refusal(f"datum {index}: expected {length} {name}, one for each token, got {len(values)}")
    return values


def encode_pass(logprobs: Floats, lengths: Sequence[int], metrics: Mapping[str, float]) -> bytes:
    """Encode a ForwardBackwardOutput with the log-probabilities of the targets of data of these lengths."""
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
    """Encode a SampleResponse; `prompt` is NaN where no log-probability was requested or is possible.

    Cache hits are those of the first sequence, whose prompt is never cached here. The prompt of further
    sequences always is, and is billed so; clients know that.
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

"""Create sampling sessions, and sample from them."""

import zlib
from functools import partial
from typing import Any

import numpy as np

from tinker_offline import request_models, wire
from tinker_offline.errors import Refusal
from tinker_offline.model import characters, sampling
from tinker_offline.model.families import new_adapter
from tinker_offline.model.folding import class_shift, fold, unfold, vocabulary_size
from tinker_offline.model.learner import read_adapter
from tinker_offline.model.ngram import Adapter, Base, Ints, Size
from tinker_offline.models import LiveSampler
from tinker_offline.service import Service

Json = dict[str, Any]


def create_sampler(service: Service, request: request_models.CreateSampler) -> Json:
    """Create a sampling session from a checkpoint or from an untrained base model, once per request id."""
    session = service.sessions.get_usable(request.session_id)
    sampler_id = f"{session.session_id}:sample:{request.sampling_session_seq_id}"
    if sampler_id not in service.models.samplers:
        sampler = _open_checkpoint if request.model_path else _open_base
        service.models.samplers[sampler_id] = sampler(service, request, sampler_id)
        session.samplers.append(sampler_id)
    return {"type": "create_sampling_session", "sampling_session_id": sampler_id}


def _open_checkpoint(service: Service, request: request_models.CreateSampler, sampler_id: str) -> LiveSampler:
    checkpoint = service.checkpoints.get(request.model_path or "")
    base_model = service.checkpoints.get_run(checkpoint.run_id).base_model
    if request.base_model not in (None, base_model):
        raise Refusal(f"{checkpoint.path} belongs to {base_model}, not to {request.base_model}")

    def load() -> tuple[Base, Adapter]:
        return service.get_base(base_model), read_adapter(service.checkpoints.load(checkpoint.path))

    return LiveSampler(sampler_id, request.session_id, base_model, checkpoint.path, load)


def _open_base(service: Service, request: request_models.CreateSampler, sampler_id: str) -> LiveSampler:
    name = service.check_model_name(request.base_model or "")

    def load() -> tuple[Base, Adapter]:
        base = service.get_base(name)
        return base, new_adapter(base.size, rank=1, seed=0)  # an untrained adapter adds 0

    return LiveSampler(sampler_id, request.session_id, name, None, load)


def get_sampler(service: Service, sampler_id: str) -> Json:
    sampler = service.models.get_sampler(sampler_id)
    return {"sampler_id": sampler_id, "base_model": sampler.base_model, "model_path": sampler.model_path}


def sample(service: Service, request: request_models.Sample) -> Json:
    sampler = service.models.get_sampler(request.sampling_session_id)
    service.sessions.get_usable(sampler.session_id)
    if request.seq_id not in sampler.accepted:
        request_id = service.futures.reserve()
        sampler.accepted[request.seq_id] = request_id
        work = partial(_sample, service, sampler, request)
        service.futures.start_at_tick(request_id, service.bind_to_session(sampler.session_id, work))
    request_id = sampler.accepted[request.seq_id]
    names = [f"{request_id}:{index}" for index in range(request.num_samples)]
    return {"request_id": request_id, "sample_sequence_ids": names}


def _sample(service: Service, sampler: LiveSampler, request: request_models.Sample) -> bytes:
    base, adapter = sampler.get_weights()
    prompt, draw = _read_prompt(request, base.size), _read_draw(request)
    scored, top = None, None
    if request.prompt_logprobs or request.topk_prompt_logprobs:
        last, count = request.prompt_logprobs_last_n, request.topk_prompt_logprobs
        scored, top = sampling.prompt_logprobs(base, adapter, prompt, last, count)
        scored = scored + np.float32(class_shift(base.size))
    sampled = sampling.sample(base, adapter, prompt, request.num_samples, draw)
    sequences = unfold(sampled, base.size, draw.seed)
    _bill(service, sampler, len(prompt), sequences)
    return wire.encode_samples(sequences, scored if request.prompt_logprobs else None, top)


def _bill(service: Service, sampler: LiveSampler, prompt: int, sequences: list[wire.Sampled]) -> None:
    owner, further = (sampler.session_id, sampler.base_model), len(sequences) - 1
    service.usage.add(*owner, "sampling_prefill", prompt, did="sample")
    service.usage.add(*owner, "sampling_prefill", prompt * further, cached=True)
    service.usage.add(*owner, "sampling_sample", sum(len(sequence.tokens) for sequence in sequences))


def _read_prompt(request: request_models.Sample, size: Size) -> Ints:
    if any(chunk.type != "encoded_text" for chunk in request.prompt.chunks):
        raise Refusal("the prompt contains input that is not text; the offline models read text only")
    if request.target_prompt_logprobs is not None or request.prompt_alt_tokens_k:
        raise Refusal("target_prompt_logprobs and prompt_alt_tokens_k are not offered offline")
    tokens = [token for chunk in request.prompt.chunks for token in chunk.tokens]
    if size.folds and (request.topk_prompt_logprobs or request.topk_sample_logprobs):
        raise Refusal(f"{size.name} does not offer topk: it predicts classes of tokens")
    return fold(wire.check_tokens(np.array(tokens, np.int64), vocabulary_size(size), "the prompt"), size)


def _read_draw(request: request_models.Sample) -> sampling.Draw:
    """Read how to sample. Without a seed, the request's own id is the seed."""
    params = request.sampling_params
    room = characters.CONTEXT_LENGTH - sum(len(chunk.tokens) for chunk in request.prompt.chunks)
    stops = [params.stop] if isinstance(params.stop, str) else params.stop or []
    unseeded = zlib.crc32(f"{request.sampling_session_id} {request.seq_id}".encode())
    return sampling.Draw(
        max_tokens=max(1, min(params.max_tokens or room, room)),
        seed=unseeded if params.seed is None else params.seed % 2**64,
        temperature=params.temperature,
        top_k=params.top_k,
        top_p=params.top_p,
        stop_tokens=frozenset(stop for stop in stops if isinstance(stop, int)),
        stop_texts=tuple(tuple(characters.encode(stop)) for stop in stops if isinstance(stop, str)),
        top=request.topk_sample_logprobs,
    )

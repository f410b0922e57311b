"""Create models, and train, measure and save them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from tinker_offline import request_models, wire
from tinker_offline.checkpoints import Checkpoint, Folder, TrainingRun, expire_at
from tinker_offline.errors import Refusal
from tinker_offline.model.chat import Texts
from tinker_offline.model.families import add_gradient, new_adapter, read_positions, target_logprobs
from tinker_offline.model.folding import class_shift, fold, vocabulary_size
from tinker_offline.model.learner import Arrays, Learner, list_adapter_arrays
from tinker_offline.model.losses import Config, Inputs, Loss, find_loss, resolve_config
from tinker_offline.model.ngram import SIZES, Base, Floats, Positions
from tinker_offline.models import LiveModel, LiveSampler, OperationQueue
from tinker_offline.service import Service
from tinker_offline.usage import Kind, Operation

Json = dict[str, Any]
MAX_RANK = 256
AT_HAND = 4  # snapshots per model whose weights stay in memory


def create_model(service: Service, request: request_models.CreateModel) -> Json:
    name, lora = service.check_model_name(request.base_model), request.lora_config
    if not 1 <= lora.rank <= MAX_RANK or lora.rank & (lora.rank - 1):
        raise Refusal(f"rank: expected a power of two up to {MAX_RANK}, got {lora.rank}")
    if request.optimizer_config.type != "adamw":
        raise Refusal(f"optimizer: expected adamw, got {request.optimizer_config.type!r}, which is not offered offline")

    def build() -> tuple[Base, Learner]:
        base = service.get_base(name)
        return base, Learner(new_adapter(base.size, lora.rank, lora.seed or 0))

    return _register_model(service, request, build, base_model=name, rank=lora.rank, reply={"type": "create_model"})


def load_weights(service: Service, request: request_models.LoadWeights) -> Json:
    """Create a model from a checkpoint, with the optimizer's moments or without."""
    checkpoint = service.checkpoints.get(request.path)
    if checkpoint.folder != "weights":
        raise Refusal(f"{request.path} is for sampling and cannot be trained; use a checkpoint of save_state")
    run = service.checkpoints.get_run(checkpoint.run_id)
    if request.base_model not in (None, run.base_model):
        raise Refusal(f"{request.path} belongs to {run.base_model}, not to {request.base_model}")

    def build() -> tuple[Base, Learner]:
        arrays = service.checkpoints.load(request.path)
        moments = request.optimizer and service.account.moments
        return service.get_base(run.base_model), Learner.restore(arrays, with_optimizer=moments)

    reply = {"type": "load_weights", "path": request.path}
    return _register_model(service, request, build, base_model=run.base_model, rank=run.rank, reply=reply)


def _register_model(
    service: Service,
    request: request_models.CreateModel | request_models.LoadWeights,
    build: Callable[[], tuple[Base, Learner]],
    *,
    base_model: str,
    rank: int,
    reply: Json,
) -> Json:
    """Register a model at once, and build it on the compute thread when it has a slot.

    A repeated request creates no second model.
    """
    session = service.sessions.get_usable(request.session_id)
    model_id = f"{session.session_id}:train:{request.model_seq_id}"
    if model_id in service.models.models:
        return {"request_id": service.models.models[model_id].created}
    model = LiveModel(
        model_id, session.session_id, base_model, rank, OperationQueue(service.futures), service.futures.reserve()
    )
    service.models.models[model_id] = model
    now = datetime.now(UTC).isoformat()
    service.checkpoints.add_run(TrainingRun(model_id, session.session_id, base_model, rank, now, request.user_metadata))
    service.sessions.add_run(session, model_id)

    def work() -> Json:
        model.state = build()
        return {**reply, "model_id": model_id}

    def begin() -> None:
        service.futures.start(model.created, service.bind_to_session(session.session_id, work))
        model.lane.open()

    service.models.slots.request(model.created, begin)
    return {"request_id": model.created, "model_id": model_id}


def get_info(service: Service, request: request_models.OfModel) -> Json:
    model = service.models.get_model(request.model_id)
    arch = "chat" if SIZES[model.base_model].chats else "ngram"
    data = {"arch": arch, "model_name": model.base_model, "tokenizer_id": str(service.tokenizer)}
    return {
        "type": "get_info",
        "model_data": data,
        "model_id": model.run_id,
        "model_name": model.base_model,
        "is_lora": True,
        "lora_rank": model.rank,
        "optimizer_config": {"type": "adamw"},
    }


def forward_backward(service: Service, asked: wire.PassRequest) -> Json:
    return _enqueue(service, asked.model_id, asked.seq_id, partial(_do_pass, service, asked))


def _do_pass(service: Service, asked: wire.PassRequest, model: LiveModel) -> bytes:
    loss = find_loss(asked.loss)
    config = resolve_config(asked.loss, asked.config)
    base, learner = model.get_parts()
    names = {"target_tokens": None, **loss.inputs}
    data = asked.decode(names, vocabulary_size(base.size), strict=loss.strict)
    positions, inputs = _read_batch(data, loss, base)
    shift = np.float32(class_shift(base.size))
    if asked.forward_only:
        logprobs = target_logprobs(base, learner.adapter, positions)
    else:
        slopes = partial(_loss_slopes, loss, inputs, config, shift=shift)
        logprobs = add_gradient(learner.pending(), base, learner.adapter, positions, slopes)
    logprobs += shift
    kind, did = _classify_pass(service, forward_only=asked.forward_only)
    service.usage.add(model.session_id, model.base_model, kind, len(data.tokens), did=did)
    total = float(loss.values(logprobs, inputs, config).sum(dtype=np.float64))
    return wire.encode_pass(logprobs, data.lengths, {"loss:sum": total})


def _classify_pass(service: Service, *, forward_only: bool) -> tuple[Kind, Operation]:
    """Return as what a pass is billed, and which operation it is."""
    if not forward_only:
        return "training", "forward_backward"
    return "sampling_prefill" if service.account.forward == "prefill" else "training", "forward"


def _read_batch(data: wire.PassData, loss: Loss, base: Base) -> tuple[Positions | Texts, Inputs]:
    """Read the positions and inputs of a pass. Raises Refusal for invalid targets or numbers."""
    tokens, targets = fold(data.tokens, base.size), data.inputs["target_tokens"].astype(np.int64, copy=False)
    wire.check_sequences(targets, data.lengths, vocabulary_size(base.size), ": target_tokens")
    inputs = {name: data.inputs[name].astype(np.float32, copy=False) for name in loss.inputs}
    for name, values in inputs.items():
        if not np.isfinite(values).all():
            raise Refusal(f"{name}: expected finite numbers")
    return read_positions(base.size, tokens, data.lengths, fold(targets, base.size)), inputs


def _loss_slopes(
    loss: Loss, inputs: Inputs, config: Config, chunk: slice, logprobs: Floats, *, shift: np.float32
) -> Floats:
    return loss.slopes(logprobs + shift, {name: values[chunk] for name, values in inputs.items()}, config)


def optim_step(service: Service, request: request_models.OptimStep) -> Json:
    def work(model: LiveModel) -> Json:
        norm = model.get_parts()[1].step(request.adam_params.to_params())
        service.usage.note(model.session_id, "optim_step")
        return {"metrics": {"grad_norm:mean": norm} if math.isfinite(norm) else {}}  # JSON has no other numbers

    return _enqueue(service, request.model_id, request.seq_id, work)


def save_weights(service: Service, request: request_models.SaveWeights) -> Json:
    def work(model: LiveModel) -> Json:
        saved = _save(service, request, model, "weights", model.get_parts()[1].arrays(), overwrite=request.overwrite)
        return {"type": "save_weights", "path": saved.path}

    return _enqueue(service, request.model_id, request.seq_id, work)


def save_for_sampler(service: Service, request: request_models.SaveForSampler) -> Json:
    def work(model: LiveModel) -> Json:
        arrays = list_adapter_arrays(model.get_parts()[1].adapter)
        if request.path is not None:
            saved = _save(service, request, model, "sampler_weights", arrays, overwrite=False)
            return {"type": "save_weights_for_sampler", "path": saved.path}
        sampler = _make_sampler(service, request, model)
        return {"type": "save_weights_for_sampler", "sampling_session_id": sampler.sampler_id}

    return _enqueue(service, request.model_id, request.seq_id, work)


def save_external(service: Service, request: request_models.SaveExternal) -> Json:
    if request.age_encryption_recipients:
        raise Refusal("age_encryption_recipients: this server does not encrypt; leave them out")

    def work(model: LiveModel) -> Json:
        arrays = list_adapter_arrays(model.get_parts()[1].adapter)
        saved = _save(service, request, model, "external_weights", arrays, overwrite=False)
        return {"type": "save_weights_external", "path": saved.path, "size_bytes": saved.size_bytes}

    return _enqueue(service, request.model_id, request.seq_id, work)


def _make_sampler(service: Service, request: request_models.SaveForSampler, model: LiveModel) -> LiveSampler:
    """Create a sampler with these weights. With `inflight`, the model's earlier samplers move to them too."""
    base, learner = model.get_parts()
    weights = base, learner.adapter.copy()
    sampler_id = f"{model.session_id}:sample:{request.sampling_session_seq_id}"
    sampler = LiveSampler(sampler_id, model.session_id, model.base_model, None, lambda: weights)
    service.models.samplers[sampler_id] = sampler
    if request.kind == "inflight":
        model.inflight.append(sampler)
        for mover in model.inflight:
            mover.publish(*weights)
        return sampler
    model.snapshots.append(sampler)
    if len(model.snapshots) > AT_HAND:
        model.snapshots.popleft().put_aside(service.snapshots / f"{sampler_id.replace(':', '-')}.npz")
    return sampler


def _save(
    service: Service,
    request: request_models.SaveWeights | request_models.SaveForSampler | request_models.SaveExternal,
    model: LiveModel,
    folder: Folder,
    arrays: Arrays,
    *,
    overwrite: bool,
) -> Checkpoint:
    now, expires = datetime.now(UTC).isoformat(), expire_at(request.ttl_seconds)
    checkpoint = Checkpoint(model.run_id, folder, request.path or "", now, 0, expires, request.user_metadata)
    return service.checkpoints.save(checkpoint, arrays, overwrite=overwrite)


def _enqueue(service: Service, model_id: str, seq_id: int, work: Callable[[LiveModel], bytes | Json]) -> Json:
    model = service.models.get_model(model_id)
    service.sessions.get_usable(model.session_id)
    mine = service.bind_to_session(model.session_id, partial(work, model))
    return {"request_id": model.lane.enqueue(seq_id, mine), "model_id": model_id}

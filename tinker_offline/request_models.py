"""Define the JSON requests that the service reads; unknown fields are ignored."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tinker_offline.model.learner import AdamParams

Name = str
Metadata = dict[str, str] | None


class Message(BaseModel):
    model_config = ConfigDict(frozen=True, protected_namespaces=())


class CreateSession(Message):
    user_metadata: Metadata = None
    display_name: str | None = None
    tags: list[str] = []


class OfSession(Message):
    session_id: str


class FinishReason(Message):
    type: Literal["success", "errored", "interrupted"]


class FinishSession(Message):
    reason: FinishReason
    detail: str | None = None


class StatusQuery(Message):
    type: Literal["active", "cancelled", "failed", "client_finished"]
    reasons: list[str] | None = None


class SearchCursor(Message):
    last_created_at: datetime
    last_session_id: str


class SearchSessions(Message):
    session_id: str | None = None
    user_metadata: dict[str, str] = {}
    display_name: str | None = None
    statuses: list[StatusQuery] | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: SearchCursor | None = None


class LoraConfig(Message):
    rank: int = 32
    seed: int | None = None


class OptimizerConfig(Message):
    type: str = "adamw"


class CreateModel(Message):
    session_id: str
    model_seq_id: int
    base_model: str
    user_metadata: Metadata = None
    lora_config: LoraConfig = LoraConfig()
    optimizer_config: OptimizerConfig = OptimizerConfig()


class LoadWeights(Message):
    """Loading always creates a model; loading into a live one, as older clients did, is refused."""

    session_id: str
    model_seq_id: int
    path: str
    optimizer: bool
    base_model: str | None = None
    user_metadata: Metadata = None


class OfModel(Message):
    model_id: str


class OfPath(Message):
    tinker_path: str


class AdamRequest(Message):
    learning_rate: float = Field(1e-4, ge=0, allow_inf_nan=False)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    eps: float = Field(1e-12, ge=0, allow_inf_nan=False)
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    grad_clip_norm: float = Field(0.0, ge=0, allow_inf_nan=False)

    def to_params(self) -> AdamParams:
        return AdamParams(**self.model_dump())


class OptimStep(OfModel):
    seq_id: int
    adam_params: AdamRequest


class SaveWeights(OfModel):
    seq_id: int
    path: str
    ttl_seconds: int | None = Field(None, ge=1)
    overwrite: bool = False
    user_metadata: Metadata = None


class SaveExternal(OfModel):
    """Save the weights in a form that other programs read, for download."""

    seq_id: int
    path: str
    ttl_seconds: int | None = Field(None, ge=1)
    user_metadata: Metadata = None
    age_encryption_recipients: list[str] | None = None


class SaveForSampler(OfModel):
    """With a path, save a checkpoint of that name; without, create a sampler that lives as long as the process."""

    seq_id: int
    path: str | None = None
    sampling_session_seq_id: int | None = None
    kind: Literal["snapshot", "inflight"] = "snapshot"
    ttl_seconds: int | None = Field(None, ge=1)
    user_metadata: Metadata = None


class SetTtl(Message):
    ttl_seconds: int | None = Field(None, ge=1)


class CreateSampler(Message):
    session_id: str
    sampling_session_seq_id: int
    base_model: str | None = None
    model_path: str | None = None


class Chunk(Message):
    type: str
    tokens: list[int] = []


class Prompt(Message):
    chunks: list[Chunk]


class SamplingParams(Message):
    max_tokens: int | None = Field(None, ge=1)
    seed: int | None = None
    stop: str | list[int] | list[str] | None = None
    temperature: float = Field(1.0, ge=0, allow_inf_nan=False)
    top_k: int = -1
    top_p: float = Field(1.0, gt=0, le=1)


class Sample(Message):
    sampling_session_id: str
    seq_id: int
    num_samples: int = Field(1, ge=1, le=1024)
    prompt: Prompt
    sampling_params: SamplingParams
    prompt_logprobs: bool | None = None
    prompt_logprobs_last_n: int | None = None
    topk_prompt_logprobs: int = Field(0, ge=0, le=20)
    topk_sample_logprobs: int = Field(0, ge=0, le=20)
    target_prompt_logprobs: dict[str, Any] | None = None
    prompt_alt_tokens_k: int = 0


class RetrieveFuture(Message):
    request_id: str

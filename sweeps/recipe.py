"""How a model is trained: the `train` section, and the methods of a comparison."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, model_validator

from sweeps.fields import (
    Count,
    Finding,
    Findings,
    Flag,
    Model,
    Name,
    Number,
    Positive,
    Share,
    amount_or_share,
    or_none,
    power_of_two,
    rate,
)

BETA = 0.1  # of dpo, where the file names none: what the paper's experiments mostly take
LENGTHS = ("steps", "epochs", "tokens")
OF_METHOD = {"beta": "dpo", "length_normalise": "dpo", "environment": "rl", "group_size": "rl", "groups": "rl"}


class Adam(Model):
    """The optimizer's own numbers; `weight_decay` is decoupled, `grad_clip_norm: 0` clips nothing."""

    beta1: Share = 0.9
    beta2: Share = 0.95
    eps: Positive = 1e-8
    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    grad_clip_norm: Annotated[Number, Field(ge=0)] = 0.0


class StepLaw(Model):
    """Optimizer steps that grow with the data: base·(n/at_size)^power."""

    base: Positive
    at_size: Count
    power: Annotated[Number, Field(ge=0, le=4)]


def _kind(value: Any) -> str:
    return "<law>" if isinstance(value, Mapping | StepLaw) else "<count>"


Steps = Annotated[Annotated[Count, Tag("<count>")] | Annotated[StepLaw, Tag("<law>")], Discriminator(_kind)]


class Train(Model):
    """One training. Exactly one of `steps`, `epochs` and `tokens` sets its length."""

    method: Literal["sl", "dpo", "rl"] = "sl"
    rank: Annotated[Count, AfterValidator(power_of_two)] = 32
    learning_rate: Annotated[float | str | None, PlainValidator(or_none(rate))] = None
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "linear"
    warmup: Annotated[int | float, PlainValidator(amount_or_share)] = 0
    batch_size: Count = 32
    steps: Steps | None = None
    epochs: Positive | None = None
    min_steps: Count | None = None
    tokens: Count | None = None
    eval_every: Count | None = None
    diverged_above: Positive = 50.0  # nats per token: what guessing blindly costs is 12, of any vocabulary there is
    train_mlp: Flag = True
    train_attn: Flag = True
    train_unembed: Flag = True
    adam: Adam = Adam()
    beta: Positive | None = None  # of dpo: how dear it is to move away from the reference; 0.1
    length_normalise: Flag | None = None  # of dpo: rewards per token of the completion instead of the whole; false
    environment: str | None = None
    group_size: Count | None = None
    groups: Count | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        found: list[Finding] = [
            ((key,), f"belongs to `method: {method}`, and the method is {self.method}")
            for key, method in OF_METHOD.items()
            if getattr(self, key) is not None and self.method != method
        ]
        if self.min_steps is not None and self.epochs is None:
            found.append((("min_steps",), "belongs to `epochs`: it is the least that a small data set is trained"))
        if not (self.train_mlp or self.train_attn or self.train_unembed):
            found.append(
                (
                    ("train_mlp",),
                    "no layer is left to train; at least one of train_mlp, train_attn, train_unembed is right",
                )
            )
        if found:
            raise Findings(found)
        return self


class Method(Train):
    """One contestant of a comparison: a training of its own, or others one after the other (`then`)."""

    method: Literal["sl", "dpo", "rl"] = "sl"
    data: Name | None = None
    then: Annotated[tuple[Name, ...], Field(min_length=2)] | None = None

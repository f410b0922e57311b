"""How a model is trained: the `train` section, and the methods of a comparison."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, model_validator

from sweeps.spec.scalars import (
    NAME,
    Count,
    Finding,
    Findings,
    Flag,
    Frozen,
    Name,
    Note,
    Number,
    Positive,
    Share,
    SpecModel,
    allow_none,
    check_amount_or_share,
    check_power_of_two,
    check_rate,
    show,
)

BETA = 0.1  # of dpo, where the file names none: what the paper's experiments mostly take
ROUNDING = 1e-9  # by which shares may miss their sum
LENGTHS = ("steps", "epochs", "tokens")
# What belongs to one method, and what it is where the file leaves it open. None: it has to be said.
OF_METHOD: Mapping[str, Mapping[str, Any]] = {
    "sl": {},
    "dpo": {"beta": BETA, "length_normalise": False},
    "rl": {
        "environment": None,
        "groups": 16,
        "group_size": 8,
        "loss": "importance_sampling",
        "loss_config": {},
        "substeps": 1,
        "kl_penalty": 0.0,
        "temperature": 1.0,
        "lag": 0,
    },
}


class AdamSettings(SpecModel):
    """The optimizer's own numbers; `weight_decay` is decoupled, `grad_clip_norm: 0` clips nothing."""

    beta1: Share = 0.9
    beta2: Share = 0.95
    eps: Positive = 1e-8
    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    grad_clip_norm: Annotated[Number, Field(ge=0)] = 0.0


class StepLaw(SpecModel):
    """Optimizer steps that grow with the data: base·(n/at_size)^power."""

    base: Positive
    at_size: Count
    power: Annotated[Number, Field(ge=0, le=4)]


def _kind(value: Any) -> str:
    return "<law>" if isinstance(value, Mapping | StepLaw) else "<count>"


Loss = Literal["importance_sampling", "ppo", "cispo", "dro", "gspo"]
Steps = Annotated[Annotated[Count, Tag("<count>")] | Annotated[StepLaw, Tag("<law>")], Discriminator(_kind)]


class Train(SpecModel):
    """One training. Exactly one of `steps`, `epochs` and `tokens` sets its length."""

    method: Literal["sl", "dpo", "rl"] = "sl"
    rank: Annotated[Count, AfterValidator(check_power_of_two)] = 32
    learning_rate: Annotated[float | str | None, PlainValidator(allow_none(check_rate))] = None
    schedule: Literal["constant", "linear", "cosine", "wsd"] = "linear"
    warmup: Annotated[int | float, PlainValidator(check_amount_or_share)] = 0
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
    adam: AdamSettings = AdamSettings()
    beta: Positive | None = None  # of dpo: how dear it is to move away from the reference; 0.1
    length_normalise: Flag | None = None  # of dpo: rewards per token of the completion instead of the whole; false
    environment: Annotated[str, Field(min_length=1)] | None = None  # of rl, as is all below
    groups: Count | None = None  # tasks in one iteration
    group_size: Annotated[Count, Field(ge=2)] | None = None  # rollouts of each task: they are held against each other
    loss: Loss | None = None
    loss_config: Annotated[Mapping[str, Number], AfterValidator(Frozen)] | None = (
        None  # of the loss, as the service takes it: {clip_high_threshold: 1.2}
    )
    substeps: Count | None = None  # optimizer steps in which the groups of an iteration are used, a part in each
    kl_penalty: Annotated[Number, Field(ge=0)] | None = None  # per nat that a token moves away from the start
    temperature: Positive | None = None
    lag: Literal[0, 1] | None = None  # 1: rollouts are made with the weights of one iteration before, while it trains

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        findings: list[Finding] = [
            ((key,), f"belongs to `method: {method}`, got `method: {self.method}`; leave it out")
            for method, keys in OF_METHOD.items()
            for key in keys
            if getattr(self, key) is not None and self.method != method
        ]
        findings += self._check_rl() if self.method == "rl" else ()
        if self.min_steps is not None and self.epochs is None:
            findings.append((("min_steps",), "belongs to `epochs`: it is the least for a small data set; leave it out"))
        if not (self.train_mlp or self.train_attn or self.train_unembed):
            findings.append(
                (
                    ("train_mlp",),
                    "expected at least one of train_mlp, train_attn, train_unembed to be true, got none",
                )
            )
        if findings:
            raise Findings(findings)
        return self

    def _check_rl(self) -> Iterator[Finding]:
        """What examples have, and rollouts have not."""
        given = {key for key in ("batch_size", "epochs", "eval_every") if key in self.model_fields_set}
        right = {
            "batch_size": "groups and group_size set the size of an iteration",
            "epochs": "use steps or tokens",
        }
        for key in sorted(given):
            yield (
                (key,),
                f"not used by rl, which has no rows; {right.get(key, 'its curve is the reward of each iteration')}",
            )
        if isinstance(self.steps, StepLaw):
            yield ("steps",), "expected a number of iterations, got a law of sizes, which rl does not have"
        if self.substeps is not None and self.substeps > (self.groups or OF_METHOD["rl"]["groups"]):
            yield ("substeps",), f"expected at most one for each group, got {self.substeps} for fewer groups"

    def own(self, key: str) -> Any:
        """The value of a key that belongs to the method, or what it is where the file leaves it open."""
        value = getattr(self, key)
        return OF_METHOD[self.method][key] if value is None else value


def check_chain_parts(value: Any) -> tuple[Any, ...]:
    """Accept `[sl, rl]`, parts of equal length, or `[{sl: 0.2}, {rl: 0.8}]`: parts with their shares of the length."""
    right = "a list of methods, [sl, rl], or of methods with their shares, [{sl: 0.2}, {rl: 0.8}]"
    if not isinstance(value, list | tuple) or len(value) < 2:
        raise ValueError(f"expected {right}, got {show(value)}")
    read = [_read_part(part, right) for part in value]
    shares = [share for _, share in read if share is not None]
    if shares and len(shares) < len(read):
        raise ValueError(f"expected a share for every part, or for none, got {show(value)}")
    if shares and abs(math.fsum(shares) - 1) > ROUNDING:
        summed = " + ".join(f"{share:g}" for share in shares)
        raise ValueError(f"expected shares that sum to 1, got {summed} = {math.fsum(shares):.6g}")
    return tuple(name if share is None else Frozen({name: share}) for name, share in read)


def _read_part(part: Any, right: str) -> tuple[str, float | None]:
    single = isinstance(part, Mapping) and len(part) == 1
    name, share = next(iter(part.items())) if single else (part, None)
    if not isinstance(name, str) or not re.match(NAME, name):
        raise ValueError(f"expected {right}, got {show(part)}")
    if not single:
        return name, None
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise ValueError(f"expected a share between 0 and 1 for {name}, got {show(share)}")
    return name, float(share)


class Method(Train):
    """One contestant of a comparison: a training of its own, or others one after the other (`then`)."""

    method: Literal["sl", "dpo", "rl"] = "sl"
    data: Name | None = None
    compared: Flag = True  # false: only a part of chains, without runs of its own
    control_of: Name | None = None  # the method whose null twin this is: it should learn nothing, and is never the best
    note: Note | None = None  # what readers of an answer must know about it
    then: Annotated[Any, PlainValidator(allow_none(check_chain_parts))] = (
        None  # names, or mappings of a name to a share
    )

    @property
    def chain(self) -> tuple[tuple[str, float | None], ...]:
        """The parts of a chain by name, each with its share of the length; None: all have the same."""
        return tuple(
            next(iter(part.items())) if isinstance(part, Mapping) else (part, None) for part in self.then or ()
        )

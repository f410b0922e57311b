"""The parts of recipes: few, shared by many stages, each written as canonical text once.

A recipe is the identity of a stage and everything that the worker needs. So it is resolved: steps and warm-up are
numbers, the batch is never larger than the data, and it has nothing that does not change a result.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sweeps.identity import fingerprint_entries, list_entries
from sweeps.rendering.render import LossMask
from sweeps.spec.train_section import OF_METHOD, Train
from sweeps.stage import Json

VERSION = 1  # of the recipes: raise it when a worker does the same recipe differently
ACTED = 2  # version of what an environment gets of a turn: 2 by sweeps.rendering.answer_text
LOSS_MASKS: Mapping[str, LossMask] = {
    "text": "all",
    "chat": "completion",
    "completion": "completion",
    "preference": "completion",
    "transcript": "completion",
    "questions": "completion",
}


class RecipePart(NamedTuple):
    """A part of a recipe, and its canonical text."""

    value: dict[str, Json]
    spelled: tuple[str, ...]


def make_part(value: dict[str, Json]) -> RecipePart:
    return RecipePart(value, list_entries(value))


def join_parts(pieces: Iterable[RecipePart]) -> dict[str, Json]:
    """Join parts to a recipe."""
    return {key: value for part in pieces for key, value in part.value.items()}


def identify(kind: str, pieces: Iterable[RecipePart]) -> str:
    """Compute the id of the stage with the recipe of these parts."""
    return f"{kind}-{fingerprint_entries(text for part in pieces for text in part.spelled)}"


@lru_cache(maxsize=4096)
def describe_training(train: Train) -> RecipePart:
    """Describe how to train, except how long."""
    layers: dict[str, Json] = {"mlp": train.train_mlp, "attn": train.train_attn, "unembed": train.train_unembed}
    adam: dict[str, Json] = train.adam.model_dump()
    return make_part(
        {
            "kind": "train",
            "version": VERSION,
            "method": train.method,
            **_objective(train),
            "rank": train.rank,
            "learning_rate": train.learning_rate,
            "schedule": train.schedule,
            "adam": adam,
            "layers": layers,
        }
    )


def _objective(train: Train) -> dict[str, Json]:
    """Describe the loss, and over what it is a mean."""
    own = {key: train.own(key) for key in OF_METHOD[train.method] if key != "environment"}
    return {"reduction": "pair_mean" if train.method == "dpo" else "token_mean", **own}


@lru_cache(maxsize=4096)
def describe_length(steps: int, warmup: int, batch_size: int) -> RecipePart:
    return make_part({"steps": steps, "warmup": warmup, "batch_size": batch_size})


@lru_cache(maxsize=4096)
def describe_subset(records: str, size: int, prefix: str, seed: int) -> RecipePart:
    """Describe which examples, in which order. The seeds are separate, because they are different things."""
    data: dict[str, Json] = {"records": records, "size": size, "subset": prefix}
    return make_part({"data": data, "seeds": {"subset": seed, "order": seed, "init": seed}})


@lru_cache(maxsize=256)
def describe_reading(model: str, tokenizer: str, renderer: str, loss_mask: LossMask) -> RecipePart:
    """Describe the model, its tokenizer and renderer, and the loss mask."""
    return make_part({"model": model, "tokenizer": tokenizer, "renderer": renderer, "loss_mask": loss_mask})


@lru_cache(maxsize=256)
def describe_environment(name: str, code: str) -> RecipePart:
    """Describe the environment; the same name with other code is another environment."""
    return make_part({"environment": {"name": name, "code": code, "acted": ACTED}})


@lru_cache(maxsize=256)
def describe_iterations(steps: int | None, tokens: int | None, warmup: int) -> RecipePart:
    """Describe how long RL trains: a number of iterations, or as many as come nearest to a number of tokens."""
    return make_part({"steps": steps, "tokens": tokens, "warmup": warmup})


@lru_cache(maxsize=4096)
def describe_playing(seed: int) -> RecipePart:
    """Describe the tasks and the random numbers. The seeds stand apart, because they are different things."""
    return make_part({"seeds": {"tasks": seed, "sampling": seed, "init": seed}})


@lru_cache(maxsize=256)
def describe_acting(model: str, tokenizer: str, renderer: str) -> RecipePart:
    """Describe who acts and how transcripts are read; only the model's own tokens bear loss."""
    return make_part({"model": model, "tokenizer": tokenizer, "renderer": renderer})


@lru_cache(maxsize=256)
def describe_episodes(count: int) -> RecipePart:
    """Describe the tasks that are kept apart from training: the first ones, the same for every model."""
    return make_part({"episodes": count})


@lru_cache(maxsize=256)
def describe_evaluator(
    name: str, version: int, options: tuple[tuple[str, Any], ...], items: str | None = None
) -> RecipePart:
    """Describe what an evaluation asks, and about which items; episodes have none."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in options}
    evaluator: dict[str, Json] = {"name": name, "version": version, **plain}
    described: dict[str, Json] = {"kind": "evaluate", "version": VERSION, "evaluator": evaluator}
    return make_part({**described, "items": items} if items else described)


@lru_cache(maxsize=4096)
def describe_part(size: int, prefix: str, seed: int) -> RecipePart:
    """Describe the part of the items that a training uses, in the order of its subset."""
    return make_part({"part": {"size": size, "subset": prefix, "seed": seed}})


def describe_reference(stage: str | None) -> RecipePart:
    """Describe the stage with the log-probabilities of the reference; None: the model is its own reference."""
    return make_part({"reference": stage})


def describe_place(parent: str | None, scope: str | None) -> RecipePart:
    """Describe the stage that it continues or measures, and who may share it."""
    return make_part({"parent": parent, "scope": scope})


@lru_cache(maxsize=4096)
def describe_execution(
    checkpoint: Any, eval_every: int | None, validation: str | None, diverged_above: float, turns: int = 0
) -> dict[str, Json]:
    """Describe how often to save and validate, and when to stop. It changes no result, so no recipe has it."""
    saved: dict[str, Json] = checkpoint.model_dump()
    return {
        **({"turns": turns} if turns else {}),
        "checkpoint": saved,
        "eval_every": eval_every,
        "validation": validation,
        "diverged_above": diverged_above,
    }

"""The pieces of which recipes are made: few, shared by many stages, each spelled once.

A recipe is the identity of a stage and all that the worker is told. So everything in it is resolved: steps and
warm-up are numbers, the batch is never larger than the data, and what changes no result is not in it.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from sweeps.identity import entries, fingerprint_of
from sweeps.recipe import BETA, Train
from sweeps.stage import Json

VERSION = 1  # of the recipes: a worker that would do the same recipe differently needs another
LOSS_MASKS = {"text": "all", "chat": "completion", "completion": "completion", "preference": "completion"}


class Piece(NamedTuple):
    """A part of a recipe, and its canonical text."""

    value: dict[str, Json]
    spelled: tuple[str, ...]


def piece(value: dict[str, Json]) -> Piece:
    return Piece(value, entries(value))


def recipe(pieces: Iterable[Piece]) -> dict[str, Json]:
    """The document that the pieces make together."""
    return {key: value for one in pieces for key, value in one.value.items()}


def identity(kind: str, pieces: Iterable[Piece]) -> str:
    """The id of the stage that has the recipe of these pieces."""
    return f"{kind}-{fingerprint_of(text for one in pieces for text in one.spelled)}"


@lru_cache(maxsize=4096)
def training(train: Train) -> Piece:
    """How to train, apart from how long."""
    layers: dict[str, Json] = {"mlp": train.train_mlp, "attn": train.train_attn, "unembed": train.train_unembed}
    adam: dict[str, Json] = train.adam.model_dump()
    return piece(
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
    """What the loss is, and over what it is a mean."""
    if train.method != "dpo":
        return {"reduction": "token_mean"}
    beta = BETA if train.beta is None else train.beta
    return {"reduction": "pair_mean", "beta": beta, "length_normalise": bool(train.length_normalise)}


@lru_cache(maxsize=4096)
def length(steps: int, warmup: int, batch_size: int) -> Piece:
    return piece({"steps": steps, "warmup": warmup, "batch_size": batch_size})


@lru_cache(maxsize=4096)
def subset(records: str, size: int, prefix: str, seed: int) -> Piece:
    """Which examples, in which order. The seeds stand apart, because they are different things."""
    data: dict[str, Json] = {"records": records, "size": size, "subset": prefix}
    return piece({"data": data, "seeds": {"subset": seed, "order": seed, "init": seed}})


@lru_cache(maxsize=256)
def reading(model: str, tokenizer: str, renderer: str, form: str) -> Piece:
    """By whom and how the text is read."""
    return piece({"model": model, "tokenizer": tokenizer, "renderer": renderer, "loss_mask": LOSS_MASKS[form]})


@lru_cache(maxsize=256)
def measuring(name: str, via: str, items: str) -> Piece:
    evaluator: dict[str, Json] = {"name": name, "version": 1, "via": via}
    return piece({"kind": "evaluate", "version": VERSION, "evaluator": evaluator, "items": items})


@lru_cache(maxsize=4096)
def part(size: int, prefix: str, seed: int) -> Piece:
    """Of the items only those that a training sees, in the order of its subset."""
    return piece({"part": {"size": size, "subset": prefix, "seed": seed}})


def reference(stage: str | None) -> Piece:
    """The stage that holds what the starting point gave the same pairs; None: the model is its own reference."""
    return piece({"reference": stage})


def place(parent: str | None, scope: str | None) -> Piece:
    """What it continues or measures, and who may share it."""
    return piece({"parent": parent, "scope": scope})


@lru_cache(maxsize=4096)
def execution(
    checkpoint: Any, eval_every: int | None, validation: str | None, diverged_above: float
) -> dict[str, Json]:
    """How often to save and to look, and when to give up: it changes no result, so it is no part of the recipe."""
    saved: dict[str, Json] = checkpoint.model_dump()
    return {
        "checkpoint": saved,
        "eval_every": eval_every,
        "validation": validation,
        "diverged_above": diverged_above,
    }

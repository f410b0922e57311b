"""The data of a plan, each part loaded and measured once: rows, lengths, orders, hashes of prefixes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.environments import Environment, EpisodeLost, NamedEnvironment, Split, Text
from sweeps.errors import DataError, PlanError
from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.evaluator import Evaluator
from sweeps.evaluation.forward_evaluator import ForwardEvaluator
from sweeps.planning.predetermined_metrics import PlannedQuestions, list_predetermined
from sweeps.planning.recipe_parts import LOSS_MASKS
from sweeps.records import Dataset, Records
from sweeps.rendering.chats import count_behind
from sweeps.rendering.messages import has_messages
from sweeps.rendering.prompts import render_prompt
from sweeps.rendering.render import LossMask, measure_inputs
from sweeps.rendering.renderers import Renderer, choose_renderer, load_renderer
from sweeps.rendering.tokenizer import Messages, Tokenizer, get_longest
from sweeps.rendering.turns import build_generation_prompt, list_stops, refuse_one_turn_only
from sweeps.spec.sections import DataSpec
from sweeps.training.data_order import count_group_rows, count_visits, hash_prefixes, order_subset

OBSERVED: Messages = ({"role": "user", "content": "c"},)
Load = Callable[[str, DataSpec], Dataset]


class SplitChats(NamedTuple):
    """Counts for chats that are split into one input for each answer.

    `once`: tokens of the longest input of each chat. `tokens`: of all inputs. `unread`: messages after the last trained
    answer, which are in no input.
    """

    rows: int
    inputs: int
    once: int
    tokens: int
    unread: int


class PlanData:
    """Keeps what it has loaded and measured: a plan needs the same data set, order and length many times."""

    def __init__(
        self,
        load: Load,
        tokenizers: Callable[..., Tokenizer],
        environments: Callable[[str], NamedEnvironment],
        sizes: Iterable[int],
        *,
        checks: Callable[[str], str],
        renderer: str | None = None,
        turns: str = "together",
    ) -> None:
        self.load = load
        self.asked = renderer
        self.turns = turns
        self.renderers: dict[tuple[str, str], str] = {}
        self.named: dict[str, str | None] = {}  # for each model the tokenizer that the file names, if any
        self._tokenizers = tokenizers
        self.tokenizer = lru_cache(maxsize=None)(self._tokenizer)
        self.environment = lru_cache(maxsize=None)(environments)
        self.check = lru_cache(maxsize=None)(checks)  # the digest of the code of a user check
        self.prompts = lru_cache(maxsize=None)(self._prompts)
        self.sizes = tuple(sizes)
        self.datasets: dict[tuple[str, DataSpec], Dataset] = {}
        self.foregone: dict[tuple[Any, ...], tuple[str, ...]] = {}  # notes about metrics that are decided beforehand
        self.prefixes: dict[tuple[str, int], dict[int, str]] = {}
        self.parted: dict[str, SplitChats] = {}
        self._lengths: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        self._asked: dict[tuple[Any, ...], tuple[int, ...]] = {}
        self._inputs: dict[tuple[str, str], Records] = {}
        self._owners: dict[str, Dataset] = {}  # content of records -> the data set that they are of
        self._sums: dict[tuple[str, str], int] = {}
        self._order = lru_cache(maxsize=64)(order_subset)
        self._visited: dict[tuple[Any, ...], int] = {}

    def name_tokenizer(self, model: str, address: str | None) -> None:
        """Record the tokenizer that the file names for a model. Raises PlanError if it names another one elsewhere."""
        known = self.named.setdefault(model, address)
        if known != address:
            got = f"{known or 'its own'} and {address or 'its own'} for {model}"
            raise PlanError(f"tokenizer: expected one for each model, got {got}; use `zip: [[model, tokenizer]]`")

    def _tokenizer(self, model: str) -> Tokenizer:
        address = self.named.get(model)
        return self._tokenizers(model) if address is None else self._tokenizers(model, address)

    def inputs(self, records: Records, evaluator: ForwardEvaluator) -> Records:
        """Return what an evaluator passes through the model for these records."""
        key = (records.sha256, evaluator.name)
        if key not in self._inputs:
            self._inputs[key] = made = evaluator.list_inputs(records)
            if records.sha256 in self._owners:
                self._owners.setdefault(made.sha256, self._owners[records.sha256])
        return self._inputs[key]

    def dataset(self, name: str, spec: DataSpec) -> Dataset:
        """Load a data set. Raises PlanError if it has no rows to train or to measure on."""
        if (name, spec) not in self.datasets:
            self.datasets[name, spec] = made = self._check(self.load(name, spec), spec)
            for records in made.parts:
                self._owners.setdefault(records.sha256, made)
        return self.datasets[name, spec]

    def list_contexts(self) -> dict[str, str | None]:
        """List what is read with the questions of each data set."""
        return {dataset.name: dataset.context for dataset in self.datasets.values()}

    @contextmanager
    def _name_data(self, records: Records) -> Iterator[None]:
        """Put the name of the data set before a DataError of the block."""
        try:
            yield
        except DataError as error:
            if (owner := self._owners.get(records.sha256)) is None:
                raise
            raise type(error)(f"data.{owner.name}: {error}") from None

    def _check(self, dataset: Dataset, spec: DataSpec) -> Dataset:
        where = f"data.{dataset.name} ({spec.source})"
        for part, records in (("training", dataset.train), ("held-out", dataset.holdout)):
            if not len(records):
                raise PlanError(f"{where}: expected {part} rows, got none; change `holdout`")
        return dataset

    def _prompts(self, name: str, model: str, split: Split, count: int) -> tuple[int, ...]:
        """Count the prompt tokens of each of the first tasks of an environment."""
        renderer = load_renderer(self.voice(name, model), self.tokenizer(model))
        prompts = (self._prompt(name, seed, split) for seed in range(count))
        return tuple(len(build_generation_prompt(prompt, renderer)) for prompt in prompts)

    def _prompt(self, name: str, seed: int, split: Split) -> Text:
        """Return the prompt of an episode. Raises PlanError if the environment fails, or returns something else."""
        where = f"{name}: its episode of seed {seed} ({split})"
        try:
            prompt = self.environment(name).environment.episode(seed, split).prompt
        except EpisodeLost as error:
            raise PlanError(f"{where} {error}") from error
        except (Exception, SystemExit) as error:
            raise PlanError(f"{where} raised {type(error).__name__}: {error}") from error
        if not (prompt if isinstance(prompt, str) else _are_messages(prompt)):
            raise PlanError(
                f"{where}: expected text, or messages with role and content, as its prompt, got {repr(prompt)[:80]}"
            )
        return prompt

    def prompts_of(
        self, records: Records, model: str, evaluator: AnswerEvaluator, options: Mapping[str, Any]
    ) -> tuple[int, ...]:
        """Count the tokens of each prompt of an evaluation; the model may write `most` tokens after each."""
        tokenizer, most = self.tokenizer(model), options["most"]
        key = (records.sha256, tokenizer.name, evaluator.name, *options.items())
        if key not in self._asked:
            renderer = load_renderer(self.renderer(records, model), tokenizer)
            prompts = (render_prompt(item.prompt, renderer) for item in evaluator.list_prompts(records, options))
            with self._name_data(records):
                self._asked[key] = tuple(len(build_generation_prompt(prompt, renderer)) for prompt in prompts)
        counted = np.array(self._asked[key], np.int64)
        if (longest := get_longest(tokenizer)) is not None:
            self._refuse_too_long(records, counted + most, model, longest)
        return self._asked[key]

    def look_ahead(
        self, records: Records, model: str, evaluator: Evaluator, options: Mapping[str, Any], on: str
    ) -> None:
        """Keep what the questions decide before the model is asked, for the plan to say. Raises PlanError."""
        if "check" not in options:
            return
        where = f"evaluate {evaluator.name} on {on}"
        tokenizer = self.tokenizer(model)
        key = (records.sha256, tokenizer.name, where, *options.items())
        if key not in self.foregone:
            renderer = load_renderer(self.renderer(records, model), tokenizer)
            ends = () if renderer.is_plain else list_stops(renderer)
            texts = [stop for stop in ends if isinstance(stop, str)]
            this = PlannedQuestions(where, evaluator, options, records, lambda text: len(tokenizer.encode(text)), texts)
            self.foregone[key] = tuple(f"{where}: {note}" for note in list_predetermined(this))

    def voice(self, name: str, model: str) -> str:
        """Choose the renderer for the messages of an environment, as a recipe names it."""
        tokenizer = self.tokenizer(model)
        key = (name, tokenizer.name)
        if key not in self.renderers:
            prompt = self._prompt(name, 0, "train")
            renderer = choose_renderer(self.asked, tokenizer, messages=not isinstance(prompt, str))
            if not isinstance(prompt, str):
                self._refuse_what_cannot_be_played(name, prompt, load_renderer(renderer, tokenizer))
            self.renderers[key] = renderer
        return self.renderers[key]

    def _refuse_what_cannot_be_played(self, name: str, prompt: Messages, renderer: Renderer) -> None:
        """Raise PlanError if every episode would fail after it was paid for: at its end, or at a second turn."""
        environment = self.environment(name).environment
        try:
            list_stops(renderer)
            if environment.shape.turns[1] > 1 and not isinstance(observed := _second(environment), str):
                refuse_one_turn_only(prompt, observed, renderer)
        except DataError as error:
            several = (
                "its episodes have several turns, and with this renderer " if environment.shape.turns[1] > 1 else ""
            )
            raise PlanError(f"{name}: {several}{error}") from None

    def renderer(self, records: Records, model: str) -> str:
        """Choose the renderer for the records, as a recipe names it."""
        tokenizer = self.tokenizer(model)
        key = (records.sha256, tokenizer.name)
        if key not in self.renderers:
            self.renderers[key] = choose_renderer(self.asked, tokenizer, messages=has_messages(records))
        return self.renderers[key]

    def lengths(self, records: Records, model: str) -> npt.NDArray[np.int64]:
        """Count the billed tokens of each record, rendered for the model."""
        tokenizer = self.tokenizer(model)
        key = (records.sha256, tokenizer.name)
        if key not in self._lengths:
            mask = self.loss_mask(records)
            renderer = self.renderer(records, model)
            with self._name_data(records):
                rows = measure_inputs(records, tokenizer, renderer, loss_mask=mask)
            inputs = np.array([length for row in rows for length in row], np.int64)
            self._lengths[key] = np.array([sum(row) for row in rows], np.int64)
            if mask == "each":
                unread = sum(count_behind(row["messages"]) for row in records.rows)
                sums = sum(map(max, rows)), int(inputs.sum())
                self.parted[records.sha256] = SplitChats(len(rows), len(inputs), *sums, unread)
            if (longest := get_longest(tokenizer)) is not None:
                self._refuse_too_long(records, inputs, model, longest)
        return self._lengths[key]

    def read_through(self, dataset: Dataset, model: str) -> None:
        """Render all chats of a data set now, also those that are held out and needed later.

        Raises DataError for the first that cannot be rendered.
        """
        for records in dataset.parts:
            if records.format == "chat":
                self.lengths(records, model)

    def loss_mask(self, records: Records) -> LossMask:
        """Choose the loss mask of the records; for a chat all answers together, or each alone."""
        return "each" if records.format == "chat" and self.turns == "each" else LOSS_MASKS[records.format]

    def _refuse_too_long(self, records: Records, counted: npt.NDArray[np.int64], model: str, most: int) -> None:
        """Raise PlanError for rows that are too long: the service refuses them after part of a batch is paid for."""
        if not (over := int((counted > most).sum())):
            return
        owner = self._owners.get(records.sha256)
        where = f"data.{owner.name} ({owner.source})" if owner else "data"
        too_long = f"{over:,} of {len(counted):,} rows have more, up to {int(counted.max()):,}"
        expected = f"expected rows of at most {most:,} tokens, the limit of {model}"
        raise PlanError(f"{where}: {expected}, got {too_long}; split them, or leave them out")

    def tokens(self, records: Records, model: str) -> int:
        """Count the billed tokens of all records once."""
        key = (records.sha256, self.tokenizer(model).name)
        if key not in self._sums:
            self._sums[key] = int(self.lengths(records, model).sum())
        return self._sums[key]

    def subset_lengths(self, records: Records, model: str, size: int, seed: int) -> npt.NDArray[np.int64]:
        """Return the lengths of the first `size` examples in the order of `seed`."""
        return self.lengths(records, model)[self._order(len(records), seed, records.groups)[:size]]

    def count_rows(self, records: Records, seed: int, size: int) -> int:
        """Count the rows of a size, which counts groups if there are any."""
        if not records.groups:
            return size
        return count_group_rows(self._order(len(records), seed, records.groups), records.groups, size)

    def visited(self, records: Records, model: str, *, size: int, batch_size: int, steps: int, seed: int) -> int:
        """Count the tokens of the rows that the steps visit."""
        key = (records.sha256, self.tokenizer(model).name, size, batch_size, steps, seed)
        if key not in self._visited:
            counted = count_visits(steps, size=size, batch_size=batch_size, seed=seed)
            self._visited[key] = int(counted @ self.subset_lengths(records, model, size, seed))
        return self._visited[key]

    def prefix(self, records: Records, seed: int, size: int) -> str:
        """Return the hash of the first `size` examples in the order of `seed`."""
        key = (records.sha256, seed)
        if key not in self.prefixes:
            order = self._order(len(records), seed, records.groups)
            asked = [size for size in (*self.sizes, records.units) if size <= records.units]
            sizes = {self.count_rows(records, seed, size) for size in asked}
            self.prefixes[key] = hash_prefixes(records.digests, order, sizes)
        return self.prefixes[key][size]


def _second(environment: Environment) -> Text:
    """Return an observation of the environment; if it has none, a message of a user."""
    try:
        observation = environment.episode(0, "train").step("b").observation
    except (Exception, SystemExit):  # noqa: BLE001 - its code is anything's; what it does while it is played is seen then
        observation = ""
    if isinstance(observation, str):
        return observation or OBSERVED
    return observation if _are_messages(observation) else OBSERVED


def _are_messages(prompt: Any) -> bool:
    """Say whether it is a list of messages, each with role and content as text."""
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes | bytearray) or not prompt:
        return False
    return all(
        isinstance(message, Mapping)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in prompt
    )

"""Questions put to a model: what it writes to each, or which of the candidates it holds for the likeliest."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, cast

import numpy as np

from scheduler.artefacts import compressed_lines
from scheduler.tokenizers import tokenizer_for
from sweeps.answering import Answered, Item, Said, bounds, chosen, items_of, metrics_from, score
from sweeps.dialogue import generation_prompt
from sweeps.questions import Ask, asked, choices
from sweeps.records import Records
from sweeps.render import Example, render_all
from sweeps.rollouts import chance_seed
from sweeps.sections import METRICS
from sweeps.stage import Json
from sweeps.tokens import Tokenizer
from worker.attempt import Attempt
from worker.outcome import Outcome, Succeeded, Unfit
from worker.sampler import Manner, Written
from worker.service import Losses, Trainer
from worker.writing import Request, write_all

DIVERGED = "a log-probability is not a number: the training that it is about has diverged"


class Question(NamedTuple):
    """What is asked, as the model reads it."""

    ask: Ask
    tokens: list[int]


def evaluate_answers(this: Attempt, trainer: Trainer) -> Outcome:
    """Have every question answered, and check the answers."""
    options = cast(Mapping[str, Any], this.recipe["evaluator"])
    name, abstain, samples = options["name"], options.get("abstain", ""), options.get("samples", 1)
    tokenizer = tokenizer_for(str(this.recipe["model"]))
    asks = asked(name, this.hands.examples.records(str(this.recipe["items"])), abstain=abstain)
    questions = [Question(ask, generation_prompt(ask.prompt, tokenizer)) for ask in asks]
    _, whole = bounds((len(each.tokens) for each in questions), samples, options["most"])
    if stop := this.stop_before(whole):
        return stop
    ends = () if tokenizer.eos is None else (tokenizer.eos,)
    manner = Manner(options["most"], ends, options.get("temperature", 0.0))
    requests = (Request(tokens, samples, _chances(ask, tokens)) for ask, tokens in questions)
    said = write_all(this, this.wait(trainer.sampler()), requests, manner, this.spending.add)
    found = [
        _checked(options, abstain, each.ask, [_said(one, tokenizer) for one in written])
        for each, written in zip(questions, said, strict=True)
    ]
    return Succeeded(_result(this, items_of(name, found, abstain)), steps=0)


def _chances(ask: Ask, tokens: Sequence[int]) -> int:
    return chance_seed(0, iteration=0, group=ask.item, transcript=tokens)


def _said(written: Written, tokenizer: Tokenizer) -> Said:
    """The text without the token that ends it, and the probability of all tokens together."""
    tokens = written.tokens.tolist()
    ended = bool(tokens) and tokens[-1] == tokenizer.eos
    total = math.fsum(written.logprobs.tolist())
    if not math.isfinite(total):
        raise Unfit(DIVERGED)
    return Said(tokenizer.decode(tokens[:-1] if ended else tokens), math.exp(min(0.0, total)))


def _checked(options: Mapping[str, Any], abstain: str, ask: Ask, said: Sequence[Said]) -> Answered:
    """To abstain is said in one way, whatever the answers are checked by."""
    check = "exact" if ask.answers == (abstain,) else options["check"]
    return Answered(ask, said, [score(check, one.text, ask.answers) for one in said])


def choice_examples(this: Attempt) -> list[Example]:
    """Every candidate of every question behind its prompt."""
    tokenizer, renderer = tokenizer_for(str(this.recipe["model"])), str(this.recipe["renderer"])
    pairs, _ = choices(this.hands.examples.records(str(this.recipe["items"])))
    return render_all(pairs, tokenizer, renderer=renderer, loss_mask="completion")


def of_choice(this: Attempt, examples: Sequence[Example]) -> Callable[[Sequence[Losses]], dict[str, Json]]:
    records = this.hands.examples.records(str(this.recipe["items"]))
    return partial(_choice_result, this, examples, records)


def _choice_result(
    this: Attempt, examples: Sequence[Example], records: Records, answers: Sequence[Losses]
) -> dict[str, Json]:
    logprobs = [each for answer in answers for each in answer.logprobs]
    sums = iter(
        float(np.dot(values.astype(np.float64), example.weights.astype(np.float64)))
        for example, values in zip(examples, logprobs, strict=True)
    )
    found: list[Item] = []
    for item, row in enumerate(records.rows):
        scores = list(islice(sums, len(row["candidates"])))
        if not all(map(math.isfinite, scores)):
            raise Unfit(DIVERGED)
        found.append(chosen(item, scores, [candidate in row["answers"] for candidate in row["candidates"]]))
    return _result(this, found)


def _result(this: Attempt, items: Sequence[Item]) -> dict[str, Json]:
    name = str(cast(Mapping[str, Any], this.recipe["evaluator"])["name"])
    return {
        "metrics": dict(metrics_from(items, METRICS[name])),
        "items": this.keep("items.jsonl.gz", compressed_lines(items)),
        "count": len(items),
        "usage": this.spending.usage.document(),
    }

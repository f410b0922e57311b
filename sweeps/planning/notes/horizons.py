"""Note data that an offline model cannot learn, because what decides an answer is out of its sight."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from sweeps.formatting import format_count
from sweeps.planning.notes.refusing_answers import Refusals, count_refusals, is_copied, split_example
from sweeps.planning.plan_data import PlanData
from sweeps.records import Records
from sweeps.rendering.alike_characters import AlikeTexts, count_alike
from sweeps.rendering.render import Example, render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.rendering.unread_signs import SignsAlike, count_sign_decisions
from sweeps.scaling.coded_text import CodedText, read_code

WARNING = "warning: "  # before a note of what makes the answer worthless
HORIZONS = {"offline/ngram-s": 4, "offline/ngram-m": 5, "offline/ngram-l": 6, "offline/ngram-r": 4}  # characters
REPEATS = "offline/ngram-r"  # it can also repeat what stood before
READS_ALL = "offline/chat-s"
FINDS = "offline/chat-r"  # READS_ALL that also finds the line that answers
READERS = (READS_ALL, FINDS)
PLACES, WORDS = 192, 48  # that READERS see before an answer: characters by their distance, and words
REACH = f"{PLACES} characters by their places, and {WORDS} words"
ANSWERED = ("completion", "chat", "transcript", "questions")  # the formats in which something answers something
FEWEST = 20  # rows: fewer say nothing about what other rows decide
ENOUGH = 500  # rows that are read for it
MOST_TOKENS = 20_000  # learnt tokens that are read
INTRODUCING = ":=>?|"  # signs behind which, and a space, it looks back; a line's beginning does too
WORD, LONG_WORD = re.compile(r"\w+"), 16
SHOWN = 24  # characters of an example in a note
LEAST = 0.5  # share of the answers beyond the commonest one, below which there is a note


class Decided(NamedTuple):
    """How many answers a model can decide, of how many, and how many the commonest answer alone is right for."""

    right: int
    total: int
    commonest: int

    @property
    def is_little(self) -> bool:
        """Say whether little is decided beyond what always giving the commonest answer gets right."""
        return self.right - self.commonest < LEAST * (self.total - self.commonest)


MANY = 0.05  # share of the rows that have something that reads as another, from which it is a warning


def note_alike(models: Sequence[str], data: PlanData) -> Iterator[str]:
    """Note inputs with different answers, and answers, that an offline model reads as the same."""
    asked = [model for model in dict.fromkeys(models) if isinstance(data.tokenizer(model), OfflineTokenizer)]
    for dataset in data.datasets.values() if asked else ():
        if dataset.train.format in (*ANSWERED, "preference"):
            renderer, mask = data.renderer(dataset.train, asked[0]), data.loss_mask(dataset.train)
            parts = [part for part in dataset.parts if part.format == dataset.train.format]
            alike = count_alike(parts, renderer=renderer, loss_mask=mask)
            if alike.inputs or alike.answers:
                warning = WARNING if alike.share >= MANY else ""
                yield CodedText("read_alike", f"{warning}data.{dataset.name}: {_describe_alike(asked[0], alike)}")


def _describe_alike(model: str, alike: AlikeTexts) -> str:
    counts = [
        f"the answers of {alike.answers:,} of {format_count(alike.rows, 'row')} read as another"
        if alike.answers
        else "",
        f"the inputs of {alike.inputs:,} read as one with another answer" if alike.inputs else "",
    ]
    example = " and ".join(repr(text if len(text) <= SHOWN else f"…{text[-SHOWN:]}") for text in alike.examples)
    why = f"{model} reads each character outside printable ASCII as the same unknown one"
    return f"{why}: {', and '.join(filter(None, counts))} (such as {example}); write them in ASCII"


def _describe_signs(model: str, alike: SignsAlike) -> str:
    answers = f"{alike.answers:,} of {format_count(alike.total, 'answer')}"
    example = " and ".join(map(repr, alike.examples))
    why = f"{model} chooses by words, and sees signs only beside what it writes or copies"
    return f"{why}: {answers} depend on signs alone (such as {example}); write these signs as words"


NONE = Counter[int]()
Pair = tuple[tuple[int, ...], int]  # the tokens that are seen, and the one that follows


def note_horizons(models: Sequence[str], data: PlanData) -> Iterator[str]:
    """Note data of whose answers a model can decide few, because it does not see what decides them."""
    for model in models:
        known = model in HORIZONS or model in READERS
        asked = {
            name: (dataset.name, _render_some(dataset.train, model, data))
            for name, dataset in data.datasets.items()
            if known and dataset.train.format in ANSWERED and len(dataset.train) >= FEWEST
        }
        remedy = FINDS if any(count_refusals(some).refused for _, some in asked.values()) else READS_ALL
        for name, some in asked.values():
            for words in _note_model(model, some, remedy):
                yield CodedText(read_code(words), f"{WARNING}data.{name}: {words}")
            if model in READERS and (alike := count_sign_decisions(some)).answers >= MANY * alike.total:
                yield CodedText("signs_alike", f"{WARNING}data.{name}: {_describe_signs(model, alike)}")


def _note_model(model: str, examples: Sequence[Example], remedy: str) -> Iterator[str]:
    if model in READERS:
        yield from _note_reader(model, examples)
        return
    decided = count_decided(examples, HORIZONS[model], repeats=model == REPEATS)
    if decided.is_little:
        repeats = ", and what it can repeat" if model == REPEATS else ""
        what = f"the last {HORIZONS[model]} characters before an answer{repeats}"
        answers = f"of your {decided.total:,} answers"
        enough = f"enough for only {decided.right:,} {answers}" if decided.right else f"not enough for any {answers}"
        alone = f" (always giving the commonest answer gets {decided.commonest:,})" if decided.commonest > 1 else ""
        far = sum(map(is_out_of_reach, examples))
        more = f", which sees {REACH}; {far:,} answers have more before them" if far > LEAST * len(examples) else ""
        yield f"{model} sees only {what}; that is {enough}{alone}; use {remedy}{more}"


def _note_reader(model: str, examples: Sequence[Example]) -> Iterator[str]:
    if model != FINDS and (refusals := count_refusals(examples)).refused:
        yield _describe_refusals(model, refusals)
    if (far := sum(map(is_out_of_reach, examples))) > LEAST * len(examples):
        before = f"{far:,} of {len(examples):,} answers have more before them"
        yield f"{model} sees {REACH}: {before}, which it can only copy from; put what decides near the answer"
    elif (hidden := sum(map(is_not_introduced, examples))) > LEAST * len(examples):
        yield (
            f"{model} sees {REACH} only behind a line's beginning, or behind one of {INTRODUCING} and a space: "
            f"{hidden:,} of {len(examples):,} answers begin elsewhere; end what is asked with `: `"
        )


def _describe_refusals(model: str, refusals: Refusals) -> CodedText:
    often = f"{refusals.refused:,} of {refusals.total:,} answers are {refusals.answer!r}, where the others are copied"
    return CodedText("refuses", f"{model} cannot tell whether a line answers what is asked: {often}; use {FINDS}")


def _render_some(records: Records, model: str, data: PlanData) -> list[Example]:
    """Render the first rows, as far as they are needed."""
    some = replace(records, rows=records.rows[:ENOUGH])
    renderer, mask = data.renderer(records, model), data.loss_mask(records)
    examples, tokens = list[Example](), 0
    for example in render_all(some, data.tokenizer(model), renderer=renderer, loss_mask=mask):
        tokens += int(example.weights.sum())
        if tokens > MOST_TOKENS and len(examples) >= FEWEST:
            break
        examples.append(example)
    return examples


def is_out_of_reach(example: Example) -> bool:
    """Say whether an answer that cannot be copied has more before it than the models that read all see."""
    return is_beyond_reach(example) and not is_copied(*split_example(example))


def is_beyond_reach(example: Example) -> bool:
    """Say whether more stands before the first answer than the model that reads all sees in any way but to copy."""
    before = example.tokens.tolist()[: int(example.weights.argmax()) + 1]
    words = WORD.findall(OfflineTokenizer().decode(before))
    are_symbols = len(words) * LONG_WORD < len(before)  # no words at all, but a signal or a code
    return len(before) > PLACES and (len(words) > WORDS or are_symbols)


def count_decided(examples: Sequence[Example], horizon: int, *, repeats: bool = False) -> Decided:
    """Count the answers that a model could give that sees `horizon` tokens and knows all other examples.

    Each learnt token must be the most frequent one that follows, in other examples, the longest context that they have.
    What is new although the horizon reaches the beginning counts too, and with `repeats` what stands before the answer.
    """
    followers: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    pairs = [list(_list_pairs(example, horizon)) for example in examples]
    for pair in pairs:
        _add(followers, pair, 1)
    answers = [_read_answer(example) for example in examples]
    commonest = max(Counter(answers).values(), default=0)
    right = 0
    for example, pair, answer in zip(examples, pairs, answers, strict=True):
        _add(followers, pair, -1)
        is_given = all(_is_decided(followers, before, token, horizon) for before, token in pair)
        right += is_given or (repeats and _is_repeated(example, answer))
        _add(followers, pair, 1)
    return Decided(right, len(examples), commonest)


def _add(followers: dict[tuple[int, ...], Counter[int]], pairs: Sequence[Pair], times: int) -> None:
    for before, token in pairs:
        for start in range(len(before)):
            followers[before[start:]][token] += times


def _is_decided(
    followers: dict[tuple[int, ...], Counter[int]], before: tuple[int, ...], token: int, horizon: int
) -> bool:
    """Say whether no other token follows the longest known context more often; what is seen whole may be new."""
    for start in range(len(before)):
        counts = followers.get(before[start:], NONE)
        if (most := max(counts.values(), default=0)) > 0:
            return counts[token] == most
        if len(before) < horizon:
            return True
    return False


def _list_pairs(example: Example, horizon: int) -> Iterator[Pair]:
    tokens = example.tokens.tolist()
    for place, weight in enumerate(example.weights.tolist(), 1):
        if weight:
            yield tuple(tokens[max(0, place - horizon) : place]), tokens[place]


def _read_answer(example: Example) -> tuple[int, ...]:
    return tuple(example.tokens[1:][example.weights > 0].tolist())


def _is_repeated(example: Example, answer: tuple[int, ...]) -> bool:
    """Say whether the answer, without its end, stands in the text before it."""
    before = example.tokens.tolist()[: int(example.weights.argmax()) + 1]
    text = answer[:-1] if len(answer) > 1 else answer
    return any(tuple(before[at : at + len(text)]) == text for at in range(len(before) - len(text) + 1))


def is_not_introduced(example: Example) -> bool:
    """Say whether the first answer begins where the model that reads all does not look back at words and places."""
    before = OfflineTokenizer().decode(example.tokens.tolist()[: int(example.weights.argmax()) + 1])
    start = before[before.rfind("\n") + 1 :]
    return bool(start) and not (len(start) > 1 and start[-1] == " " and start[-2] in INTRODUCING)

"""What models answered, item by item, the wrong ones first: before training, after it, and by another run beside it.

An episode is an item too: its text is the whole conversation with the environment.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from scheduler.errors import UnknownMetric, UnknownRun
from scheduler.state import views
from sweeps.formatting import format_cell
from web.marks import mark_sweep
from web.pages.run_page import find_run
from web.received.forms import FormInvalid
from web.site import Here, Site, Visiting
from web.templating import show_page

PAGE = 20  # items on a page
PATIENCE = 20.0  # seconds for the files of items to be read
LONGEST = 20_000  # characters of one text that are shown
ROLE = re.compile(r"<\|im_start\|>(\w+)\n|<\|start_header_id\|>(\w+)<\|end_header_id\|>\n*")
END = re.compile(r"<\|(?:im_end|eot_id|end_of_text|endoftext)\|>\n*")


class ItemWish(NamedTuple):
    """What a reader wants to see."""

    metric: str  # of the evaluation; empty: the first one
    run: int | None  # None: the best one
    other: int | None  # to be shown beside it
    words: str  # that an item must hold
    start: int  # how many items come before the page


class ShownTurn(NamedTuple):
    """A turn of a conversation; plain text is one turn of nobody."""

    role: str
    text: str


class ShownPrompt(NamedTuple):
    """One prompt about an item: what is right, and what each model wrote."""

    under: str
    question: str
    right: Sequence[str]
    columns: Sequence[Sequence[Sequence[ShownTurn]]]  # before, after and the other run: the texts of each


class ShownItem(NamedTuple):
    """An item with the score of each column; None: it was not measured."""

    item: Any
    scores: Sequence[float | None]
    prompts: Sequence[ShownPrompt]


def split_turns(text: str) -> list[ShownTurn]:
    """Split a text by the marks that chat templates put before a turn."""
    shown = text[:LONGEST] + ("…" if len(text) > LONGEST else "")
    pieces = ROLE.split(shown)
    if len(pieces) == 1:
        return [ShownTurn("", END.sub("", shown))]
    said_before = [ShownTurn("", pieces[0])] if pieces[0].strip() else []
    marked = zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True)
    return said_before + [ShownTurn(first or second, END.sub("", words)) for first, second, words in marked]


def read_sampled(site: Site, name: str, metric: str, run: int | None) -> Any:
    """Read every item of an evaluation (of each, without a metric) of a run, or of the best one: `SweepSamples`."""
    key = json.dumps({"name": name, "metric": metric, "where": describe_run(site, name, run)}, sort_keys=True)
    look = site.samples.look(key, mark_sweep(site.store, name), patience=PATIENCE)
    if look.failed:
        raise UnknownMetric(look.failed)
    return look.value


def describe_run(site: Site, name: str, run: int | None) -> dict[str, str]:
    """Describe a run as `sweep samples NAME KEY=VALUE` does."""
    if run is None:
        return {}
    row = find_run(site, name, run)
    return {key: format_cell(key, value) for key, value in {**row["cell"], "seed": row["seed"]}.items()}


def join_samples(first: Sequence[Any], other: Mapping[Any, Any] | None) -> Iterator[ShownItem]:
    """Put the samples of two runs side by side, in the order of the first."""
    for sample in first:
        beside = None if other is None else other.get(sample.item)
        scores = [sample.before, sample.after] + ([] if other is None else [beside.after if beside else None])
        prompts = []
        for place, prompt in enumerate(sample.prompts):
            texts = [prompt.before, prompt.after]
            if other is not None:
                texts.append(beside.prompts[place].after if beside and place < len(beside.prompts) else ())
            columns = [[split_turns(text) for text in column] for column in texts]
            prompts.append(ShownPrompt(prompt.under, prompt.question, prompt.right, columns))
        yield ShownItem(sample.item, scores, prompts)


def holds(sample: Any, words: str) -> bool:
    """Does anything about an item hold these words?"""
    wanted = words.casefold()
    return any(
        wanted in text.casefold()
        for prompt in sample.prompts
        for text in (prompt.question, *prompt.right, *prompt.before, *prompt.after)
    )


router = APIRouter(include_in_schema=False)


@router.get("/sweeps/{name}/items")
def show_items(request: Request, name: str, site: Here, visitor: Visiting) -> Response:
    """Show a page of items, chosen by what they hold."""
    wish, view = read_wish(request), views.read_sweep(site.store, name)
    values = {"view": view, **wish._asdict(), "evaluation": None, "known": []}
    try:
        sampled = read_sampled(site, name, wish.metric, wish.run)
        beside = read_sampled(site, name, wish.metric, wish.other) if wish.other is not None else None
    except (UnknownMetric, UnknownRun) as error:
        return show_page("items.html", visitor, {**values, "problem": str(error)}, 404)
    if sampled is None:
        return show_page("items.html", visitor, {**values, "problem": "later"})
    return show_page("items.html", visitor, {**values, **choose_items(sampled, beside, wish.words, wish.start)})


def read_wish(request: Request) -> ItemWish:
    """Read what the address asks for; an empty field of the form asks for nothing."""
    query = request.query_params
    run, other, start = (read_number(query.get(name, "")) for name in ("run", "other", "after"))
    return ItemWish(query.get("metric", ""), run, other, query.get("words", "")[:200], start or 0)


def read_number(text: str) -> int | None:
    """Read a number; None if the text is empty. Raise FormInvalid."""
    if not text.strip():
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        raise FormInvalid(f"expected the number of a run, got {text[:40]!r}")
    return int(text)


def choose_items(sampled: Any, beside: Any, words: str, start: int) -> Mapping[str, Any]:
    """Choose the evaluation and the items of a page."""
    evaluation = next(iter(sampled.evaluations), None)
    problem = "; ".join(f"{measure}: {reason}" for measure, reason in sampled.unsampled.items())
    if evaluation is None:
        return {"evaluation": None, "known": sampled.metrics, "problem": problem or "nothing is measured yet"}
    chosen = [sample for sample in evaluation.chosen.worst if not words or holds(sample, words)]
    matches = [match for match in beside.evaluations if match.metric == evaluation.metric] if beside else []
    match = next(iter(matches), None)
    others = None if match is None else {sample.item: sample for sample in match.chosen.worst}
    return {
        "evaluation": evaluation,
        "known": list(dict.fromkeys([*sampled.metrics, evaluation.metric])),
        "problem": "",
        "items": list(join_samples(chosen[start : start + PAGE], others)),
        "found": len(chosen),
        "more": start + PAGE if start + PAGE < len(chosen) else None,
        "match": match,
    }

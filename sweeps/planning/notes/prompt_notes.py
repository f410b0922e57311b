"""Note what the prompts and candidates of questions make of an answer, whatever a model learns."""

from collections.abc import Iterable, Iterator, Sequence

from sweeps.evaluation.choice import CHOICE
from sweeps.formatting import format_count
from sweeps.planning.measured_places import add_candidates, list_places
from sweeps.records import Dataset
from sweeps.rendering.prompts import find_prompt_axes
from sweeps.scaling.coded_text import CodedText
from sweeps.spec.model import SweepFields

UNLIKE, LONGER = 2, 8  # times the characters of the shortest candidate, and characters more, from which there is a note
CUT = 24  # characters of a candidate in a note


def note_prompts(sweep: SweepFields) -> Iterator[str]:
    """Note that conditions are asked with different prompts, where the sweep varies what a model reads."""
    evaluators = {evaluation.title: evaluation.evaluator for evaluation in sweep.evaluate}
    names = [name for name, asked in evaluators.items() if asked.formats and not asked.reads_whole_context]
    if names and (axes := find_prompt_axes(sweep.vary)):
        asked = f"{', '.join(names)}: each condition has prompts of its own"
        differ = "so a difference is in what it reads as well as in what it learnt; `rag` asks all the same"
        yield CodedText("prompts_differ", f"vary: {', '.join(axes)}: {asked}, {differ}")


def note_candidate_lengths(sweep: SweepFields, datasets: Iterable[Dataset]) -> Iterator[str]:
    """Note candidates of unlike length: a choice compares the probability of whole candidates, so short ones gain."""
    choices = [evaluation for evaluation in sweep.evaluate if evaluation.evaluator is CHOICE]
    places = [
        (dataset.name, place.on, add_candidates(dataset, choices[0], place.records).rows)
        for dataset in (datasets if choices else ())
        for place in list_places(dataset, choices[0])
    ]
    for data, on, rows in places:
        listed = [row["candidates"] for row in rows if "candidates" in row]
        unlike = [candidates for candidates in listed if _are_unlike(candidates)]
        if listed and 2 * len(unlike) >= len(listed):
            short, long = (pick(unlike[0], key=len)[:CUT] for pick in (min, max))
            what = f"candidates of {len(unlike):,} of {format_count(len(listed), 'question')} in {on} differ in length"
            far = f"by more than {UNLIKE} times ({short!r}, {long!r})"
            why = "whole candidates are compared, so short ones are likelier before anything is learnt"
            yield CodedText("candidates_unlike", f"data.{data}: {what} {far}; {why}")


def _are_unlike(candidates: Sequence[str]) -> bool:
    lengths = [len(text) for text in candidates]
    return max(lengths) > UNLIKE * min(lengths) and max(lengths) - min(lengths) >= LONGER

"""Stages in which a model answers questions: what they are, and what they use at least and at most."""

from collections.abc import Mapping
from typing import Any

from sweeps.answering import bounds
from sweeps.cost import Rates, Usage
from sweeps.planning import pieces
from sweeps.planning.asked import Measuring
from sweeps.planning.pieces import Piece
from sweeps.planning.shelf import Shelf
from sweeps.questions import choices
from sweeps.records import Records
from sweeps.sections import is_checker


def asking(
    shelf: Shelf, rates: Rates, asked: Measuring, records: Records, options: Mapping[str, Any]
) -> tuple[Piece, Usage, Usage]:
    """The part of the recipe that says what is asked; usage at least and at most."""
    name = asked.evaluation.name
    shelf.look_ahead(records, asked.model, name, options, asked.on)
    if options["check"] == "choice":
        usage = rates.passed(shelf.tokens(choices(records)[0], asked.model))
        return pieces.asking(name, (("check", "choice"),), records.sha256), usage, usage
    prompts = shelf.prompts_of(records, asked.model, name, options)
    low, high = bounds(prompts, options.get("samples", 1), options["most"])
    code = (("code", shelf.check(options["check"])),) if is_checker(options["check"]) else ()
    return pieces.asking(name, (*options.items(), *code), records.sha256), low, high

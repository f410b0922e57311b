"""Stages in which a model answers questions: what they are, and what they use at least and at most."""

from collections.abc import Mapping
from typing import Any

from sweeps.cost import Rates, Usage
from sweeps.evaluation.scoring import bounds
from sweeps.planning import recipe_parts
from sweeps.planning.plan_data import Shelf
from sweeps.planning.recipe_parts import Piece
from sweeps.planning.stage_requests import Measuring
from sweeps.records import Records
from sweeps.rendering.prompts import choices
from sweeps.spec.evaluation_section import is_checker


def asking(
    shelf: Shelf, rates: Rates, asked: Measuring, records: Records, options: Mapping[str, Any]
) -> tuple[Piece, Usage, Usage]:
    """The part of the recipe that says what is asked; usage at least and at most."""
    name = asked.evaluation.name
    shelf.look_ahead(records, asked.model, name, options, asked.on)
    if options["check"] == "choice":
        usage = rates.passed(shelf.tokens(choices(records)[0], asked.model))
        return recipe_parts.asking(name, (("check", "choice"),), records.sha256), usage, usage
    prompts = shelf.prompts_of(records, asked.model, name, options)
    low, high = bounds(prompts, options.get("samples", 1), options["most"])
    code = (("code", shelf.check(options["check"])),) if is_checker(options["check"]) else ()
    return recipe_parts.asking(name, (*options.items(), *code), records.sha256), low, high

"""What is known of an account, in words."""

import time
from collections.abc import Iterator

from scheduler.state.service_facts import ServiceFacts
from sweeps.formatting import format_count, format_duration
from sweeps.stage import Json

INEXACT = "a resumed run is not exact, for it begins with cold moments"


def describe_facts(facts: ServiceFacts) -> str:
    """One line, with the age of the oldest answer in it."""
    asked = (
        "" if facts.asked_at is None else f" (asked {format_duration(time.time() - facts.asked_at.timestamp())} ago)"
    )
    return "; ".join(_list_answers(facts)) + asked


def _list_answers(facts: ServiceFacts) -> Iterator[str]:
    if facts.moments is not None:
        yield "a resumed run goes on exactly" if facts.moments else INEXACT
    if facts.finish is not None:
        yield f"sessions of dead workers {'can be finished' if facts.finish else 'end by themselves'}"
    if facts.forward is not None:
        yield f"`forward` is billed as {facts.forward}"
    if facts.pending is not None:
        yield "the bill that says as what `forward` is billed is still to come"
    if facts.clients is not None:
        yield f"{'' if facts.capped else 'at least '}{format_count(facts.clients, 'training client')} at once"
    if facts.lacks:
        yield f"it does not offer {', '.join(lack.call for lack in facts.lacks)}"
    if facts.models:
        yield format_count(len(facts.models), "model")


def facts_document(facts: ServiceFacts) -> Json:
    """The same for programs; null where it is not known."""
    return {
        "service": facts.service,
        "moments": facts.moments,
        "finish": facts.finish,
        "forward": facts.forward,
        "clients": facts.clients,
        "capped": facts.capped,
        "models": list(facts.models),
        "lacks": {lack.call: lack.status for lack in facts.lacks},
        "pending": None if facts.pending is None else facts.pending.session,
        "asked": {name: moment.isoformat() for name, moment in facts.times.items()},
    }

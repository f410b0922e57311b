"""Describe what is known of an account at a service: for people and for programs."""

import time
from collections.abc import Iterator

from scheduler.state.service_facts import ServiceFacts
from sweeps.formatting import format_count, format_duration
from sweeps.stage import Json

INEXACT = "a resumed run is not exact: the optimizer starts with cold moments"

KEYS = {  # of the answers, as programs read them
    "moments": "resumes_exactly",
    "finish": "finishes_sessions",
    "forward": "forward_billed_as",
    "clients": "training_clients",
    "models": "models",
}


def describe_facts(facts: ServiceFacts) -> str:
    """Describe the account in one line, with the age of the oldest answer."""
    text = "; ".join(_list_answers(facts))
    if facts.asked_at is None:
        return text
    return f"{text} (asked {format_duration(time.time() - facts.asked_at.timestamp())} ago)"


def _list_answers(facts: ServiceFacts) -> Iterator[str]:
    if facts.moments is not None:
        yield "a resumed run is exact" if facts.moments else INEXACT
    if facts.finish is not None:
        yield f"sessions of dead workers {'can be closed' if facts.finish else 'end by themselves'}"
    if facts.forward is not None:
        yield f"`forward` is billed as {facts.forward}"
    if facts.pending is not None:
        yield "how `forward` is billed is not known yet: the bill comes hours later"
    if facts.clients is not None:
        yield f"{'' if facts.capped else 'at least '}{format_count(facts.clients, 'training client')} at once"
    if facts.lacks:
        yield f"missing calls: {', '.join(lack.call for lack in facts.lacks)}"
    if facts.models:
        yield format_count(len(facts.models), "model")


def make_facts_document(facts: ServiceFacts) -> Json:
    """Return the same for programs; null for what is not known."""
    return {
        "service": facts.service,
        "resumes_exactly": facts.moments,
        "finishes_sessions": facts.finish,
        "forward_billed_as": facts.forward,
        "training_clients": facts.clients,
        "training_clients_capped": facts.capped,
        "models": list(facts.models),
        "missing_calls": {lack.call: lack.status for lack in facts.lacks},
        "pending_session": None if facts.pending is None else facts.pending.session,
        "asked_at": {KEYS[name]: moment.timestamp() for name, moment in facts.times.items()},
    }

"""Keep the answer of a sweep before what it is drawn from goes: its facts, its text, and its report as a page.

Writes the page to the artefact store and the rest to Redis, the page first.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scheduler.artefacts import Artefacts
from scheduler.state import keys
from scheduler.state.keeping.packing import pack, unpack
from scheduler.state.store import Store
from sweeps.stage import Json


class KeptAnswer(NamedTuple):
    """What a sweep answered when its details were still there."""

    facts: Mapping[str, Any]  # as `sweep results --format json` has them
    sentence: str  # the conclusion
    text: str  # the answer in Markdown
    page: str  # the path of the whole report in the artefact store


def keep_answer(store: Store, artefacts: Artefacts, name: str, url: str) -> bool:
    """Keep the answer of a sweep that has ended. Its items lie at `url`. Return False if it has not ended."""
    from scheduler.report_inputs import gather_inputs, read_style  # the statistics, which only this step needs
    from sweeps.report.compose import compose, compose_answer, list_facts
    from sweeps.report.html import render_html
    from sweeps.report.markdown import render_markdown

    material = gather_inputs(store, name, store.scripts.read_time(), url=url)
    report = compose(material)
    page = f"reports/{store.read_fleet_name()[:12]}/{name}.html"
    artefacts.write(page, render_html(report, read_style()).encode())
    answer: dict[str, Json] = {
        "facts": {**list_facts(material), "unread": list(material.unread)},
        "sentence": report.conclusion.sentence if report.conclusion else "",
        "text": render_markdown(compose_answer(material)),
        "page": page,
    }
    return bool(store.scripts.run("keep_answer", name, pack(answer)))


def read_kept_answer(store: Store, name: str) -> KeptAnswer | None:
    """Read the answer that a sweep has kept; None while its details are there."""
    text = store.client.get(keys.sweep_answer(name))
    return None if text is None else KeptAnswer(**unpack(text))

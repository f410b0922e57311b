"""A fault document, and the series of faults that follows from it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tinker_offline.process import ROOT
from tinker_offline.faults.accidents import Accident, AccidentSeries, Faults, FaultsInvalid, read_faults
from tinker_offline.routes import list_paths

NIGHT = """
seed: 7
rules:
  - {on: forward_backward, share: 0.3, answer: {status: 429, retry_after: 2}}
  - on: [optim_step, "save_*"]
    share: 0.5
    drop: after
    during: {from: 10, for: 5}
  - {on: "*", delay: 0.5, times: 2}
max_clients: 2
pause: {from: 1, for: 20}
silence: 30
account: {moments: false, forward: prefill}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the document: "),
        ("rules: [", "line 1"),
        ("{seed: 1, seed: 2}", "twice"),
        ("clients: 3", "clients: "),
        ("account: {forward: free}", "account.forward: "),
        ("account: {clients: 3}", "account.clients: "),
        ("cycle: 0", "cycle: "),
        ("rules: [{on: optim_step}]", "rules.0: expected exactly one of answer, drop, delay, slow, never, got "),
        ("rules: [{on: optim_step, delay: 1, never: true}]", "got delay and never"),
        ("rules: [{on: optim_step, share: 3, delay: 1}]", "rules.0.share: "),
        ("rules: [{on: optim_step, answer: {status: 200}}]", "rules.0.answer.status: "),
        ("rules: [{on: optim_stop, delay: 1}]", "got 'optim_stop'"),
        ("rules: [{on: session_heartbeat, slow: 1}]", "asample, create_model, forward_backward"),
        ("rules: [{on: [optim_step, nothing], delay: 1}]", "got 'nothing'"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(FaultsInvalid) as caught:
        read_faults(text, list_paths())
    assert words in str(caught.value)


def test_every_example_of_the_page_is_a_document() -> None:
    page = (ROOT / "docs" / "reference" / "fault-documents.md").read_text()
    rules = re.findall(r"^\|[^|]*\| `(\{on: .*?\})`", page, re.MULTILINE)
    whole = re.findall(r"^\|[^|]*\| `((?:max_clients|pause|silence|cycle|account): .*?)`", page, re.MULTILINE)
    [block] = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert (len(rules), len(whole)) == (12, 8)
    for text in [block, *whole, *(f"rules: [{rule}]" for rule in rules)]:
        read_faults(text, list_paths())


def test_every_path_of_the_api_can_be_named() -> None:
    for path in list_paths():
        pattern = path.replace("{", "*").partition("*")[0] + ("*" if "{" in path else "")
        read_faults(f"rules: [{{on: '{pattern}', delay: 1}}]", list_paths())


requests = st.lists(st.sampled_from(["forward_backward", "optim_step", "save_weights", "healthz"]), max_size=60)


def fates(asked: list[str], path: str) -> list[Accident | None]:
    """Of the requests of this path, all asked 12 seconds into the scenario."""
    series = AccidentSeries(read_faults(NIGHT.replace("times: 2", "during: {from: 50}"), list_paths()))
    return [fate for request, fate in [(request, series.draw(request, 12.0)) for request in asked] if request == path]


@settings(deadline=None)
@given(requests)
def test_the_same_document_gives_the_same_series_whatever_else_is_asked(asked: list[str]) -> None:
    mixed = fates(asked, "forward_backward")
    assert mixed == fates(["forward_backward"] * len(mixed), "forward_backward")


def test_a_share_is_a_share_and_a_seed_another_series() -> None:
    faults = read_faults(NIGHT, list_paths())

    def hit(seed: int) -> list[bool]:
        series = AccidentSeries(
            Faults.model_validate({"seed": seed, "rules": faults.model_dump(by_alias=True)["rules"][:1]})
        )
        return [series.draw("forward_backward", 0.0) is not None for _ in range(1000)]

    assert 250 < sum(hit(7)) < 350  # 0.3 of 1000, give or take 3 standard deviations
    assert hit(7) != hit(8)


def test_windows_times_and_order() -> None:
    series = AccidentSeries(
        read_faults(
            """
            rules:
              - {on: "*", delay: 1, times: 2}
              - {on: "*", delay: 2, during: {from: 10, for: 5}}
              - {on: asample, slow: 3}
              - {on: "*", drop: before, during: {from: 20}}
              - {on: "*", never: true}
            """,
            list_paths(),
        )
    )
    assert [series.draw("healthz", at) for at in (0, 10, 14.9, 15)] == [
        Accident(delay=1), Accident(delay=3), Accident(delay=2), None,
    ]  # fmt: skip
    assert series.draw("asample", 20) == Accident(drop="before", held=3)  # and no rule behind it
    assert series.draw("asample", 0) == Accident(held=float("inf"))
    assert series.hits == [2, 2, 2, 1, 1]

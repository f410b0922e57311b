"""What agents are told is what there is: the page, its commands, its statuses and its schemas."""

import re

import pytest

from scheduler.cli import COMMANDS
from scheduler.cli.people.agents_page import ANSWERS, build_page
from scheduler.cli.results import read_results_document
from scheduler.cli.status import make_sweep_row, read_sweep_document
from scheduler.state import views
from tests.repository import ROOT
from tests.scheduler.night import Night
from tests.web.served import Served
from web.api import answer_models as answers

PAGE = ROOT / "docs" / "how-to" / "agents.md"


def test_the_command_prints_the_page_of_the_documentation() -> None:
    assert PAGE.read_text() == build_page()


def list_code(page: str) -> list[str]:
    """The commands of a page: in backticks, and in the lines of an example."""
    return [*re.findall(r"`sweep [^`]+`", page), *re.findall(r"^    sweep .*$", page, re.MULTILINE)]


def test_it_names_commands_and_statuses_that_exist() -> None:
    commands = set(re.findall(r"^[` ]*sweep (?:-f json )?([a-z]+)", "\n".join(list_code(build_page())), re.MULTILINE))
    assert {"plan", "submit", "wait", "results", "status", "weights"} <= commands <= COMMANDS.keys()
    shown = set(re.findall(r"^\| (\d+) \|", build_page(), re.MULTILINE))
    known = set(re.findall(r"^\| (\d+) \|", (ROOT / "docs/reference/commands.md").read_text(), re.MULTILINE))
    assert shown == known


@pytest.mark.parametrize("model", ANSWERS.values())
def test_each_answer_has_a_model(model: str) -> None:
    assert issubclass(getattr(answers, model), answers.ApiAnswer)


def test_the_answers_are_as_their_models_say(night: Night, page: Served) -> None:
    rows = [make_sweep_row(view) for view in views.read_sweeps(night.store)]
    assert len(answers.SweepList.model_validate({"sweeps": rows}).sweeps) == len(rows)
    status = answers.SweepStatus.model_validate(read_sweep_document(night.store, page.settings, "half"))
    assert status.failed
    results = answers.SweepResults.model_validate(read_results_document(night.store, page.settings, "half"))
    assert results.conclusion is not None

"""What a command says first: what is to pay, what is misspelt, where an option goes."""

import io
import re

import pytest
from rich.console import Console

from scheduler.cli import main
from scheduler.cli.console.output import Output
from scheduler.cli.plan import describe_to_pay, print_summary
from scheduler.cli.reuse import ReusableResults
from scheduler.cli.upkeep.drain import find_workers
from scheduler.errors import ServiceRefused, UnknownWorker
from scheduler.prepare import read_price_book
from scheduler.refusals import advise_on_model
from scheduler.settings import read_settings
from sweeps.stage import Plan
from tests.scheduler.plans import plan, train
from tests.wording import lacks


def test_a_model_that_is_misspelt_is_named_before_what_could_not_be_loaded() -> None:
    book, error = read_price_book(read_settings({})), ServiceRefused("the hub is away")
    first, *rest = str(advise_on_model("Qwen/Qwen3-8X", book, error)).splitlines()
    assert not lacks(first, "model: Qwen/Qwen3-8X Qwen/Qwen3-8B")
    assert rest == [str(error)]
    assert advise_on_model("Qwen/Qwen3-8B", book, error) is error


@pytest.mark.parametrize("option", ["-f", "--format"])
def test_an_option_of_the_group_behind_a_command_shows_where_it_goes(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", option, "json", "file.yaml"])
    assert ended.value.code == 2
    assert f"sweep {option} json plan" in capsys.readouterr().err


def test_without_any_worker_none_is_asked_for_by_name() -> None:
    for names in ([], ["somehost"]):
        with pytest.raises(UnknownWorker, match="anywhere"):
            find_workers({}, names)


def summarise(planned: Plan, **options: str) -> list[str]:
    written = io.StringIO()
    print_summary(Output("table", Console(file=written, width=200)), planned, **options)
    return written.getvalue().splitlines()


def test_what_is_to_pay_comes_first_and_the_other_cost_is_that_without_reuse() -> None:
    planned = plan("s", [train("a", cost=3_000_000, low=1_000_000)])
    first, *rest = summarise(planned, to_pay="to pay: $0.50")
    assert first == "to pay: $0.50"
    assert [line.startswith("without reuse") for line in rest if "$" in line] == [True]
    assert not any(line.startswith("without reuse") for line in summarise(planned))


def test_what_is_to_pay_is_the_stages_without_a_result() -> None:
    planned = plan("s", [train("a", cost=3_000_000, low=1_000_000), train("b", cost=2_000_000)])
    assert describe_to_pay(planned, ReusableResults({}, 0)) == ""
    half = describe_to_pay(planned, ReusableResults({"train-b": 60.0}, 2_000_000))
    assert re.findall(r"\$[\d.]+", half) == ["$1.00", "$3.00", "$3.00", "$0.0000", "$2.00"]
    done = describe_to_pay(planned, ReusableResults({"train-a": 60.0, "train-b": 90.0}, 5_000_000))
    assert re.findall(r"\$[\d.]+", done) == ["$0.0000", "$5.00"]

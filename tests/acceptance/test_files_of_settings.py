"""A file that a setting names and that is wrong is told with its line, by doctor too, before anything is submitted."""

import re

from tests.acceptance.command import Desk
from tests.acceptance.refusals import nothing_was_submitted, refused
from tests.acceptance.small_nights import small
from tests.wording import naming


def test_doctor_says_what_is_wrong_in_each_and_nothing_is_submitted(desk: Desk) -> None:
    desk.environment["SWEEP_REHEARSAL"] = str(desk.write("night.yaml", "seed: 1\nrules:\n  - {on: optim_step}\n"))
    prices = "prices:\n  - {model: a/b, train: -1, source: me, date: 2026-11-01}\n"
    desk.environment["SWEEP_PRICES"] = str(desk.write("mine.yaml", prices))
    output = desk.call("-f", "json", "doctor")
    wrong = {
        finding["check"]: finding["message"] for finding in output.json["findings"] if finding["verdict"] == "wrong"
    }
    assert output.status == 1
    assert set(wrong) == {"rehearsal", "prices"}
    assert re.search(naming("line 3: rules.0: ", "got none"), wrong["rehearsal"]), wrong
    assert re.search(naming("mine.yaml:2: ", "1st", "train: "), wrong["prices"]), wrong
    assert "-1" in wrong["prices"]
    del desk.environment["SWEEP_PRICES"]
    refused(desk.call("run", str(desk.write("small.yaml", small()))), "night.yaml", "line 3", "rules.0")
    nothing_was_submitted(desk)


def test_a_price_book_that_is_a_folder_is_named_with_its_variable(desk: Desk) -> None:
    path = desk.write("small.yaml", small())
    desk.environment["SWEEP_PRICES"] = str(path.parent)
    refused(desk.call("plan", str(path)), "SWEEP_PRICES")


def test_what_only_fails_when_it_is_written_is_told_with_the_setting_or_the_option(desk: Desk) -> None:
    small_one = str(desk.write("small.yaml", small()))
    refused(desk.sweep("run", small_one, SWEEP_HOME="/proc/nowhere"), "SWEEP_HOME")
    for words in (("report", "any", "-o"), ("report", "any", "--figures"), ("export", "any", "-o")):
        for path in ("n" * 300, f"{small_one}/x", "~nobody-at-all/x"):
            output = desk.call(*words, path)
            assert output.status == 2
            assert words[-1] in output.err

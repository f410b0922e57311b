"""A file that a setting names and that is wrong is told with its line, by doctor too, before anything is submitted."""

from tests.acceptance.command import Desk
from tests.acceptance.test_a_night import small
from tests.acceptance.test_plain_errors import nothing_was_submitted, refused


def test_doctor_says_what_is_wrong_in_each_and_nothing_is_submitted(desk: Desk) -> None:
    desk.environment["SWEEP_REHEARSAL"] = str(desk.write("night.yaml", "seed: 1\nrules:\n  - {on: optim_step}\n"))
    prices = "prices:\n  - {model: a/b, train: -1, source: me, date: 2026-11-01}\n"
    desk.environment["SWEEP_PRICES"] = str(desk.write("mine.yaml", prices))
    said = desk.call("-f", "json", "doctor")
    wrong = {each["what"]: each["said"] for each in said.json["findings"] if each["verdict"] == "wrong"}
    assert said.status == 1
    assert set(wrong) == {"rehearsal", "prices"}
    assert "line 3: rules.0: has no effect" in wrong["rehearsal"]
    assert "mine.yaml:2: prices.0.train: -1 found" in wrong["prices"]
    del desk.environment["SWEEP_PRICES"]
    refused(desk.call("run", str(desk.write("small.yaml", small()))), "night.yaml", "line 3", "rules.0")
    nothing_was_submitted(desk)


def test_a_price_book_that_is_a_folder_is_named_with_its_variable(desk: Desk) -> None:
    path = desk.write("small.yaml", small())
    desk.environment["SWEEP_PRICES"] = str(path.parent)
    refused(desk.call("plan", str(path)), "SWEEP_PRICES")

"""How values of a cell are shown: what a person wrote as it is, what a rule made shortened."""

import pytest

from sweeps.formatting import format_cell


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.00316227766017, "0.003162"),
        (0.001, "0.001"),
        (0.123456, "0.123456"),
        (2e-5, "2e-05"),
        (16, "16"),
        (1.5, "1.5"),
    ],
)
def test_a_number_that_a_rule_made_is_shortened_and_one_that_was_written_is_not(value: float, shown: str) -> None:
    assert format_cell("learning_rate", value) == shown


def test_no_method_is_untrained_and_no_source_is_none() -> None:
    assert (format_cell("method", None), format_cell("source", None)) == ("untrained", "none")

"""Of twenty experiments with each null twin, at most two claim something: as many as chance gives."""

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL
from tests.acceptance.community.null_twins import EXPERIMENTS, FALSE_CLAIMS, TWINS, list_false_claims, run_null_twin


@IN_FULL
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", TWINS)
def test_of_twenty_experiments_in_which_nothing_is_true_at_most_two_claim(fleet_desk: Desk, name: str) -> None:
    conclusions = run_null_twin(fleet_desk, name)
    assert len(conclusions) == EXPERIMENTS
    claims = list_false_claims(name, conclusions)
    assert len(claims) <= FALSE_CLAIMS, claims

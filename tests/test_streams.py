"""`make test` runs three streams. What parts them is read by a plugin, and nothing else would tell if it were not."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one stream alone")
def test_a_file_stays_in_one_stream(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@tests/test_streams.py")

"""What every refusal has: one error, and nothing done."""

from tests.acceptance.command import Desk, Said


def refused(said: Said, *parts: str, status: int = 1) -> None:
    """One error that holds all the parts; nothing on stdout pretends that something was done."""
    assert said.status == status, (said.out, said.err)
    assert "Traceback" not in said.err + said.out
    assert said.err.startswith("Error: ") or status == 2
    for part in parts:
        assert part in said.err, said.err


def nothing_was_submitted(desk: Desk) -> None:
    assert desk.call("-f", "json", "list").json == {"sweeps": []}

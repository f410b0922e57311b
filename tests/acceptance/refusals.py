"""What every refusal has: one error, and nothing done."""

from tests.acceptance.command import Desk, Said


def refused(answer: Said, *parts: str, status: int = 1) -> None:
    """One error that holds all the parts; nothing on stdout pretends that something was done."""
    assert answer.status == status, (answer.out, answer.err)
    assert "Traceback" not in answer.err + answer.out
    assert answer.err.startswith("Error: ") or status == 2
    for part in parts:
        assert part in answer.err, answer.err


def nothing_was_submitted(desk: Desk) -> None:
    assert desk.call("-f", "json", "list").json == {"sweeps": []}

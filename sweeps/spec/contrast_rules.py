"""Check what a comparison asks of its methods: the one that the others are told against, and the twins of controls."""

from collections.abc import Iterator

from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, refuse_word

UNTRAINED = "untrained"


def check_against(sweep: SweepFields) -> Iterator[Finding]:
    """Require a method that is compared, or the untrained model."""
    known = [name for name, method in (sweep.methods or {}).items() if method.compared]
    if UNTRAINED in (sweep.methods or {}):
        yield ("methods", UNTRAINED), "this is the name of the untrained model in every result; use another"
    if sweep.against is not None and sweep.against not in (*known, UNTRAINED):
        yield ("against",), f"expected a method that is compared: {refuse_word(sweep.against, [*known, UNTRAINED])}"


def check_controls(sweep: SweepFields) -> Iterator[Finding]:
    """Require of each control a compared method whose twin it is, and which is no control itself."""
    methods = sweep.methods or {}
    twins = [name for name, method in methods.items() if method.compared and method.control_of is None]
    for name, method in methods.items():
        here = ("methods", name, "control_of")
        if method.control_of is None:
            continue
        if not method.compared:
            yield here, "belongs to a method that is compared; leave it out, or leave out `compared: false`"
        elif method.control_of not in twins:
            yield (
                here,
                f"expected a method that is compared and no control: {refuse_word(method.control_of, twins)}",
            )

"""Reading a spec: from the text of a file, or values made in Python, to a sweep that every rule has checked.

`parse` returns a whole sweep, or raises one SpecError that lists every mistake with its file, line and path.
"""

from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import PrivateAttr, ValidationError, model_validator

from sweeps.errors import SpecError
from sweeps.spec.explain import list_findings, place_findings
from sweeps.spec.model import SweepFields
from sweeps.spec.overrides import override
from sweeps.spec.paths import build_reader
from sweeps.spec.rules import check
from sweeps.spec.scalars import Finding, Findings, show
from sweeps.spec.source import Source, SpecOrigin
from sweeps.spec.yaml import read


class Sweep(SweepFields):
    """A sweep whose keys agree with each other. It knows where each key was written, for errors that come later."""

    _origin: SpecOrigin = PrivateAttr(default=SpecOrigin())

    @property
    def origin(self) -> SpecOrigin:
        """The document that it was read from; an empty one if it was made in Python."""
        return self._origin

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        mistakes = list(check(self))
        if mistakes:
            raise Findings(mistakes)
        return self


def parse(text: str, *, name: str = "sweep.yaml", overrides: Sequence[str] = ()) -> Sweep:
    """Read the sweep in `text`, with the values of the command line (`train.rank=8`) over those of the file.

    Raises SpecError with every mistake.
    """
    source = override(read(text, name), overrides)
    if not isinstance(source.value, Mapping):
        raise SpecError(f"{source.place(())}: expected a file of `key: value` lines, got {show(source.value)}")
    return _validated(source)


def _validated(source: Source) -> Sweep:
    try:
        sweep = Sweep.model_validate(source.value)
    except ValidationError as error:
        mistakes = list_findings(error, Sweep)
        raise SpecError("\n".join(place_findings([*mistakes, *_check_sound_keys(mistakes, source)], source))) from None
    sweep._origin = SpecOrigin(source)  # noqa: SLF001 - no field: it is not what the sweep says
    return sweep


def _check_sound_keys(mistakes: list[Finding], source: Source) -> list[Finding]:
    """Check the rules between the keys that have no mistake of their own."""
    broken = frozenset(str(path[0]) for path, _ in mistakes if path)
    if not broken or not isinstance(source.value, Mapping):
        return []
    sound = {key: value for key, value in source.value.items() if key in Sweep.model_fields and key not in broken}
    values = {key: build_reader(Sweep, key).validate_python(value) for key, value in sound.items()}
    draft = Sweep.model_construct(**values)
    return [(path, text) for path, text in check(draft, without=broken) if path[0] not in broken]

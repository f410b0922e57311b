"""Name what sizes count: rows, or the groups of a data set by the column that names them. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sweeps.stage import Json

WORD = re.compile(r"[A-Za-z]+(?:[ _-][A-Za-z]+)*")
OF_AN_ID = re.compile(r"[ _-]*(?:(?<=[ _-])(?:id|ID|Id)|(?<=[a-z])(?:Id|ID))$")  # patient_id, patientId
IRREGULAR = {"person": "people", "child": "children", "series": "series", "species": "species"}


class SizeUnit(NamedTuple):
    """One of what sizes count, and several."""

    one: str
    many: str

    def write(self, number: float) -> str:
        """Count some: 1 subject, 16 subjects."""
        written = f"{number:,.0f}"
        return f"{written} {self.one if written == '1' else self.many}"

    def write_of_target(self, number: float) -> str:
        """Count some of a target: 16 target subjects."""
        return SizeUnit(f"target {self.one}", f"target {self.many}").write(number)


EXAMPLES = SizeUnit("row", "rows")


def find_unit(spec: Mapping[str, Json], names: Iterable[str]) -> SizeUnit:
    """Find what the sizes of these data sets count; where they differ, all that they count."""
    data = spec.get("data")
    sections = [data.get(name) for name in names] if isinstance(data, Mapping) else []
    groups = [
        section.get("group") if isinstance(section, Mapping) and section.get("sizes_in") != "rows" else None
        for section in sections
    ]
    units = list(dict.fromkeys(name_group(group) if isinstance(group, str) else EXAMPLES for group in groups))
    if not units:
        return EXAMPLES
    return SizeUnit(" or ".join(unit.one for unit in units), " or ".join(unit.many for unit in units))


def name_group(column: str) -> SizeUnit:
    """Name the groups of a column: `subject` and `subject_id` are subjects; of another name they are groups."""
    word = OF_AN_ID.sub("", column.strip())
    if not WORD.fullmatch(word) or word.lower() in ("id", "group", "groups"):
        return SizeUnit(f"group by {column!r}", f"groups by {column!r}")
    singular = re.sub(r"[_-]", " ", word)
    return SizeUnit(singular, _pluralise(singular))


def _pluralise(singular: str) -> str:
    first, space, last = singular.rpartition(" ")
    if last.lower() in IRREGULAR:
        return f"{first}{space}{IRREGULAR[last.lower()]}"
    if re.search(r"[^aeiouAEIOU][yY]$", last):
        return f"{singular[:-1]}ies"
    if re.search(r"(s|x|z|ch|sh)$", last):
        return singular if re.search(r"[^s]s$", last) and not re.search(r"(us|is)$", last) else f"{singular}es"
    return f"{singular}s"

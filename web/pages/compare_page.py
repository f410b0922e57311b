"""Two sweeps side by side where their conditions are the same, as `sweep results --sweeps A,B` has them."""

from typing import Any

from fastapi import APIRouter, Response

from scheduler.state import keys, views
from web.site import Here, Visiting
from web.templating import show_page

SHOWN = 200  # rows
OFFERED = 200  # sweeps that can be chosen

router = APIRouter(include_in_schema=False)


@router.get("/compare")
def compare(site: Here, visitor: Visiting, first: str = "", second: str = "") -> Response:
    """Ask for two sweeps, and compare them."""
    names: list[str] = site.store.client.zrange(keys.SWEEPS, 0, OFFERED - 1, desc=True)
    values: dict[str, Any] = {"names": names, "first": first, "second": second, "rows": [], "columns": [], "notes": []}
    if first and second and first != second:
        from scheduler.cli.compare_sweeps import format_entry, join_conditions

        for name in (first, second):
            views.read_sweep(site.store, name)
        joined = join_conditions(site.store, site.settings.store, [first, second])
        rows = [format_entry(entry) for entry in joined.entries]
        columns = list(dict.fromkeys(key for row in rows[:SHOWN] for key in row))
        values |= {"rows": rows[:SHOWN], "columns": columns, "total": len(rows), "notes": joined.unread}
    return show_page("compare.html", visitor, values)

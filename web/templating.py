"""Fill our templates. Everything that is not markup of ours is escaped."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sweeps.figures.svg import mark_code
from sweeps.formatting import format_cell, format_count, format_duration, format_usd, format_value
from web.visitors import Visitor


def format_time(milliseconds: int | None) -> Markup:
    """Write a moment in UTC; the script shows it in the reader's zone."""
    if not milliseconds:
        return Markup("–")
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M UTC")
    )


def write_prose(text: str) -> Markup:
    """Escape a sentence of ours, and show what stands between backticks as code."""
    return Markup(mark_code(text))  # noqa: S704 - escaped


def link_sweep(name: str, *parts: str, **query: object) -> str:
    """Write the path of a page of a sweep."""
    path = "/".join(quote(part, safe="") for part in ("sweeps", name, *parts))
    chosen = {key: str(value) for key, value in query.items() if value not in (None, "")}
    return f"/{path}" + (f"?{urlencode(chosen)}" if chosen else "")


@cache
def load_templates() -> Environment:
    """Load the templates once."""
    environment = Environment(
        loader=PackageLoader("web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "usd": format_usd,
        "duration": format_duration,
        "count": format_count,
        "value": format_value,
        "time": format_time,
        "prose": write_prose,
        "score": lambda value: f"{value:.4f}",
        "cell": lambda value, key: format_cell(key, value),
    }
    environment.globals |= {"link_sweep": link_sweep, "assets": name_assets()}
    return environment


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template."""
    return load_templates().get_template(template).render(values)


def show_page(template: str, visitor: Visitor | None, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Fill the template of a whole page."""
    return HTMLResponse(fill(template, {"visitor": visitor, **values}), status)


@cache
def load_assets() -> Mapping[str, tuple[str, bytes]]:
    """Load our style and our script: name -> (type, content)."""
    folder, reports = files("web") / "static", files("scheduler")
    sheets = (reports / "figure.css", reports / "report.css", folder / "page.css")  # a later one refines those before
    style = b"".join(sheet.read_bytes() for sheet in sheets)
    script = (folder / "live.js").read_bytes()
    return {"style.css": ("text/css; charset=utf-8", style), "live.js": ("text/javascript", script)}


@cache
def name_assets() -> Mapping[str, str]:
    """Name each asset by its content too, so that a browser may keep it for ever."""
    return {
        name: f"/static/{name}?{hashlib.sha256(content).hexdigest()[:12]}"
        for name, (_, content) in load_assets().items()
    }

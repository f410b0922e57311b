"""What the answer rests on: the spec, its defaults, the data and the versions; and what the words of a report mean."""

import io
from collections.abc import Mapping
from typing import Any

from sweeps.evaluation.metric_words import explain_metrics
from sweeps.formatting import format_number
from sweeps.report.document import Code, Paragraph, Part, Section, make_table
from sweeps.report.inputs import DataUse, Material
from sweeps.stage import Json

WORDS = {
    "condition": "one combination of what the sweep varies, such as a data set and a size",
    "seed": "a number that decides which rows are drawn and in which order; a condition is repeated with several",
    "run": "one condition with one seed",
    "stage": "one training or one evaluation: the unit of work",
    "row": "one row of a data file: a training may use it, or it is held out",
    "item": "one question, document or episode of an evaluation; held-out rows become items",
    "size": "how many rows (or groups, if the data has groups) a run trains on; 0 is the untrained model",
    "95 % interval": "of 100 such intervals, about 95 contain the true value",
}
AT_DEFAULT = "Settings at their default value, written in the file or not (docs/reference/spec.md explains each)"


def show_words(material: Material) -> Section:
    """Explain the words that every report uses."""
    words = WORDS | explain_metrics((name for row in material.rows for name in row.metrics), material.spec)
    meanings = [{"word": word, "meaning": meaning} for word, meaning in words.items()]
    return Section("What the words mean", (make_table(meanings, caption="Words", folded=True),))


def show_provenance(material: Material) -> Section:
    """Show the spec, its defaults, the data and the versions: what it takes to ask the same again."""
    parts: list[Part] = [Paragraph("Settings that differ from the default:"), Code(write_yaml(material.spec), "yaml")]
    if material.defaults:
        taken = [{"key": path, "default": format_number(value)} for path, value in material.defaults.items()]
        parts.append(make_table(taken, caption=AT_DEFAULT, folded=True))
    if material.data:
        parts.append(
            make_table(
                [_show_use(use) for use in material.data],
                caption="Data sets, by the hash of their content",
                folded=True,
            )
        )
    versions = [{"what": name, "version": version} for name, version in material.versions.items()]
    if material.price_dates:
        oldest, newest = material.price_dates
        dated = oldest if oldest == newest else f"{oldest} to {newest}"
        versions.append({"what": "price list", "version": f"prices of {dated}"})
    if versions:
        parts.append(make_table(versions, caption="Versions"))
    return Section("The sweep file, its data and versions", tuple(parts))


def _show_use(use: DataUse) -> dict[str, Any]:
    return {"sha256": use.records, "use": use.what, "stages": use.stages, "first stage that uses it": use.example}


def write_yaml(spec: Mapping[str, Json]) -> str:
    """Write a spec as its file has it, without the keys that it leaves out."""
    from ruamel.yaml import YAML

    yaml, text = YAML(typ="rt"), io.StringIO()
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.dump(_simplify(dict(spec)), text)
    return text.getvalue()


def _simplify(value: Json) -> Json:
    """Write a whole number as a file has it: 32, where a model of the spec holds 32.0."""
    if isinstance(value, dict):
        return {key: _simplify(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_simplify(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value

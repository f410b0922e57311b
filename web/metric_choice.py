"""Choose in which order people are offered the metrics of a sweep."""

from collections.abc import Collection, Mapping
from typing import Any


def list_metrics(spec: Mapping[str, Any], measured: Collection[str]) -> list[str]:
    """List what is measured: first what the sweep is about, then what tables show, then what they hide."""
    from sweeps.analysis.tables import sort_metrics  # the science: only a page that shows values needs it
    from sweeps.spec.metric_wishes import choose_shown

    there = list(sort_metrics(set(measured)))
    wishes = (spec.get(key) for key in ("target", "best"))
    asked = [str(wish["metric"]) for wish in wishes if isinstance(wish, dict) and wish.get("metric")]
    return list(dict.fromkeys([metric for metric in asked if metric in there] + choose_shown(spec, there) + there))

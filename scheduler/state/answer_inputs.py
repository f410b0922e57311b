"""Read what a sweep is concluded from: its runs, their items, and what its trainings say of learning.

Results, report, digest, notices, exports and trackers begin with the same value, so they conclude the same.
"""

from collections.abc import Sequence

from scheduler.state import views
from scheduler.state.evaluation_items import KeptItems, read_items
from scheduler.state.keeping.archive import open_archive
from scheduler.state.store import Store
from scheduler.state.training_facts import read_training_facts
from scheduler.state.views import SweepView
from sweeps.analysis.item_analysis import choose_items
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from sweeps.report.inputs import Material
from sweeps.results import RunResult


def read_conclusion(store: Store, name: str, url: str | None) -> Conclusion:
    """Read what a sweep says as it is now. Its items lie at `url`; without one they are not read.

    Raises UnknownSweep.
    """
    view = views.read_sweep(store, name)
    return conclude_sweep(read_answer_inputs(store, view, views.read_results(store, name), url))


def read_answer_inputs(store: Store, view: SweepView, rows: Sequence[RunResult], url: str | None) -> Material:
    """Read what `rows` of a sweep are answered from. Its items lie at `url`; without one they are not read."""
    store = open_archive(store, view.name)
    items = KeptItems({}) if url is None else read_items(store, url, view.name, choose_items(view.spec, rows))
    learning = read_training_facts(store, rows)
    return Material(
        view.name,
        view.state,
        view.spec,
        rows,
        learning=learning.facts,
        training=learning.running,
        items=items.items,
        unread=items.unread,
        left_out=view.left_out,
    )

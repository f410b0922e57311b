"""The layout of the state: which keys and fields it has. A state of another layout is refused before any write.

`open_sweep` notes the layout with the first sweep. Raise LAYOUT with each change of a key's name, of a field's name or
of what either holds.
"""

from scheduler.errors import LayoutRefused
from scheduler.state import keys
from scheduler.state.commands import Reads

LAYOUT = 4
"""1 had no number: it had keys and fields of other names. In 2 the events of all stages were one stream. 3 counted
nothing for users."""


def check_layout(client: Reads, url: str) -> None:
    """Raise LayoutRefused if another version of this program wrote the state. Write nothing."""
    has_sweeps = client.zcard(keys.SWEEPS)  # first: a sweep that is opened between the two reads notes its layout
    layout = client.get(keys.LAYOUT)
    if layout == str(LAYOUT) or (layout is None and not has_sweeps):
        return
    raise LayoutRefused(
        f"expected a state of layout {LAYOUT} at {url}, got layout {layout or 1}: another version of tinker-sweeps "
        "wrote it. Nothing was changed. Finish its sweeps with that version, or start a new state: set SWEEP_HOME to "
        "a new folder, or REDIS_URL to another server"
    )

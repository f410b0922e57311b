"""Write runs for TensorBoard: one folder for each run, with one file of events.

The file's name contains a hash of its content. When a run has grown, a new file replaces the old one, because
TensorBoard does not notice changes inside a file.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tensorboardX import RecordWriter, summary
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

from sweeps.report.tracker_runs import TrackedRun

VERSION = "brain.Event:2"  # of the format of event files
LONGEST = 120  # characters of a folder's name
STATUS = {"succeeded": "STATUS_SUCCESS", "running": "STATUS_RUNNING"}


class TensorBoard:
    """A folder of event files, with a folder for each sweep."""

    def __init__(self, folder: Path, sweep: str) -> None:
        self.where = f"tensorboard --logdir {folder}"
        self._folder = folder / sweep

    def put(self, run: TrackedRun) -> bool:
        folder = self._folder / _name_folder(run)
        target = folder / f"events.out.tfevents.{run.since // 1000:010d}.{run.content}"
        if target.exists():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        before = list(folder.glob("events.out.tfevents.*"))
        draft = folder / "draft"
        _write(draft, run)
        draft.replace(target)
        for old in before:
            old.unlink()
        return True


def open_at(where: str, sweep: str) -> TensorBoard:
    """Open a folder by its path; without one, NAME-tensorboard."""
    return TensorBoard(Path(where or f"{sweep}-tensorboard"), sweep)


def _name_folder(run: TrackedRun) -> str:
    """Make a folder name from the run's name; if characters are lost, its id makes it unique."""
    name = re.sub(r"[^\w=.,+ -]", "_", run.name, flags=re.ASCII)[:LONGEST].strip()
    return name if name == run.name else f"{name} {run.id}"


def _write(path: Path, run: TrackedRun) -> None:
    writer = RecordWriter(str(path))
    for event in _list_events(run):
        writer.write(event.SerializeToString())
    writer.close()


def _list_events(run: TrackedRun) -> Iterator[Event]:
    ended = run.since / 1000
    yield Event(wall_time=run.began / 1000, file_version=VERSION)
    yield Event(
        wall_time=run.began / 1000, summary=_encode_hparams("session_start_info", session_start_info=_start_info(run))
    )
    for metric, step, value, at in run.points:
        yield Event(wall_time=at / 1000, step=step, summary=summary.scalar(metric, value))
    for name, value in run.summary.items():
        yield Event(wall_time=ended, step=run.last, summary=summary.scalar(name, value))
    state = f"{run.state}: {run.cause}" if run.cause else run.state
    for name, text in {"state": state, **run.notes}.items():
        yield Event(wall_time=ended, step=run.last, summary=summary.text(name, text))
    # An ended run that did not succeed is a failure.
    status = STATUS.get(run.state, "STATUS_FAILURE" if run.ended else "STATUS_UNKNOWN")
    end = SessionEndInfo(status=Status.Value(status), end_time_secs=ended)
    yield Event(wall_time=ended, summary=_encode_hparams("session_end_info", session_end_info=end))


def _start_info(run: TrackedRun) -> SessionStartInfo:
    info = SessionStartInfo(group_name=run.id, start_time_secs=run.began / 1000)
    for key, value in {**run.config, **run.tags}.items():
        if isinstance(value, bool):
            info.hparams[key].bool_value = value
        elif isinstance(value, str):
            info.hparams[key].string_value = value
        else:
            info.hparams[key].number_value = value
    return info


def _encode_hparams(tag: str, **content: SessionStartInfo | SessionEndInfo) -> Summary:
    """Encode a summary for the page of hyperparameters."""
    data = HParamsPluginData(version=0, **content).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=data)
    return Summary(value=[Summary.Value(tag=f"_hparams_/{tag}", metadata=SummaryMetadata(plugin_data=plugin))])

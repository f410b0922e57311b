"""What a process and all that it has started have used, from the kernel."""

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICK = os.sysconf("SC_CLK_TCK")


class Used(NamedTuple):
    """Seconds of the processor so far, with those of ended children; and the most memory of one of them, in MB."""

    cpu: float
    megabytes: float


def read_tree(root: int) -> Used:
    """Add up a process and its descendants. What ends between two looks is counted with its parent."""
    children, cpu = defaultdict[int, list[int]](list), dict[int, float]()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(folder.name))
            cpu[int(folder.name)] = sum(map(int, fields[11:15])) / TICK
    members, left = list[int](), [root]
    while left:
        members.append(left.pop())
        left += children[members[-1]]
    return Used(sum(cpu.get(process, 0.0) for process in members), max(map(_read_peak, members)))


def _read_peak(process: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0

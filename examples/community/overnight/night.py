"""Play the night: run sweep.yaml while the service fails as rehearsal.yaml says, kill a worker, print the digest.

python night.py [KEY=VALUE…]       the values are those of `sweep run`; it takes about two minutes
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

NAME = "overnight"
NIGHT = {
    "SWEEP_REHEARSAL": "rehearsal.yaml",
    "SWEEP_SILENCE": "3",  # seconds without progress until an outage is suspected: 60 in a real night
    "SWEEP_LEASE": "5",  # seconds until a killed worker's stages continue elsewhere: 60 in a real night
}


def read_json(*words: str) -> dict[str, Any]:
    """Ask `sweep`; an empty answer if the sweep is not there yet."""
    asked = subprocess.run(["sweep", "-f", "json", *words], capture_output=True, text=True, check=False)
    document: dict[str, Any] = json.loads(asked.stdout) if asked.returncode == 0 else {}
    return document


def find_process(worker: str) -> int:
    """Find the process id in the name of a worker: HOST-PROCESS-INSTANCE."""
    return int(worker.split("-")[-2])


def kill_worker() -> bool:
    """Kill the worker as a crash would, if a fifth of the stages are done and it works on others."""
    status = read_json("status", NAME)
    if not any(sweep.get("succeeded", 0) * 5 >= sweep["stages"] for sweep in status.get("sweeps", [])):
        return False
    if not status["running"] or not status["workers"]:
        return False
    worker = status["workers"][0]["worker"]
    os.kill(find_process(worker), signal.SIGKILL)
    print(f"night.py: killed {worker}, which ran {len(status['running'])} stages", flush=True)
    return True


def count_interruptions() -> Counter[str]:
    """Count the attempts that ended early, by their cause."""
    events = read_json("events", NAME, "--last", "100000")["events"]
    return Counter(event["detail"] for event in events if (event["from"], event["to"]) == ("running", "ready"))


def main() -> int:
    for name, value in NIGHT.items():
        os.environ.setdefault(name, value)
    run = subprocess.Popen(["sweep", "run", "sweep.yaml", *sys.argv[1:]])
    killed = False
    while run.poll() is None:
        killed = killed or kill_worker()
        time.sleep(0.5)
    print("\nThe morning:", flush=True)
    subprocess.run(["sweep", "digest", NAME], check=True)
    for cause, count in count_interruptions().items():
        print(f"interrupted, and continued later: {count} stages ({cause})")
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())

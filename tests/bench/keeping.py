"""`make bench-keeping`: what 20,000 stages take, and what is left of them; then a simulated year of days.

Exit status 1 if a bar is broken. The verbs, the tick, the files and the server are real; the service is played, and the
clock is compressed. `--stages N` and `--days N` make it shorter.
"""

import argparse
import gc
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from scheduler.artefacts import Artefacts
from scheduler.state import views
from scheduler.state.connection import Client, connect
from scheduler.state.keeping.backup import restore_backup, take_backup
from scheduler.state.keeping.cleaning import Cleaning
from scheduler.state.keeping.retention import DAY, parse_retention
from scheduler.state.server.failover import read_books
from scheduler.state.store import Store
from scheduler.state.submission import submit
from sweeps.stage import Json
from tests.scheduler.keeping.kept_sweeps import Hands, build_plan, list_answers, measure_files, measure_redis
from tests.scheduler.plans import submission
from tests.support import TRUSTED, FakeClock, RedisServer, redis_server

OPTIONS = {**TRUSTED, "appendfsync": "no", "hash-max-ziplist-value": "1024"}  # as the built-in server, but for the disk
REDIS, DISK, LEFT = 2000, 6000, 500  # bytes of a stage
WARM, FLAT = 2000, 1.10  # stages after which the memory of the worker may grow by no more than this
SMALL, SWEEP = 2000, 40  # stages of a sweep of the first part, and of a day
USER, WORDS = "fleet", ("first", "second")  # of the simulated days: who speaks to Redis, with which passwords
KEEP = "events=1d curves=2d items=3d stages=3d artefacts=1d checkpoints=1d"  # so that a week has a past


def make_spec(name: str) -> dict[str, Json]:
    return {"sweep": name, "experiment": "data_scaling", "evaluate": [{"name": "nll", "options": {}}]}


def read_resident() -> int:
    """Return the bytes of memory that this process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def measure_many(stages: int) -> list[tuple[str, float, float]]:
    """Do many stages, and clean up a year later. Return each measure with its bar."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder), OPTIONS) as server:
        clock, url = FakeClock(), f"{folder}/store"
        store, artefacts = Store(server.client(), clock), Artefacts(url)
        hands, empty, warm = Hands(store, artefacts), measure_redis(store.client), 0
        used = read_used(store)
        for start in range(0, stages, SMALL):
            name = f"s{start}"
            submit(store, submission(build_plan(name, SMALL // 2), spec=make_spec(name)))
            hands.finish(name)
            clock.pass_seconds(3600)
            warm = read_resident() if start + SMALL == WARM else warm
            say(f"{start + SMALL:>7,} stages done, {read_resident() / 1e6:6.1f} MB in this process")
        grown = read_resident() / warm
        redis, whole = (measure_redis(store.client) - empty) / stages, (read_used(store) - used) / stages
        files, stored = measure_files(artefacts)
        clock.pass_seconds(367 * DAY)
        began = time.process_time()
        Cleaning(store, url, parse_retention("artefacts=1h")).run()
        say(f"the cleaning took {time.process_time() - began:.1f} s of the processor")
        after = (read_used(store) - used) / stages
        say(f"all that the server holds: {whole:.0f} bytes a stage, {after:.0f} afterwards")
        left = (measure_redis(store.client) - empty) / stages
        return [
            ("bytes a stage in Redis", redis, REDIS),
            ("bytes a stage on disk", stored / stages, DISK),
            ("files a stage", files / stages, 1),
            ("memory of the worker, of that after 2,000 stages", grown, FLAT),
            ("bytes a stage in Redis a year later", left, LEFT),
            ("files a stage a year later", measure_files(artefacts)[0] / stages, 0),
        ]


def read_used(store: Store) -> int:
    """Return the bytes that the server holds in all."""
    client: Any = store.client
    return int(client.info("memory")["used_memory"])


def simulate_week(days: int) -> list[tuple[str, float, float]]:
    """Run a sweep a day, clean up each night, rotate the password of Redis, restore a backup in the middle.

    Return each measure with its bar.
    """
    with tempfile.TemporaryDirectory() as folder, redis_server(make_folder(folder, "one"), OPTIONS) as first:
        clock, answers, sizes = FakeClock(), dict[str, Any](), list[tuple[int, int]]()
        store, url, refused = Store(let_in(first, add=WORDS[0]), clock), f"{folder}/store-one", 0
        with redis_server(make_folder(folder, "two"), OPTIONS) as second:
            for day in range(days):
                run_day(store, url, day, answers, clock)
                if day == days // 4:
                    store = Store(let_in(first, add=WORDS[1]), clock)  # both are valid in between
                    run_day(store, url, 2000, answers, clock)
                    refused = close_out(first, WORDS[0])
                if day == days // 2:
                    take_backup(store, url, Path(folder) / "backup")
                    run_day(store, url, 1000, {}, clock)  # is lost, and asked for again
                    store, url = Store(second.client(), clock), f"{folder}/store-two"
                    restore_backup(store, url, Path(folder) / "backup")
                    books = read_books(store)
                    store.scripts.run("reopen_books", books.run, books.asked, clock())
                    run_day(store, url, 1000, answers, clock)
                clock.pass_seconds(DAY)
                Cleaning(store, url, parse_retention(KEEP)).run()
                sizes.append((measure_redis(store.client), measure_files(Artefacts(url))[1]))
                say(f"day {day + 1}: {sizes[-1][0] / 1e3:8.0f} kB in Redis, {sizes[-1][1] / 1e3:8.0f} kB of files")
            lost = sum(list_answers(views.read_results(store, name)) != rows for name, rows in answers.items())
        archive = LEFT * SWEEP  # what each day leaves for ever
        grown = (sizes[-1][0] - sizes[days // 2][0]) / max(1, days - 1 - days // 2)
        return [
            ("results lost in the simulated days", lost, 0),
            ("clients that the old password still lets in", 1 - refused, 0),
            ("bytes that a day adds in Redis, of an archive", grown / archive, 1),
            ("files at the end, of those on the fourth day", sizes[-1][1] / max(1, sizes[3][1]), 1.5),
        ]


def let_in(server: RedisServer, *, add: str) -> Client:
    """Give the user of the fleet a further password, and connect with it."""
    set_user(server, "on", f">{add}", "~*", "&*", "+@all")
    return connect(server.url.replace("unix://", f"unix://{USER}:{add}@"), retries=0)


def set_user(server: RedisServer, *rules: str) -> None:
    plain = Redis.from_url(server.url)
    plain.execute_command("ACL", "SETUSER", USER, *rules)  # type: ignore[no-untyped-call]
    plain.close()


def close_out(server: RedisServer, word: str) -> int:
    """Take a password away; return 1 if it lets nobody in any more."""
    set_user(server, f"<{word}")
    try:
        connect(server.url.replace("unix://", f"unix://{USER}:{word}@"), retries=0).ping()
    except RedisError:
        return 1
    return 0


def make_folder(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir()
    return path


def run_day(store: Store, url: str, day: int, answers: dict[str, Any], clock: FakeClock) -> None:
    name = f"day-{day}"
    submit(store, submission(build_plan(name, SWEEP // 2), spec=make_spec(name)))
    Hands(store, Artefacts(url)).finish(name)
    clock.pass_seconds(3600)
    answers[name] = list_answers(views.read_results(store, name))


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--stages", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=7)
    options = parser.parse_args()
    parts: list[Callable[[], list[tuple[str, float, float]]]] = [
        lambda: measure_many(options.stages),
        lambda: simulate_week(options.days),
    ]
    measures = [measure for part in parts for measure in part()]
    for what, value, bar in measures:
        say(f"{'ok  ' if value <= bar else 'OVER'} {what}: {value:,.4g} (at most {bar:,.4g})")
    return 0 if all(value <= bar for _, value, bar in measures) else 1


if __name__ == "__main__":
    sys.exit(main())

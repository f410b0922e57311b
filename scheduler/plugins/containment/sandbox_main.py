"""The process in which other people's environments play, one step at a time: `python -m` this module.

Its parent is sandbox.py beside it. On standard input comes one line with the order, then one line for each step
(`NUMBER begin SEED`, `NUMBER act "ACTION"`, `NUMBER advise null`, `NUMBER forget`); every step but the last kind is
answered with one line (`NUMBER prompt …`, `NUMBER turn …`, `NUMBER advice …`, `NUMBER broken "CAUSE"`), in the order in
which they came and before the next is begun: so the parent always knows which episode is played. What an environment
prints goes to standard error.

It is three processes: one that plays, the leader of their group, which only waits, and between them, where the kernel
allows it, the first process of a namespace of their own (namespaces.py): what plays sees no other process. When the
parent is gone, the leader ends the whole group, whatever an environment hangs in or has started, and removes the
temporary folder that is its first argument, which the parent cannot do any more; and it ends as the player did.

It starts for every attempt, so it imports little; and nothing here is a secret: not even in its environment.
"""

import ctypes
import json
import os
import resource
import select
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from scheduler.errors import CodeUnusable
from scheduler.plugins.containment.namespaces import NoNamespaces, enter_namespaces, mount_own_processes
from scheduler.plugins.containment.served_episodes import Checking, Order, ServedEpisodes
from scheduler.plugins.containment.validate_returns import (
    InvalidReturn,
)
from scheduler.plugins.user_code import describe_error, refuse_other_code
from sweeps.environments import Environment

PR_SET_PDEATHSIG = 1
REQUIRED = {"required", "no-network"}  # of `scheduler.settings.Isolation`: fail where namespaces are not allowed
STATUS_BYTES = 4  # of the status with which the player ended, in the pipe to the leader


def main() -> None:
    """Take a temporary folder and an `Isolation` as arguments."""
    lacking = _isolate(sys.argv[2])
    ends, tell = os.pipe()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    leader = os.getpid()
    if child := os.fork():
        os.close(tell)
        _wait(child, woken, ends)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in (woken, wake, ends):
        os.close(descriptor)
    _die_with(leader)
    if os.getpid() == 1:
        lacking = _lead_namespace(tell)
    os.close(tell)
    _play(lacking if sys.argv[2] in REQUIRED else "")


def _isolate(isolation: str) -> str:
    """Enter namespaces of our own if that is asked for; return why that failed, or nothing."""
    if isolation == "off":
        return ""
    try:
        enter_namespaces(network=isolation != "no-network")
    except NoNamespaces as error:
        return str(error)
    return ""


def _lead_namespace(tell: int) -> str:
    """Be the first process of a namespace, which no signal of its own ends: start the player, and tell how it ended.

    Return only in the player: why it sees other processes, or nothing.
    """
    try:
        mount_own_processes()
        lacking = ""
    except NoNamespaces as error:
        lacking = str(error)
    player = os.fork()
    if not player:
        return lacking
    os.close(0)
    os.close(1)
    ended = status = 0
    while ended != player:
        ended, status = os.wait()  # orphans of the environment end here, too
    os.write(tell, status.to_bytes(STATUS_BYTES, "little"))
    os._exit(0)


def _wait(child: int, woken: int, ends: int) -> NoReturn:
    """Until the child has ended, or the parent's end of the pipe is closed: nobody needs this group any more."""
    os.close(1)
    look = select.poll()
    look.register(0, 0)  # nothing but its end
    look.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in look.poll():
            if descriptor != woken:
                os.kill(child, signal.SIGKILL)
                for scratch in sys.argv[1:2]:
                    shutil.rmtree(scratch, ignore_errors=True)
                os.killpg(0, signal.SIGKILL)
            os.read(woken, 64)
            _end_like(child, ends)


def _end_like(child: int, ends: int) -> None:
    """If it has ended. Its parent is to see how the player did; the first process of a namespace passes that on."""
    ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        return
    if player_status := os.read(ends, STATUS_BYTES):
        status = int.from_bytes(player_status, "little")
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def _play(lacking: str) -> None:
    requests, answers = _pipes()
    order = Order(**json.loads(requests.readline()))
    if lacking:
        _say(
            answers,
            f"unfit {json.dumps(f'SWEEP_SANDBOX={sys.argv[2]}, but {lacking}; run where the kernel allows it')}",
        )
        return
    _limit(order.memory)
    if order.kind == "tokenizer":
        from scheduler.plugins.containment.served_tokenizer import serve_tokenizer

        serve_tokenizer(order.folder, requests, partial(_say, answers))
        return
    me = os.getpid()
    try:
        environment, code = _load(order)
    except CodeUnusable as error:
        _say(answers, f"unfit {json.dumps(str(error))}")
        return
    except MemoryError:
        _say(answers, f"unfit {json.dumps(f'{order.name} needs more memory than it may have to be loaded')}")
        return
    if os.getpid() != me:
        os._exit(0)  # a copy that was forked off while it was loaded, and came back to us
    _say(answers, f"ready {json.dumps([environment.version, environment.shape, environment.stop, code])}")
    _serve(ServedEpisodes(environment, order), requests, answers)


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the two pipes to the parent for ourselves: code that prints, reads or forks gets others."""
    ours = [os.dup(0), os.dup(1)]
    requests, answers = ours
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)

    def forked() -> None:
        while ours:
            os.close(ours.pop())

    os.register_at_fork(after_in_child=forked)
    return open(requests, "rb", closefd=False), open(answers, "wb", closefd=False)


def _die_with(leader: int) -> None:
    """Should somebody end the leader alone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() not in (leader, 0):  # 0: it is outside our namespace
            os._exit(1)


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _load(order: Order) -> tuple[Environment, str]:
    """Load the environment, and return the digest of its code. Raises CodeUnusable if it is not the plan's."""
    environment, code = _find_environment(order)
    if order.code is not None:
        refuse_other_code(order.name, code, order.code)
    return environment, code


def _find_environment(order: Order) -> tuple[Environment, str]:
    """Imported here, so that each kind of code waits for no more than it needs."""
    if order.kind == "environment":
        from scheduler.plugins.user_environments import find_environment

        return find_environment(order.name, Path(order.folder), order.code)
    from scheduler.plugins.user_checks import find_check, give_passages

    check, code = find_check(order.name, Path(order.folder), order.code)
    return Checking(give_passages(check)), code


def _serve(play: ServedEpisodes, requests: BinaryIO, answers: BinaryIO) -> None:
    me = os.getpid()
    for line in requests:
        number, verb, rest = (line.rstrip(b"\n") + b" ").split(b" ", 2)
        if verb == b"forget":
            play.forget(int(number))
            continue
        if verb != b"begin" and not play.has(int(number)):
            _say(answers, f"{int(number)} gone")  # it broke, and this was on its way already
            continue
        steps: dict[bytes, Callable[[int, Any], str]] = {b"begin": play.begin, b"act": play.act, b"advise": play.advise}
        answer = _run_step(steps[verb], int(number), json.loads(rest))
        if os.getpid() != me:
            os._exit(0)  # a copy that an environment forked off, and that came back to us
        if answer is None:
            _say(answers, f"{int(number)} full")
            break
        if answer.startswith("broken"):
            play.forget(int(number))
        _say(answers, f"{int(number)} {answer}")


def _run_step(step: Callable[[int, Any], str], number: int, argument: Any) -> str | None:
    """Run one step and return its answer; None if memory ran out, and only a new process is free of the remains."""
    try:
        return step(number, argument)
    except MemoryError:
        return None
    except InvalidReturn as error:
        return f"broken {json.dumps(f'returned {error}')}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code may raise anything
        return f"broken {json.dumps(describe_error(error))}"


def _say(answers: BinaryIO, line: str) -> None:
    answers.write(line.encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()

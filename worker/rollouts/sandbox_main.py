"""`python -m worker.rollouts.sandbox_main`: the process in which other people's environments play, one step at a time.

Its parent is `worker/rollouts/sandbox.py`. On standard input comes one line with the order, then one line for each step
(`NUMBER begin SEED`, `NUMBER act "ACTION"`, `NUMBER advise null`, `NUMBER forget`); every step but the last kind is
answered with one line (`NUMBER prompt …`, `NUMBER turn …`, `NUMBER advice …`, `NUMBER broken "CAUSE"`), in the order in
which they came and before the next is begun: so the parent always knows which episode is played. What an environment
prints goes to standard error.

It is two processes: one that plays, and the leader of their group, which only waits. When the parent is gone, it ends
the whole group, whatever an environment hangs in or has started, and removes the temporary folder that is its first
argument, which the parent cannot do any more; and it ends as the player did.

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
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, NoReturn

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_code import describe_error
from sweeps.environments import Environment, Episode, EpisodeShape, Split, Turn
from sweeps.metrics.verdicts import NOT_APPLICABLE
from worker.rollouts.validate_returns import (
    InvalidReturn,
    encode_json,
    name_type,
    read_action,
    read_actions,
    read_facts,
    read_flag,
    read_number,
    read_score,
    read_text,
)

PR_SET_PDEATHSIG = 1


class Order(NamedTuple):
    """The first line."""

    kind: Literal["environment", "check"]
    name: str
    split: Split
    code: str  # what its code was known by when it was planned; "" is not compared
    folder: str  # behind all others, where modules are looked for
    memory: int  # bytes; 0 is no limit
    answer: int  # bytes


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    leader = os.getpid()
    if player := os.fork():
        _wait(player, woken)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(woken)
    os.close(wake)
    _die_with(leader)
    _play()


def _wait(player: int, woken: int) -> NoReturn:
    """Until the player has ended, or the parent's end of the pipe is closed: nobody needs this group any more."""
    os.close(1)
    look = select.poll()
    look.register(0, 0)  # nothing but its end
    look.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in look.poll():
            if descriptor != woken:
                os.kill(player, signal.SIGKILL)
                for scratch in sys.argv[1:2]:
                    shutil.rmtree(scratch, ignore_errors=True)
                os.killpg(0, signal.SIGKILL)
            os.read(woken, 64)
            _end_like(player)


def _end_like(player: int) -> None:
    """If it has ended. Its parent is to see how."""
    ended, status = os.waitpid(player, os.WNOHANG)
    if not ended:
        return
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def _play() -> None:
    requests, answers = _pipes()
    order = Order(**json.loads(requests.readline()))
    _limit(order.memory)
    me = os.getpid()
    try:
        environment = _environment(order)
    except CodeUnusable as error:
        _say(answers, f"unfit {json.dumps(str(error))}")
        return
    except MemoryError:
        _say(answers, f"unfit {json.dumps(f'{order.name} needs more memory than it may have to be loaded')}")
        return
    if os.getpid() != me:
        os._exit(0)  # a copy that was forked off while it was loaded, and came back to us
    _say(answers, f"ready {json.dumps([environment.version, environment.shape, environment.stop])}")
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
        if os.getppid() != leader:
            os._exit(1)


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _environment(order: Order) -> Environment:
    """Load the environment. Raises CodeUnusable, also if its code differs from the plan's."""
    environment, code = _find_environment(order)
    if order.code not in ("", code):
        raise CodeUnusable(
            f"the {order.kind}'s code changed since the plan ({order.name}: expected {order.code}, got "
            f"{code}); put the old code back, or submit the sweep again under another name"
        )
    return environment


def _find_environment(order: Order) -> tuple[Environment, str]:
    """Imported here, so that each kind of code waits for no more than it needs."""
    if order.kind == "environment":
        from scheduler.plugins.user_environments import find_environment

        return find_environment(order.name, Path(order.folder))
    from scheduler.plugins.user_checks import find_check

    check, code = find_check(order.name, Path(order.folder))
    return Checking(check), code


class Checking(NamedTuple):
    """A check of answers, played as an environment is: each answer is an episode, and its reward what it is worth."""

    check: Callable[[str, list[str]], Any]
    version: int = 1
    shape: EpisodeShape = EpisodeShape()
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> Episode:  # noqa: ARG002 - all answers are checked alike
        return Checked(self.check)


class Checked(NamedTuple):
    """One answer."""

    check: Callable[[str, list[str]], Any]
    prompt: str = "?"

    def step(self, action: str) -> Turn:
        text, answers = json.loads(action)
        score = read_score(self.check(text, answers))
        return Turn(done=True, facts={NOT_APPLICABLE: 1.0}) if score is None else Turn(reward=score, done=True)


class ServedEpisodes:
    """The episodes that are being played."""

    def __init__(self, environment: Environment, order: Order) -> None:
        self._environment = environment
        self._order = order
        self._episodes: dict[int, Episode] = {}

    def begin(self, number: int, seed: int) -> str:
        episode = self._environment.episode(seed, self._order.split)
        prompt = read_text(episode.prompt, "prompt", self._order.answer)
        if not prompt:
            raise InvalidReturn("an empty prompt")
        self._episodes[number] = episode
        return "prompt " + encode_json(prompt)

    def act(self, number: int, action: str) -> str:
        turn = self._episodes[number].step(action)
        if not isinstance(turn, Turn):
            raise InvalidReturn(f"{name_type(turn)}; expected a Turn")
        done = read_flag(turn.done)
        observation = read_text(turn.observation, "observation", self._order.answer)
        facts = read_facts(turn.facts)
        if done:
            del self._episodes[number]
        return "turn " + encode_json([observation, read_number(turn.reward, "reward"), done, facts])

    def advise(self, number: int, _: None) -> str:
        """Return what the episode knows of its right action; it need not know any."""
        episode: Any = self._episodes[number]
        expert, known = getattr(episode, "expert", None), getattr(episode, "list_actions", None)
        action = None if expert is None else read_action(expert(), "the action of its expert()", self._order.answer)
        actions = [] if known is None else read_actions(known(), self._order.answer)
        return "advice " + encode_json([action, actions])

    def forget(self, number: int) -> None:
        self._episodes.pop(number, None)

    def has(self, number: int) -> bool:
        return number in self._episodes


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

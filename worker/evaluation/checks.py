"""What answers are worth: by the checks that come with this project, or by one of somebody's own behind a fence.

A check of one's own is code like an environment, and is called where environments play
(`worker/rollouts/sandbox.py`): whatever it does costs the verdict in which it does it. Patterns are tried there,
too: one that goes back and forth over an answer for ever would hold up the whole worker, with every attempt
in it.
A check is loaded before anything is asked of the model, and called while answers come in, so that one that is broken
is found before all of them are paid for.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sweeps.evaluation.scoring import Answered, Said, score
from sweeps.rendering.prompts import PromptItem
from sweeps.spec.evaluation_section import may_fail
from worker.attempt import Attempt
from worker.outcome import StageError
from worker.rollouts.play import FEW, LONGEST_CAUSE, TOLERATED
from worker.rollouts.sandbox import BrokenEpisode, Sandbox

PATTERNS = "sweeps.metrics.matching:any_match"  # what `check: regex` is behind the fence


class Spoken(NamedTuple):
    """What was said to one prompt, by each sample."""

    ask: PromptItem
    said: Sequence[Said]


class Judge:
    """Knows what an answer is worth. To abstain is said in one way, whatever the answers are checked by."""

    def __init__(self, this: Attempt, options: Mapping[str, Any], sandbox: Sandbox | None) -> None:
        self._this = this
        self._check = str(options["check"])
        self._abstain = (options.get("abstain", ""),)
        self._sandbox = sandbox
        self._numbers = 0
        self._failed: list[str] = []  # the causes

    def judged(self, spoken: Sequence[Spoken]) -> list[Answered]:
        """Raises Unfit where a check fails on most answers."""
        found = [self._ours(one) if self._sandbox is None else self._theirs(self._sandbox, one) for one in spoken]
        if len(self._failed) >= FEW and len(self._failed) > TOLERATED * self._numbers:
            raise StageError(self._told())
        return found

    def finish(self, items: int, failed: int) -> None:
        """Tell how many items there is nothing to say about; Unfit where that is all of them."""
        if failed:
            self._this.log_event(self._told()[:LONGEST_CAUSE])
        if failed == items:
            raise StageError(self._told())

    def _of(self, ask: PromptItem) -> str:
        return "exact" if ask.answers == self._abstain else self._check

    def _ours(self, one: Spoken) -> Answered:
        return Answered(*one, [score(self._of(one.ask), each.text, one.ask.answers) for each in one.said])

    def _theirs(self, sandbox: Sandbox, one: Spoken) -> Answered:
        if self._of(one.ask) != self._check:
            return self._ours(one)._replace(failed="")
        asked = {self._number(): each.text for each in one.said}
        sandbox.begin(dict.fromkeys(asked, one.ask.item))
        spelled = {number: json.dumps([text, list(one.ask.answers)]) for number, text in asked.items()}
        verdicts = sandbox.act(spelled).values()
        causes = [verdict.what for verdict in verdicts if isinstance(verdict, BrokenEpisode)]
        self._failed += (f"{cause}, of an answer to question {one.ask.item}" for cause in causes)
        scores = [verdict.reward for verdict in verdicts if not isinstance(verdict, BrokenEpisode)]
        return Answered(*one, scores, causes[0] if causes else "")

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _told(self) -> str:
        said = f"check {self._check} failed on {len(self._failed)} of {self._numbers} answers"
        return f"{said}; the first time it {self._failed[0]}"


@contextmanager
def judge_of(this: Attempt, options: Mapping[str, Any]) -> Iterator[Judge]:
    """The judge of an evaluation. Raises Unfit where its check cannot be loaded, or is another than was planned."""
    check = str(options["check"])
    if not may_fail(check):
        yield Judge(this, options, None)
        return
    with Sandbox(
        PATTERNS if check == "regex" else check,
        kind="check",
        split="test",
        code=str(options.get("code", "")),
        limits=this.context.sandbox,
        folder=this.context.environments,
        check=this.check_own_wait,
    ) as sandbox:
        yield Judge(this, options, sandbox)

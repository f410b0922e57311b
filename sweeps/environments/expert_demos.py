"""Write what the expert of an environment does as rows to train on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sweeps.environments.trials import TrialEpisode, Trials, follow_expert
from sweeps.records import Row, canonicalize_row

AT_ONCE = 16  # episodes that are played together
TRIES = 4  # seeds for each row that is asked for, at most
FEW = 64  # seeds at least, before too few rows count as all there are


class Demonstrations(NamedTuple):
    """Rows of transcripts (a prompt of text) or of chats (a prompt of messages)."""

    rows: list[Row]
    left_out: int  # episodes that are not solved, lost, or the same as another
    reason: str  # why there are fewer than were asked for, or episodes left out


def collect_demonstrations(trials: Trials, count: int) -> Demonstrations:
    """Collect this many different episodes that the expert solves, from seed 0 on."""
    rows: dict[bytes, Row] = {}
    failed, repeated, seed = 0, 0, 0
    while len(rows) < count and seed < max(FEW, TRIES * count):
        for episode in trials.play(dict.fromkeys(range(seed, seed + AT_ONCE), follow_expert)):
            if not episode.actions and not episode.lost:
                return Demonstrations([], 0, "the episode has no method expert() that returns the right action")
            if len(rows) == count:
                break
            if not episode.done or episode.lost or episode.solved is False:
                failed += 1
                continue
            row = make_row(episode)
            repeated += canonicalize_row(row) in rows
            rows.setdefault(canonicalize_row(row), row)
        seed += AT_ONCE
    return Demonstrations([*rows.values()], failed + repeated, _describe_left_out(failed, repeated))


def _describe_left_out(failed: int, repeated: int) -> str:
    causes = {"were not solved by the expert": failed, "repeat another": repeated}
    parts = [f"{count:,} {cause}" for cause, count in causes.items() if count]
    return f"left out: {', '.join(parts)}" if parts else ""


def make_row(episode: TrialEpisode) -> Row:
    """Write an episode as a row in which only its actions are learnt."""
    if isinstance(episode.prompt, str):
        parts: list[Mapping[str, Any]] = [{"text": episode.prompt, "loss": False}]
        for action, turn in zip(episode.actions, episode.turns, strict=True):
            parts.append({"text": action, "loss": True})
            parts += [{"text": turn.observation, "loss": False}] if turn.observation else []
        return {"parts": parts}
    messages = [_mute(message) for message in episode.prompt]
    for action, turn in zip(episode.actions, episode.turns, strict=True):
        messages.append({"role": "assistant", "content": action})
        if turn.observation and not isinstance(turn.observation, str):
            messages += [_mute(message) for message in turn.observation]
    if messages[-1]["role"] != "assistant":  # what is read after the last action
        messages = messages[
            : 1 + max(place for place, message in enumerate(messages) if message["role"] == "assistant")
        ]
    return {"messages": messages}


def _mute(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep an answer that stands in the prompt from being learnt."""
    return {**message, "weight": 0} if message["role"] == "assistant" else message

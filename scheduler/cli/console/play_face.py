"""Show an episode step by step, and ask a person or the input for each action."""

import sys
from typing import NamedTuple

from scheduler.cli.console.output import Output
from sweeps.environments import Advice, Text, Turn
from sweeps.environments.environment_checks import EnvironmentCheck
from sweeps.environments.trials import Policy, TrialEpisode, TrialStage, act_randomly, follow_expert
from sweeps.formatting import escape, escape_lines, format_count, format_value

LISTED = 24  # actions that are listed
STYLES = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def show_header(output: Output, name: str, stage: TrialStage) -> None:
    """Show what the environment declares."""
    names = ("turns", "tokens of an action", "tokens of an observation")
    spans = [f"{name} {least} to {most}" for name, (least, most) in zip(names, stage.shape, strict=True)]
    stops = ", ".join(map(repr, stage.stop)) or "none"
    output.say(f"{name}: {', '.join(spans)}; stop texts: {stops}")


class EpisodeActor(NamedTuple):
    """Who plays; what a person types stands on the screen already."""

    policy: Policy
    typed: bool = False


def choose_actor(output: Output, stage: TrialStage, by: str | None) -> EpisodeActor:
    """Choose who plays: as asked, or a person at a terminal, or the lines of the input."""
    if by == "expert":
        return EpisodeActor(follow_expert)
    if by == "random":
        return EpisodeActor(act_randomly)
    if not sys.stdin.isatty():
        return EpisodeActor(_read_lines(stage))
    if output.for_people:
        return EpisodeActor(_ask_person(output, stage), typed=True)
    return EpisodeActor(_act_alone)


def _act_alone(episode: TrialEpisode, advice: Advice) -> str:
    """Act where nobody can be asked: as the expert does, else by chance."""
    return act_randomly(episode, advice) if advice.action is None else advice.action


def _ask_person(output: Output, stage: TrialStage) -> Policy:
    def ask(episode: TrialEpisode, advice: Advice) -> str | None:
        if advice.actions and not episode.turns:
            output.say(f"actions: {' '.join(action.strip() for action in advice.actions[:LISTED])}")
        try:
            typed = input(f"action {len(episode.turns) + 1}> ")
        except EOFError:
            output.console.print()
            return None
        return _end_action(typed, episode, stage)

    return ask


def _read_lines(stage: TrialStage) -> Policy:
    def read(episode: TrialEpisode, advice: Advice) -> str | None:
        del advice
        line = sys.stdin.readline()
        return _end_action(line.removesuffix("\n"), episode, stage) if line else None

    return read


def _end_action(typed: str, episode: TrialEpisode, stage: TrialStage) -> str:
    """End an action as the model would: plain text ends with a stop text."""
    if not stage.stop or not isinstance(episode.prompt, str) or typed.endswith(stage.stop):
        return typed
    return typed + stage.stop[0]


def watch_actor(output: Output, actor: EpisodeActor) -> Policy:
    """Show what the episode said before each action, and the action unless it was typed."""

    def act(episode: TrialEpisode, advice: Advice) -> str | None:
        if episode.turns:
            show_turn(output, episode.turns[-1])
        else:
            output.say(f"\nseed {episode.seed}")
            show_text(output, "prompt", episode.prompt)
        action = actor.policy(episode, advice)
        if action is not None and not actor.typed:
            show_text(output, f"action {len(episode.turns) + 1}", action)
        return action

    return act


def show_text(output: Output, label: str, text: Text) -> None:
    """Show text or messages below a label; in a pipe each on one line."""
    if isinstance(text, str):
        lines = [(label, text)]
    else:
        lines = [(f"{label} ({message['role']})", str(message["content"])) for message in text]
    for name, content in lines:
        if output.console.is_terminal and "\n" in content.strip("\n"):
            inner = "\n".join(f"  {line}" for line in escape_lines(content).split("\n"))
            output.say(f"{name}:\n{inner}")
        elif output.for_people:
            shown = content.rstrip("\n") if output.console.is_terminal else content
            output.console.print(f"{escape(name)}: {escape(shown)}", soft_wrap=not output.console.is_terminal)


def show_turn(output: Output, turn: Turn) -> None:
    """Show what an action brought."""
    if turn.observation:
        show_text(output, "observation", turn.observation)
    facts = "".join(f", {name} {format_value(value)}" for name, value in turn.facts.items())
    output.say(f"reward {format_value(turn.reward)}{facts}")


def show_episode_end(output: Output, episode: TrialEpisode) -> None:
    """Show the last turn, and how the episode ended."""
    if episode.turns:
        show_turn(output, episode.turns[-1])
    turns = format_count(len(episode.turns), "turn")
    if episode.lost:
        output.say(f"the episode is lost: {episode.lost}")
    elif episode.done:
        output.say(f"the episode is over after {turns}: reward {format_value(episode.reward)}")
    else:
        output.say(f"the episode is not over after {turns}: reward so far {format_value(episode.reward)}")


def show_check(output: Output, check: EnvironmentCheck) -> None:
    """Show the result of a check as one line."""
    if not output.for_people:
        return
    text = f"{check.verdict:<6} {check.check}: {check.message}"
    output.console.print(escape(text), style=STYLES[check.verdict] if output.console.is_terminal else "")

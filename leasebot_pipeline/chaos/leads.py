"""Who writes in a play: leads with the texts of the shipped inquiries, dealt anew by the seed."""

from __future__ import annotations

import random
from functools import cache
from typing import Final

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.scripts import LeadScript, Line, Reaction, builtin

_NUDGES: Final = ("Hello? Any update on my message?", "Just checking in.")
_SECOND_THOUGHTS: Final = (
    "Thanks! One more thing, is the heating included?",
    "Great, thank you. Could I bring my sister along?",
    "Good to know. Is it still available next month as well?",
    "Could you tell me a bit more about the place?",
)


@cache
def _openings(*, answered: bool) -> tuple[tuple[Line, ...], ...]:
    """The shipped openings that a bot may answer alone, or all of them."""
    return tuple(
        script.messages
        for script in builtin()
        if script.age == 0
        and all(line.by == "lead" for line in script.messages)
        and (not answered or (script.expect is not None and script.expect.handling == "answer"))
    )


def deal(
    chance: random.Random, messages: int, first: int, platforms: tuple[Platform, ...]
) -> list[LeadScript]:
    """Leads that write about that many messages; ``first`` numbers them."""
    scripts: list[LeadScript] = []
    left = messages
    while left > 0:
        number = first + len(scripts)
        script = _lead(chance, number, platforms[number % len(platforms)])
        scripts.append(script)
        left -= len(script.messages) + sum(
            reaction.times for reaction in script.reactions if reaction.do == "ask"
        )
    return scripts


def _lead(chance: random.Random, number: int, platform: Platform) -> LeadScript:
    lines = chance.choice(_openings(answered=chance.random() < 0.75))
    if chance.random() < 0.05:
        lines = (*lines, Line(text=lines[-1].text, after=2.0))  # two equal texts are two messages
    reactions: list[Reaction] = []
    nudges: tuple[str, ...] = ()
    match chance.choices(("content", "asks", "nudges", "books"), (45, 25, 20, 3))[0]:
        case "asks":
            reactions = [
                Reaction(do="ask", say=(text,), after=6.0) for text in chance.sample(_SECOND_THOUGHTS, 2)
            ]
        case "nudges":
            nudges = _NUDGES[: chance.randint(1, 2)]
        case "books":
            reactions = [
                Reaction(when="offered", do="pick", pick=1, after=6.0),
                Reaction(when="confirmed", do="thank", after=6.0),
            ]
        case _:
            pass
    return LeadScript(
        id=f"play-{number}",
        platform=platform,
        name=f"Robin Player {number}",
        messages=lines,
        reactions=tuple(reactions),
        nudges=nudges,
        patience=40.0,
        max_turns=4,
    )

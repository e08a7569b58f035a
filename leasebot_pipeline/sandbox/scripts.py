"""A scripted lead: what it writes, how long it waits, how it reacts to what it is answered.

Scripts come from files and from the control API and are validated here; an error names line and field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from leasebot_pipeline.domain.platforms import Platform

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]

DEFAULT_PATIENCE: Final = 45.0
_INQUIRIES: Final = Path(__file__).parent / "inquiries"
_DEFAULT_WORDS: Final[Mapping[str, str]] = {
    "pick": "{day} at {time} works for me, please book it.",
    "confirm": "Yes, confirmed. See you then!",
    "decline": "None of those times work for me, sorry.",
    "ask": "Could you tell me a bit more about the place?",
    "thank": "Thank you!",
    "propose": "Could we do {day} at 4:15 PM instead?",
    "reschedule": "Something came up, could we find another time please?",
    "cancel": "Sorry, I have to cancel the viewing.",
}


class ScriptError(ValueError):
    """A script or dialogues file that cannot be used; the message names the place and the rule."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(_Strict):
    """A message of the opening. ``by`` "us" puts an answer into the history that no bot sent."""

    text: Text
    after: Seconds = 0.0
    """Seconds after the message before it."""
    by: Literal["lead", "us"] = "lead"


class Reaction(_Strict):
    """What the lead does when an answer arrives. The first rule that fits and is not used up fires.

    ``when``: "offered" an answer with slots to choose from, "no_slots" one without any, "held" one that asks to
    answer "confirm", "confirmed" one that speaks of a fixed visit, "cancelled" one that calls it off, "any". ``say`` may hold {slot}, {day}, {time}, {n} and {ordinal} of the slot
    that is picked.
    """

    when: Literal["offered", "no_slots", "held", "confirmed", "cancelled", "any"] = "any"
    do: Literal["pick", "confirm", "decline", "propose", "reschedule", "cancel", "ask", "thank", "silent"]
    say: tuple[Text, ...] = ()
    pick: int = Field(default=1, ge=1, le=9)
    after: Seconds = 4.0
    times: int = Field(default=1, ge=1, le=20)

    @model_validator(mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        if isinstance(value, Mapping) and isinstance(value.get("say"), str):
            return {**value, "say": (value["say"],)}
        return value

    @model_validator(mode="after")
    def _silence_says_nothing(self) -> Self:
        if self.do == "silent" and self.say:
            raise ValueError("say: must be empty when do is silent")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """What is said, before placeholders are filled; empty for silence."""
        if self.do == "silent":
            return ()
        return self.say or (_DEFAULT_WORDS[self.do],)


class Expectation(_Strict):
    """The label a person would give: main intent of the opening, and whether a bot may answer alone."""

    intent: Literal["tour_request", "pricing_question", "availability_question", "unsubscribe", "unknown"]
    handling: Literal["answer", "hold"]


class LeadScript(_Strict):
    """One lead. ``listing``: "any", "none", "unknown" (an advert that is not ours) or a unit's key."""

    id: Name
    platform: Platform | Literal["any"] = "any"
    name: Name
    listing: Name = "any"
    messages: tuple[Line, ...] = Field(min_length=1, max_length=40)
    reactions: tuple[Reaction, ...] = ()
    nudges: tuple[Text, ...] = ()
    """Said one after the other, each when the patience ran out once more."""
    patience: float = Field(default=DEFAULT_PATIENCE, gt=0, le=86_400)
    max_turns: int = Field(default=4, ge=0, le=60)
    """How often the lead writes after its opening, nudges included."""
    age: float = Field(default=0.0, ge=0, le=366 * 86_400)
    """Seconds the opening lies in the past when the lead appears; 0 = it is written live."""
    tags: tuple[Name, ...] = ()
    expect: Expectation | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_texts(cls, value: object) -> object:
        if isinstance(value, Mapping) and isinstance(value.get("messages"), list | tuple):
            lines = [{"text": m} if isinstance(m, str) else m for m in value["messages"]]
            return {**value, "messages": lines}
        return value

    @model_validator(mode="after")
    def _somebody_writes(self) -> Self:
        if all(line.by == "us" for line in self.messages):
            raise ValueError("messages: at least one must be by the lead")
        return self


def parse_script(value: object, where: str) -> LeadScript:
    """A script from decoded JSON. Raises ScriptError that begins with ``where``."""
    try:
        return LeadScript.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "value"
        raise ScriptError(f"{where}: {field}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file yielded: usable scripts, and for every other line where it stands and why not."""

    scripts: tuple[LeadScript, ...]
    refused: tuple[str, ...]


def load_file(path: Path) -> Loaded:
    """All scripts of a JSON Lines file: scripts of ours, or dialogues (``turns`` of lead and agent).

    A line that cannot be used is refused with its reason, the others count.
    Raises ScriptError when no line is usable; OSError when the file cannot be read.
    """
    found: dict[str, LeadScript] = {}
    refused: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path.name} line {number}"
            try:
                script = _parse_line(line, where, number)
                if script.id in found:
                    raise ScriptError(f"{where}: id: {script.id!r} occurs twice")
                found[script.id] = script
            except ScriptError as error:
                refused.append(str(error))
    if not found:
        raise ScriptError(refused[0] if refused else f"{path.name}: holds no script")
    return Loaded(tuple(found.values()), tuple(refused))


def _parse_line(line: str, where: str, number: int) -> LeadScript:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ScriptError(f"{where}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ScriptError(f"{where}: must be an object")
    return from_dialogue(value, where, number) if "turns" in value else parse_script(value, where)


def builtin() -> list[LeadScript]:
    """The inquiries this package ships, varied from the first one on. Raises ScriptError if damaged."""
    decks = [load_file(path) for path in sorted(_INQUIRIES.glob("*.jsonl"))]
    for deck in decks:
        if deck.refused:
            raise ScriptError(deck.refused[0])
    return deal([deck.scripts for deck in decks])


def deal(decks: Sequence[Sequence[LeadScript]]) -> list[LeadScript]:
    """The decks dealt evenly into one list: every stretch of it holds each deck by its share."""
    placed = [
        ((position + 0.5) / len(deck), which, script)
        for which, deck in enumerate(decks)
        for position, script in enumerate(deck)
    ]
    return [script for _, _, script in sorted(placed, key=lambda p: p[:2])]


_NAMES: Final = (
    "Alma Ferris", "Ben Okafor", "Carla Nunes", "Devon Marsh", "Esra Polat", "Finn Larsen", "Greta Holm", "Hugo Prado",
    "Ines Vidal", "Jonah Pike", "Kira Novak", "Leo Hart", "Mina Choi", "Noor Aziz", "Otis Grant", "Priya Nair",
    "Quentin Roy", "Rosa Lima", "Sven Dahl", "Tara Quinn", "Uma Rao", "Viktor Blum", "Wendy Ochs", "Yara Haddad",
)  # fmt: skip


def from_dialogue(value: Mapping[str, object], where: str, number: int) -> LeadScript:
    """A recorded dialogue as a script: its lead turns up to the first answer open the conversation, each
    later group of lead turns is said when the lead was answered again.

    A lead that is never answered nudges once (every third dialogue) or falls silent.
    Raises ScriptError when no lead turn has text.
    """
    groups: list[list[str]] = []
    open_group = False
    turns = value.get("turns")
    if not isinstance(turns, list):
        raise ScriptError(f"{where}: turns: must be a list")
    for position, turn in enumerate(turns):
        role = turn.get("role") if isinstance(turn, Mapping) else None
        text = turn.get("text") if isinstance(turn, Mapping) else None
        if role not in ("lead", "agent") or not isinstance(text, str):
            raise ScriptError(f"{where}: turns.{position}: needs role lead or agent, and text")
        if role == "lead" and text.strip():
            if not open_group:
                groups.append([])
            groups[-1].append(text.strip())
        open_group = role == "lead" and bool(groups)
    if not groups:
        raise ScriptError(f"{where}: turns: the lead says nothing")
    opening, *later = groups
    return parse_script(
        {
            "id": f"dialogue-{value.get('dialogue_id', number)}",
            "name": _NAMES[number % len(_NAMES)],
            "messages": [{"text": text, "after": 2.0 * (index > 0)} for index, text in enumerate(opening)],
            "reactions": [{"do": "ask", "say": group, "after": 3.0} for group in later],
            "nudges": ["Hello? Any update on my message?"] if number % 3 == 0 else [],
            "max_turns": min(len(later) + 1, 60),
            "tags": ["dialogue"],
        },
        where,
    )


def selected(
    scripts: Iterable[LeadScript], platforms: Sequence[Platform] | None, limit: int | None
) -> list[LeadScript]:
    """The scripts that may appear on one of ``platforms``, at most ``limit`` of them."""
    wanted = [s for s in scripts if platforms is None or s.platform == "any" or s.platform in platforms]
    return wanted[:limit]

"""The parts of our own labelled set, by name. Light: the command line names them before anything is read."""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    TUNING = "tuning"
    SCORED = "scored"
    OPENED = "opened"
    FRESH = "fresh"
    SECOND_OPENED = "second_opened"
    SECOND_FRESH = "second_fresh"
    THIRD_OPENED = "third_opened"
    THIRD_FRESH = "third_fresh"
    FOURTH_OPENED = "fourth_opened"
    FOURTH_FRESH = "fourth_fresh"

    @property
    def only_scored(self) -> bool:
        """Whoever works on the rules does not read it."""
        return self in (Part.SCORED, Part.FRESH, Part.SECOND_FRESH, Part.THIRD_FRESH, Part.FOURTH_FRESH)

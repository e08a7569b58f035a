"""Variables of viewings: how visits are cut, how many there may be, how far ahead calendars reach."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import Group, env


class ShowingSettings(Group):
    """Visits and calendars."""

    title: ClassVar[str] = "Showings and calendars"
    intro: ClassVar[str] = (
        "How free time is cut into visits, and how far ahead. docs/scheduling.md says how the rules work together."
    )

    duration_minutes: Annotated[
        int, rules.whole(5, 480), env("SHOWING_DURATION_MINUTES", about="Length of one visit.")
    ] = 30
    buffer_before_minutes: Annotated[
        int,
        rules.whole(0, 480),
        env(
            "SHOWING_BUFFER_BEFORE_MINUTES",
            about="Time an agent is kept free before a visit, towards visits of other units.",
        ),
    ] = 0
    buffer_after_minutes: Annotated[
        int,
        rules.whole(0, 480),
        env(
            "SHOWING_BUFFER_AFTER_MINUTES",
            about="Time an agent is kept free after a visit, towards visits of other units. Two visits of different "
            "units lie at least both buffers apart.",
        ),
    ] = 0
    minimum_notice_minutes: Annotated[
        int,
        rules.whole(0, 43_200),
        env("SHOWING_MINIMUM_NOTICE_MINUTES", about="Least time between now and a visit that is offered."),
    ] = 60
    daily_cap: Annotated[
        int,
        rules.whole(0, 200),
        env(
            "SHOWING_DAILY_CAP",
            about="Most showings of one agent on one day, in the agent's own zone; each lead of a group counts. "
            "0 = any number.",
        ),
    ] = 0
    capacity: Annotated[
        int,
        rules.whole(1, 50),
        env("SHOWING_CAPACITY", about="Most leads who may come to one unit at the same time."),
    ] = 1
    offer_days: Annotated[
        int,
        rules.whole(1, 365),
        env("SHOWING_OFFER_DAYS", about="How many days ahead visits are offered."),
    ] = 14
    hold_minutes: Annotated[
        int,
        rules.whole(1, 1_440),
        env(
            "SHOWING_HOLD_MINUTES",
            about="How long a time is held for a lead who still has to confirm it.",
        ),
    ] = 10
    draft_hold_hours: Annotated[
        int,
        rules.whole(1, 168),
        env(
            "SHOWING_DRAFT_HOLD_HOURS",
            about="How long a time is held while the reply that confirms it waits as a draft for a person.",
        ),
    ] = 24
    ask_back: Annotated[
        SendMode,
        rules.choice(draft_only="draft_only", auto_send="auto_send"),
        env(
            "SHOWING_ASK_BACK",
            about="Whether the question back to an unclear answer (which of these times do you mean?) goes out alone "
            "where replies may be sent (auto_send), or waits as a draft for the person it calls (draft_only).",
        ),
    ] = SendMode.DRAFT_ONLY
    availability_horizon_days: Annotated[
        int,
        rules.whole(7, 366),
        env(
            "AVAILABILITY_HORIZON_DAYS",
            about="How many days ahead weekly rules are written out; at least SHOWING_OFFER_DAYS.",
        ),
    ] = 56

    @property
    def slot_policy(self) -> SlotPolicy:
        """The rules of the slot search."""
        return SlotPolicy(
            duration=timedelta(minutes=self.duration_minutes),
            buffer_before=timedelta(minutes=self.buffer_before_minutes),
            buffer_after=timedelta(minutes=self.buffer_after_minutes),
            minimum_notice=timedelta(minutes=self.minimum_notice_minutes),
            daily_cap=self.daily_cap or None,
            capacity=self.capacity,
        )

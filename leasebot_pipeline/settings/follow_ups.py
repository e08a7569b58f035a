"""Variables of following up on silent leads and of reminders: what holds for accounts that say nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Final

from leasebot_pipeline.domain.follow_ups import FollowUpPolicy, parse_quiet_hours
from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import Group, env


def _quiet_hours(text: str) -> str:
    try:
        parse_quiet_hours(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("quiet_hours: ")) from None
    return text.strip().casefold()


QUIET_HOURS: Final = rules.Rule(_quiet_hours, "HH:MM-HH:MM, or off")
_LONGEST_H: Final = 90 * 24


class FollowUpSettings(Group):
    """Follow-ups and reminders."""

    title: ClassVar[str] = "Follow-ups and reminders"
    intro: ClassVar[str] = (
        "Defaults; each account may say otherwise. docs/follow-ups.md says what is sent when, and what stops it."
    )

    enabled: Annotated[
        bool,
        rules.BOOLEAN,
        env(
            "FOLLOW_UPS_ENABLED", about="Whether leads who fall silent after a reply of ours are followed up."
        ),
    ] = True
    follow_up_1_after_hours: Annotated[
        float,
        rules.decimal(_LONGEST_H),
        env("FOLLOW_UP_1_AFTER_HOURS", about="From our reply to the first follow-up."),
    ] = 24.0
    follow_up_2_after_hours: Annotated[
        float,
        rules.decimal(_LONGEST_H),
        env("FOLLOW_UP_2_AFTER_HOURS", about="From the first follow-up to the second."),
    ] = 72.0
    no_reply_after_hours: Annotated[
        float,
        rules.decimal(_LONGEST_H),
        env(
            "FOLLOW_UP_NO_REPLY_AFTER_HOURS",
            about="From the last follow-up to the outcome `no_reply`. A lead who writes later is a lead again.",
        ),
    ] = 72.0
    maximum: Annotated[
        int,
        rules.whole(0, 2),
        env("FOLLOW_UP_MAXIMUM", about="Most follow-ups one silence gets; 0 only sets `no_reply`."),
    ] = 2
    quiet_hours: Annotated[
        str,
        QUIET_HOURS,
        env(
            "FOLLOW_UP_QUIET_HOURS",
            about="Local times of the lead or the unit between which no follow-up or reminder leaves.",
        ),
    ] = "20:00-09:00"
    timezone: Annotated[
        str,
        rules.TIMEZONE,
        env(
            "FOLLOW_UP_TIMEZONE",
            about="Zone of the quiet hours where neither the lead nor the unit nor the agent tells one.",
        ),
    ] = "America/New_York"
    reminders: Annotated[
        bool,
        rules.BOOLEAN,
        env("SHOWING_REMINDERS_ENABLED", about="Whether leads are reminded 24 and 2 hours before a showing."),
    ] = True

    @property
    def policy(self) -> FollowUpPolicy:
        """The defaults as the pipeline takes them."""
        return FollowUpPolicy(
            enabled=self.enabled,
            follow_up_1_after=timedelta(hours=self.follow_up_1_after_hours),
            follow_up_2_after=timedelta(hours=self.follow_up_2_after_hours),
            no_reply_after=timedelta(hours=self.no_reply_after_hours),
            maximum=self.maximum,
            quiet_hours=parse_quiet_hours(self.quiet_hours),
            reminders=self.reminders,
        )

"""Variables of watching a release."""

from __future__ import annotations

from typing import Annotated, ClassVar

from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import Group, env


class ReleaseSettings(Group):
    """The watch over a canary."""

    title: ClassVar[str] = "Release"
    intro: ClassVar[str] = "docs/release/stages.md says what the stages mean and what the gate asks for."

    auto_rollback: Annotated[
        bool,
        rules.BOOLEAN,
        env(
            "RELEASE_AUTO_ROLLBACK",
            about="Whether a sensor asks the gate in canary and goes back to shadow by itself when the gate says so.",
        ),
    ] = False
    gate_interval_minutes: Annotated[
        int,
        rules.whole(1, 1_440),
        env("RELEASE_GATE_INTERVAL_MINUTES", about="How often that sensor asks the gate."),
    ] = 30

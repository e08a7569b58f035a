"""The verdict of a play: what the leads really received, by the sites' own journal, against what we say we did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes.demo_report import (
    LeadTranscript,
    duplicates,
    lost_inbound,
    lost_outbound,
)
from leasebot_pipeline.storage import demo_figures


@dataclass(frozen=True, slots=True)
class Silence:
    """A span in which nothing could be clicked on a platform (None: anywhere)."""

    platform: Platform | None
    why: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a play came to. All counts but ``messages`` and ``received`` should be 0."""

    messages: int
    received: int
    doubled: int
    lost: int
    unknown_open: int
    clicked_in_silence: int


@dataclass(frozen=True, slots=True)
class Journal:
    """What the sites wrote down."""

    leads: tuple[LeadTranscript, ...]
    clicks: tuple[tuple[str, datetime], ...]
    """Platform and instant of every text our side sent."""

    @property
    def messages(self) -> int:
        return sum(len(lead.written) for lead in self.leads)


def read_journal(path: Path) -> Journal:
    """The journal file as it stands; the sites may still be writing (a line half written is left out)."""
    lead_of: dict[int, tuple[str, str]] = {}
    written: dict[int, list[tuple[str, datetime]]] = {}
    received: dict[int, list[str]] = {}
    clicks: list[tuple[str, datetime]] = []
    content = path.read_bytes()
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        record = json.loads(line)
        if record["kind"] == "lead":
            lead_of[record["lead"]] = (record["platform"], record["thread"])
        elif record["kind"] == "message" and not (record["direction"] == "outbound" and record["scripted"]):
            at, number = datetime.fromisoformat(record["at"]), record["lead"]
            if record["direction"] == "inbound":
                written.setdefault(number, []).append((record["body"], at))
            else:
                received.setdefault(number, []).append(record["body"])
                clicks.append((lead_of[number][0], at))
    leads = tuple(
        LeadTranscript(platform, thread, tuple(written.get(number, ())), tuple(received.get(number, ())))
        for number, (platform, thread) in lead_of.items()
    )
    return Journal(leads, tuple(clicks))


_UNKNOWN_OPEN = text("""
    SELECT count(*) FROM "OutboundDispatches" d
     WHERE d.state = 'unknown'
       AND (d.next_attempt_at IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM "AuditLogs" l WHERE l.conversation_id = d.conversation_id
                                                         AND l.action = 'platform_dispatch_left_to_person'))
""")


def judge(conn: Connection, journal: Journal, silences: Sequence[Silence] = ()) -> Verdict:
    """Hold both sides against each other.

    ``doubled``: texts a lead received more often than we know of a click for. ``lost``: messages of leads that
    are not stored or not decided, replies marked sent that nobody received, and work that never ended.
    """
    clicked = demo_figures.clicked_replies(conn)
    inbound = demo_figures.stored_inbound(conn)
    unknown_open = int(conn.execute(_UNKNOWN_OPEN).scalar_one())
    still_open = demo_figures.open_work(conn) - int(
        conn.execute(
            text(
                """SELECT count(*) FROM "OutboundDispatches" WHERE state = 'unknown' AND next_attempt_at IS NOT NULL"""
            )
        ).scalar_one()
    )
    return Verdict(
        messages=journal.messages,
        received=len(journal.clicks),
        doubled=duplicates(journal.leads, clicked),
        lost=lost_inbound(journal.leads, inbound) + lost_outbound(journal.leads, clicked) + still_open,
        unknown_open=unknown_open,
        clicked_in_silence=_clicked_in(silences, journal.clicks),
    )


def _clicked_in(silences: Sequence[Silence], clicks: Iterable[tuple[str, datetime]]) -> int:
    return sum(
        any(
            silence.begins < at <= silence.ends and silence.platform in (None, Platform(platform))
            for silence in silences
        )
        for platform, at in clicks
    )

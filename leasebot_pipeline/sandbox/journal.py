"""What happened in the sandbox, one JSON record a line, appended before anybody is told of it.

A killed process loses nothing that was accepted: records go to the file in one unbuffered write each.
(They are not forced to the disk: the sandbox survives its own death, not the machine's.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.sandbox.portfolio import Advert
from leasebot_pipeline.sandbox.scripts import LeadScript


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime


class Scheduled(BaseModel):
    """A message a lead (or, in a history, our side) will write at ``due``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    due: datetime
    text: str
    by: Literal["lead", "us"] = "lead"


class LeadArrived(_Record):
    """A lead appears; its opening is scheduled. ``advert`` None: it writes about no advert."""

    kind: Literal["lead"] = "lead"
    lead: int
    platform: Platform
    thread: str
    advert: Advert | None
    script: LeadScript
    scheduled: tuple[Scheduled, ...]
    patience: float
    """Seconds, time scale applied."""


class MessageWritten(_Record):
    """A message stands in a thread.

    From the lead (or ``scripted``): it was the first of its scheduled ones. From us: ``rule`` is the reaction
    it set off (if any), ``scheduled`` what the lead will say next, ``ends`` that those are its last words.
    """

    kind: Literal["message"] = "message"
    lead: int
    number: int
    direction: Direction
    body: str
    scripted: bool = False
    rule: int | None = None
    scheduled: tuple[Scheduled, ...] = ()
    ends: bool = False


class PatienceEnded(_Record):
    """A lead waited in vain: it nudges, or (nothing scheduled) gives up."""

    kind: Literal["patience"] = "patience"
    lead: int
    scheduled: tuple[Scheduled, ...] = ()


class AdvertChanged(_Record):
    """An advert was published or changed."""

    kind: Literal["advert"] = "advert"
    advert: Advert


class SessionsRevoked(_Record):
    """Sessions of a platform that began up to ``at`` are void."""

    kind: Literal["revoked"] = "revoked"
    platform: Platform


class LeadsArchived(_Record):
    """Somebody tidied the inbox up: these leads' threads are in it no more, though their pages still open."""

    kind: Literal["archived"] = "archived"
    leads: tuple[int, ...]


Record = LeadArrived | MessageWritten | PatienceEnded | AdvertChanged | SessionsRevoked | LeadsArchived
_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


class JournalError(Exception):
    """A journal that cannot be replayed; the message names file, line and rule."""


class Journal:
    """An append-only file of records. One process at a time (the sites' ports see to that)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def replay(self) -> Iterator[Record]:
        """All records in order. A last line cut short by a death in mid-write is removed.

        Raises JournalError when any other line is damaged.
        """
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file, whole)
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                yield _RECORD.validate_json(line)
            except ValidationError as error:
                first = error.errors(include_input=False)[0]
                raise JournalError(f"{self.path}: line {number}: {first['loc']}: {first['msg']}") from None

    def append(self, record: Record) -> None:
        """Write a record. Raises OSError when the file cannot take it (nothing was accepted then)."""
        data = f"{record.model_dump_json()}\n".encode()
        written = os.write(self._file, data)
        if written < len(data):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError(f"{self.path}: only {written} of {len(data)} bytes could be written")

    def close(self) -> None:
        os.close(self._file)

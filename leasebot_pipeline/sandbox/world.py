"""The world behind the five sites: adverts, leads, their threads; and what leads do as time passes.

Every change is a record: decided here, written to the journal, then applied. Replay applies the same
records, so a restarted sandbox continues where it was. All public methods may be called from any thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import RLock
from typing import Literal

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.sandbox import portfolio
from leasebot_pipeline.sandbox.identifiers import thread_id
from leasebot_pipeline.sandbox.journal import (
    AdvertChanged,
    Journal,
    LeadArrived,
    LeadsArchived,
    MessageWritten,
    PatienceEnded,
    Record,
    Scheduled,
    SessionsRevoked,
)
from leasebot_pipeline.sandbox.portfolio import Advert, foreign_advert
from leasebot_pipeline.sandbox.reactions import react
from leasebot_pipeline.sandbox.scripts import LeadScript, ScriptError

LeadStatus = Literal["writing", "waiting", "finished", "silent"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a thread. ``number`` counts all messages of the sandbox, in order."""

    number: int
    direction: Direction
    body: str
    at: datetime
    scripted: bool
    """An answer of our side that the script put there: no bot's doing."""

    @property
    def outbound(self) -> bool:
        return self.direction is Direction.OUTBOUND


@dataclass(slots=True)
class Lead:
    """A lead and its one thread."""

    number: int
    platform: Platform
    thread: str
    advert: Advert | None
    script: LeadScript
    arrived_at: datetime
    patience: timedelta
    messages: list[Message] = field(default_factory=list)
    scheduled: list[Scheduled] = field(default_factory=list)
    used: Counter[int] = field(default_factory=Counter)
    turns: int = 0
    nudges: int = 0
    waits_until: datetime | None = None
    silent: bool = False
    """It waited in vain and gave up, until somebody answers after all."""
    leaving: bool = False
    """What is scheduled are its last words; it reacts to nothing any more."""
    seen: int = 0
    """Number of the newest message when the thread page was last opened."""

    @property
    def newest(self) -> Message:
        return self.messages[-1]

    @property
    def status(self) -> LeadStatus:
        """writing: more is on its way; waiting: for an answer; silent: gave up waiting; finished: content."""
        if self.scheduled:
            return "writing"
        if self.waits_until is not None:
            return "waiting"
        return "silent" if self.silent else "finished"

    def rank(self, *, by_inbound: bool) -> tuple[datetime, int]:
        """Sort key of the inbox: when the newest (or newest inbound) message was written."""
        ranked = [m for m in self.messages if not m.outbound] if by_inbound else self.messages
        newest = (ranked or self.messages)[-1]
        return newest.at, newest.number

    @property
    def received(self) -> list[Message]:
        """What this lead was sent, apart from a scripted history."""
        return [m for m in self.messages if m.outbound and not m.scripted]


class UnknownThread(LookupError):
    """There is no such thread on that platform."""


class World:
    """State of the sandbox. ``time_scale`` multiplies every delay and patience: 0.1 is ten times faster."""

    def __init__(self, journal: Journal, clock: Clock, *, time_scale: float = 1.0, seed: int = 7) -> None:
        self._journal = journal
        self._clock = clock
        self._scale = time_scale
        self._seed = seed
        self._lock = RLock()
        self._leads: dict[int, Lead] = {}
        self._threads: dict[tuple[Platform, str], Lead] = {}
        self._busy: set[int] = set()
        """Leads with something scheduled or a patience that runs."""
        self._adverts: dict[tuple[Platform, str], Advert] = {
            (a.platform, a.external_id): a for a in portfolio.adverts()
        }
        self._last_message = 0
        self.inbound = 0
        """How many messages leads have written."""
        self._last_at: datetime | None = None
        self._revoked: dict[Platform, datetime] = {}
        self._listed: dict[Platform, dict[int, Lead]] = {platform: {} for platform in Platform}
        """Leads whose threads are in the inbox once they wrote."""
        self.on_change: Callable[[], None] = lambda: None
        """Called after each change, from the thread that made it."""
        for record in journal.replay():
            self._apply(record)

    # ---- reading

    def leads(self) -> list[Lead]:
        """All leads, in the order they appeared."""
        with self._lock:
            return list(self._leads.values())

    def lead(self, number: int) -> Lead | None:
        with self._lock:
            return self._leads.get(number)

    def inbox(self, platform: Platform, *, by_inbound: bool) -> list[Lead]:
        """Leads that have written, top of the inbox first."""
        with self._lock:
            found = [lead for lead in self._listed[platform].values() if lead.messages]
            return sorted(found, key=lambda x: x.rank(by_inbound=by_inbound), reverse=True)

    def thread(self, platform: Platform, thread: str) -> Lead:
        """The lead of a thread that is visible. Raises UnknownThread."""
        with self._lock:
            lead = self._threads.get((platform, thread))
            if lead is None or not lead.messages:
                raise UnknownThread(thread)
            return lead

    def adverts(self, platform: Platform) -> list[Advert]:
        """Our adverts there, as the listings page shows them."""
        with self._lock:
            return [a for a in self._adverts.values() if a.platform is platform and a.listed]

    def advert(self, platform: Platform, external_id: str) -> Advert | None:
        with self._lock:
            found = self._adverts.get((platform, external_id))
            return found if found is not None and found.listed else None

    def revoked_at(self, platform: Platform) -> datetime | None:
        """Sessions that began up to this instant are void."""
        with self._lock:
            return self._revoked.get(platform)

    def next_due(self) -> datetime | None:
        """When something will happen by itself next."""
        with self._lock:
            return min((due for n in self._busy if (due := _due(self._leads[n])) is not None), default=None)

    # ---- what people and bots do

    def add_leads(self, scripts: Sequence[LeadScript], *, spacing: float = 0.0) -> list[Lead]:
        """Leads that appear one after the other, ``spacing`` seconds apart (scaled). Scripts for any platform
        are dealt out in turn.

        Raises ScriptError when a script names a listing nobody knows; then none was added.
        """
        with self._lock:
            known = portfolio.unit_keys() | {"any", "none", "unknown"}
            for script in scripts:
                if script.listing not in known:
                    raise ScriptError(
                        f"{script.id}: listing: {script.listing!r} is not one of {sorted(known)}"
                    )
            start = self._clock()
            added = [
                self._add(script, start + timedelta(seconds=spacing * index * self._scale))
                for index, script in enumerate(scripts)
            ]
        self.on_change()
        return added

    def reply(self, platform: Platform, thread: str, body: str) -> Message:
        """Our side writes into a thread: always a new message, whatever stands there already.

        Raises UnknownThread, ValueError for an empty text.
        """
        text = body.replace("\r\n", "\n").strip()
        if not text:
            raise ValueError("message: must not be empty")
        with self._lock:
            lead = self.thread(platform, thread)
            at = self._now()
            rule, scheduled, ends = self._reaction(lead, text, at)
            self._commit(
                MessageWritten(
                    at=at,
                    lead=lead.number,
                    number=self._last_message + 1,
                    direction=Direction.OUTBOUND,
                    body=text,
                    rule=rule,
                    scheduled=scheduled,
                    ends=ends,
                )
            )
            message = lead.newest
        self.on_change()
        return message

    def write(self, number: int, body: str) -> Message:
        """A lead writes of its own accord, outside its script: one who had fallen silent comes back.

        Raises UnknownThread, ValueError for an empty text or a lead in the middle of writing.
        """
        text = body.replace("\r\n", "\n").strip()
        if not text:
            raise ValueError("message: must not be empty")
        with self._lock:
            lead = self._leads.get(number)
            if lead is None or not lead.messages:
                raise UnknownThread(str(number))
            if lead.scheduled:
                raise ValueError("lead: is in the middle of writing")
            now = self._now()
            self._commit(PatienceEnded(at=now, lead=number, scheduled=(Scheduled(due=now, text=text),)))
            self._deliver(lead)
            message = lead.newest
        self.on_change()
        return message

    def archive(self, leads: Iterable[int]) -> None:
        """Take threads out of the inbox; a lead that writes again brings its thread back."""
        with self._lock:
            self._commit(LeadsArchived(at=self._now(), leads=tuple(leads)))
        self.on_change()

    def mark_seen(self, lead: Lead) -> None:
        """The thread page was opened. Not journaled: after a restart threads read as unseen."""
        lead.seen = lead.newest.number

    def publish(self, adverts: Iterable[Advert]) -> None:
        """Adverts appear, or change."""
        with self._lock:
            for advert in adverts:
                self._commit(AdvertChanged(at=self._now(), advert=advert))
        self.on_change()

    def prepared(self, unit: str) -> list[Advert]:
        """The portfolio's adverts of a unit, listed or not."""
        with self._lock:
            return [a for a in self._adverts.values() if a.unit == unit]

    def revoke_sessions(self, platform: Platform) -> None:
        """Every session of the platform ends."""
        with self._lock:
            self._commit(SessionsRevoked(at=self._clock(), platform=platform))

    def advance(self) -> None:
        """Do what is due: leads write, lose patience, give up."""
        changed = False
        with self._lock:
            now = self._clock()
            due = [(at, n) for n in self._busy if (at := _due(self._leads[n])) is not None and at <= now]
            for _, number in sorted(due):
                self._step(self._leads[number], now)
                changed = True
        if changed:
            self.on_change()

    # ---- deciding

    def _add(self, script: LeadScript, arrival: datetime) -> Lead:
        number = len(self._leads) + 1
        platform = self._platform_for(script, number)
        advert = self._advert_for(script, platform, number)
        opening: list[Scheduled] = []
        due = arrival - timedelta(seconds=script.age)
        for line in script.messages:
            due += timedelta(seconds=line.after * (1.0 if script.age else self._scale))
            opening.append(
                Scheduled(due=min(due, arrival) if script.age else due, text=line.text, by=line.by)
            )
        self._commit(
            LeadArrived(
                at=self._clock(),
                lead=number,
                platform=platform,
                thread=thread_id(platform, number, advert.external_id if advert else None),
                advert=advert,
                script=script,
                scheduled=tuple(opening),
                patience=script.patience * self._scale,
            )
        )
        return self._leads[number]

    def _platform_for(self, script: LeadScript, number: int) -> Platform:
        """The script's platform; else the next one in turn, of those that advertise the unit it names."""
        if script.platform != "any":
            return script.platform
        offering = [p for p in Platform if any(a.platform is p for a in self.prepared(script.listing))]
        choice = offering or list(Platform)
        return choice[(number + self._seed) % len(choice)]

    def _advert_for(self, script: LeadScript, platform: Platform, number: int) -> Advert | None:
        # SpareRoom has no thread without an advert: its thread ids are made of lead and advert.
        if script.listing == "none" and platform is not Platform.SPAREROOM:
            return None
        if script.listing in ("none", "unknown"):
            return foreign_advert(platform, number)
        named = [a for a in self.prepared(script.listing) if a.platform is platform]
        if named:
            return named[0]
        live = [a for a in self.adverts(platform) if a.active]
        return live[(number // len(Platform) + self._seed) % len(live)] if live else None

    def _reaction(
        self, lead: Lead, answer: str, at: datetime
    ) -> tuple[int | None, tuple[Scheduled, ...], bool]:
        """What an answer sets off. A lead in the middle of writing finishes first and ignores the answer."""
        if lead.scheduled or lead.leaving:
            return None, (), lead.leaving
        chosen = react(lead.script.reactions, lead.used, answer)
        if chosen is None or lead.turns >= lead.script.max_turns:
            return None, (), False
        if not chosen.texts:
            return chosen.rule, (), True
        due = at + timedelta(seconds=chosen.after * self._scale)
        gap = timedelta(seconds=1.5 * self._scale)
        scheduled = tuple(Scheduled(due=due + gap * i, text=text) for i, text in enumerate(chosen.texts))
        last_word = lead.script.reactions[chosen.rule].do == "thank"
        return chosen.rule, scheduled, last_word

    def _step(self, lead: Lead, now: datetime) -> None:
        if lead.scheduled and lead.scheduled[0].due <= now:
            while lead.scheduled and lead.scheduled[0].due <= now:
                self._deliver(lead)
        elif not lead.scheduled and lead.waits_until is not None and lead.waits_until <= now:
            nudge: tuple[Scheduled, ...] = ()
            if lead.nudges < len(lead.script.nudges) and lead.turns < lead.script.max_turns:
                nudge = (Scheduled(due=now, text=lead.script.nudges[lead.nudges]),)
            self._commit(PatienceEnded(at=now, lead=lead.number, scheduled=nudge))
            if nudge:
                self._deliver(lead)

    def _deliver(self, lead: Lead) -> None:
        line = lead.scheduled[0]
        past = lead.script.age > 0 and line.due < lead.arrived_at
        self._commit(
            MessageWritten(
                at=line.due if past else self._now(),
                lead=lead.number,
                number=self._last_message + 1,
                direction=Direction.INBOUND if line.by == "lead" else Direction.OUTBOUND,
                body=line.text,
                scripted=line.by == "us",
            )
        )

    def _now(self) -> datetime:
        """Now, but never before the last message: a clock set back must not reorder threads."""
        now = self._clock()
        return now if self._last_at is None else max(now, self._last_at)

    # ---- applying

    def _commit(self, record: Record) -> None:
        self._journal.append(record)
        self._apply(record)

    def _apply(self, record: Record) -> None:
        match record:
            case LeadArrived():
                lead = Lead(
                    number=record.lead,
                    platform=record.platform,
                    thread=record.thread,
                    advert=record.advert,
                    script=record.script,
                    arrived_at=record.at,
                    patience=timedelta(seconds=record.patience),
                    scheduled=list(record.scheduled),
                )
                self._leads[lead.number] = lead
                self._listed[lead.platform][lead.number] = lead
                self._threads[lead.platform, lead.thread] = lead
                self._busy.add(lead.number)
            case MessageWritten():
                self._apply_message(self._leads[record.lead], record)
            case PatienceEnded():
                lead = self._leads[record.lead]
                lead.waits_until = None
                lead.scheduled = list(record.scheduled)
                lead.nudges += len(record.scheduled)
                lead.turns += len(record.scheduled)
                if not record.scheduled:
                    lead.silent = True
                    self._busy.discard(lead.number)
            case AdvertChanged():
                self._adverts[record.advert.platform, record.advert.external_id] = record.advert
            case LeadsArchived():
                for number in record.leads:
                    self._listed[self._leads[number].platform].pop(number, None)
            case SessionsRevoked():
                self._revoked[record.platform] = record.at

    def _apply_message(self, lead: Lead, record: MessageWritten) -> None:
        self._last_message = record.number
        self._last_at = max(self._last_at or record.at, record.at)
        lead.messages.append(
            Message(record.number, record.direction, record.body, record.at, record.scripted)
        )
        if record.direction is Direction.INBOUND:
            self.inbound += 1
            self._listed[lead.platform][lead.number] = lead
        if record.direction is Direction.INBOUND or record.scripted:
            lead.scheduled.pop(0)
            expects_answer = not lead.newest.outbound and not lead.leaving
            if not lead.scheduled and expects_answer:
                lead.waits_until = max(record.at, lead.arrived_at) + lead.patience
        else:
            if record.rule is not None:
                lead.used[record.rule] += 1
            if not lead.scheduled:
                lead.waits_until = None
                lead.silent = False
                lead.leaving = record.ends
                lead.turns += bool(record.scheduled)
                lead.scheduled = list(record.scheduled)
        if lead.status in ("writing", "waiting"):
            self._busy.add(lead.number)
        else:
            self._busy.discard(lead.number)


def _due(lead: Lead) -> datetime | None:
    return lead.scheduled[0].due if lead.scheduled else lead.waits_until

"""The control API: add leads, read what each received, publish adverts, switch faults. JSON, loopback only.

It has no login, so it answers only to requests addressed to this machine by name: a page in somebody's
browser cannot reach it through a name of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER, scripts, times
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.faults import Fault, Faults, Page, Switch
from leasebot_pipeline.sandbox.gemini import GeminiFault, GeminiState
from leasebot_pipeline.sandbox.identifiers import message_id
from leasebot_pipeline.sandbox.pages import Renderer
from leasebot_pipeline.sandbox.portfolio import Advert
from leasebot_pipeline.sandbox.scripts import LeadScript, Loaded
from leasebot_pipeline.sandbox.sessions import Sessions
from leasebot_pipeline.sandbox.world import Lead, World

_MOST: Final = 5000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoadRequest(_Body):
    """Where leads come from: exactly one of ``path``, ``leads``, ``builtin``."""

    path: str | None = None
    leads: list[LeadScript] | None = Field(default=None, max_length=_MOST)
    builtin: int | None = Field(default=None, ge=1, le=_MOST)
    limit: int | None = Field(default=None, ge=1, le=_MOST)
    spacing: float = Field(default=0.0, ge=0, le=3600)
    """Seconds between two leads, before the time scale."""
    platforms: list[Platform] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.path, self.leads, self.builtin)) != 1:
            raise ValueError("give exactly one of path, leads, builtin")
        return self


class ListingRequest(_Body):
    """Publish (or change) adverts: the prepared ones of a unit, or one that is described here."""

    unit: str | None = None
    platform: Platform | None = None
    external_id: str | None = Field(default=None, alias="externalId", pattern=r"^[A-Za-z0-9-]{1,40}$")
    title: str | None = Field(default=None, min_length=1, max_length=200)
    location: str = Field(default="Brooklyn", min_length=1, max_length=200)
    price_text: str = Field(default="$2,000 /month", alias="priceText", max_length=60)
    property_name: str = Field(default="Harbor Lofts", alias="propertyName", min_length=1, max_length=120)
    unit_number: str = Field(default="1", alias="unitNumber", min_length=1, max_length=40)
    active: bool = True

    @model_validator(mode="after")
    def _named(self) -> Self:
        described = self.platform is not None and self.external_id is not None and self.title is not None
        if self.unit is None and not described:
            raise ValueError("give unit, or platform with externalId and title")
        return self


class FaultRequest(_Body):
    """Switch a fault on or off, on one platform or on "all"."""

    platform: Platform | Literal["all"]
    fault: Fault
    on: bool
    count: int | None = Field(default=None, ge=1)
    """How many requests it affects; without it, all until it is switched off."""
    seconds: float = Field(default=5.0, gt=0, le=600)
    """How slow slow pages are."""
    pages: list[Page] | None = Field(default=None, min_length=1)


class GeminiRequest(_Body):
    """How the Gemini stand-in behaves: a fault on or off, a steered answer, a pace."""

    fault: GeminiFault | None = None
    on: bool = True
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the requests, spread evenly."""
    count: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=5.0, ge=0, le=600)
    answer: dict[str, Any] | None = None
    """Fields that replace those of every good answer."""
    pace: float | None = Field(default=None, ge=0, le=600)
    """Seconds every good answer takes."""


@dataclass(frozen=True, slots=True)
class ControlApp:
    """What the control API works on."""

    world: World
    faults: Faults
    sessions: Sessions
    clock: Clock
    renderer: Renderer
    site_urls: Mapping[Platform, str]
    gemini_url: str = ""
    gemini: GeminiState = field(default_factory=GeminiState)


def build_control(parts: ControlApp) -> FastAPI:
    """The control application."""
    app = FastAPI(title="leasebot sandbox", redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver"])
    app.mount("/assets", StaticFiles(directory=Path(__file__).parent / "static"))
    world, faults = parts.world, parts.faults

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def overview() -> str:
        return parts.renderer.shared(
            "control", parts.clock(), rows=_overview(parts), user=LOGIN_USER, password=LOGIN_PASSWORD
        )

    @app.get("/health")
    async def health() -> dict[str, object]:
        return {
            "status": "ok",
            "sites": {p.value: url for p, url in parts.site_urls.items()},
            "gemini": parts.gemini_url,
        }

    @app.get("/state")
    async def state() -> dict[str, object]:
        return {"now": times.iso(parts.clock()), **world_state(world), "sites": _sites(parts)}

    @app.post("/leads", status_code=201)
    async def add_lead(script: LeadScript) -> dict[str, object]:
        with _refusing():
            (lead,) = world.add_leads([script])
        return summary(lead)

    @app.post("/leads/load", status_code=201)
    async def load_leads(request: LoadRequest) -> dict[str, object]:
        with _refusing():
            loaded = _source(request)
        chosen = scripts.selected(loaded.scripts, request.platforms, request.limit)
        if request.platforms is not None:
            turn = list(request.platforms)
            chosen = [
                s.model_copy(update={"platform": turn[i % len(turn)]}) if s.platform == "any" else s
                for i, s in enumerate(chosen)
            ]
        with _refusing():
            added = world.add_leads(chosen, spacing=request.spacing)
        return {"added": len(added), "leads": [lead.number for lead in added], "refused": loaded.refused}

    @app.get("/leads")
    async def leads(platform: Annotated[Platform | None, Query()] = None) -> dict[str, object]:
        found = [lead for lead in world.leads() if platform is None or lead.platform is platform]
        return {"leads": [summary(lead) for lead in found]}

    @app.get("/leads/{number}")
    async def lead(number: int) -> dict[str, object]:
        found = world.lead(number)
        if found is None:
            raise HTTPException(404, f"there is no lead {number}")
        return transcript(found)

    @app.get("/received")
    async def received(platform: Annotated[Platform | None, Query()] = None) -> dict[str, object]:
        return received_texts(world, platform)

    @app.post("/listings", status_code=201)
    async def publish(request: ListingRequest) -> dict[str, object]:
        adverts = _adverts(world, request)
        if not adverts:
            raise HTTPException(404, f"no advert of unit {request.unit!r} is prepared there")
        world.publish(adverts)
        return {"published": [advert.model_dump(mode="json") for advert in adverts]}

    @app.get("/faults")
    async def list_faults() -> dict[str, object]:
        return {"faults": [_fault(switch) for switch in faults.active()]}

    @app.put("/faults")
    async def set_fault(request: FaultRequest) -> dict[str, object]:
        platforms = list(Platform) if request.platform == "all" else [request.platform]
        for platform in platforms:
            if request.on:
                with _refusing():
                    faults.switch_on(
                        platform,
                        request.fault,
                        pages=request.pages,
                        count=request.count,
                        seconds=request.seconds,
                    )
            else:
                faults.switch_off(platform, request.fault)
        return {"faults": [_fault(switch) for switch in faults.active()]}

    @app.delete("/faults")
    async def clear_faults() -> dict[str, object]:
        faults.clear()
        return {"faults": []}

    @app.get("/gemini")
    async def gemini() -> dict[str, object]:
        return gemini_state(parts)

    @app.put("/gemini")
    async def set_gemini(request: GeminiRequest) -> dict[str, object]:
        state = parts.gemini
        if request.fault is not None and request.on:
            state.switch_on(request.fault, share=request.share, count=request.count, seconds=request.seconds)
        elif request.fault is not None:
            state.switch_off(request.fault)
        if request.answer is not None:
            state.answer = request.answer
        if request.pace is not None:
            state.seconds = request.pace
        return gemini_state(parts)

    @app.delete("/gemini")
    async def heal_gemini() -> dict[str, object]:
        parts.gemini.clear()
        return gemini_state(parts)

    @app.get("/sessions/{platform}")
    async def session(platform: Platform) -> dict[str, object]:
        return storage_state(parts, platform)

    @app.get("/idle")
    async def idle() -> dict[str, object]:
        return idleness(world, parts.clock())

    return app


# ---- answers, also used in process


def world_state(world: World) -> dict[str, object]:
    """Counts per platform."""
    platforms: dict[str, dict[str, int]] = {}
    for platform in Platform:
        found = [lead for lead in world.leads() if lead.platform is platform]
        messages = [message for lead in found for message in list(lead.messages)]
        platforms[platform.value] = {
            "leads": len(found),
            "visible": sum(bool(lead.messages) for lead in found),
            "inbound": sum(not m.outbound for m in messages),
            "received": sum(len(lead.received) for lead in found),
            **{status: sum(lead.status == status for lead in found) for status in _STATUSES},
            "adverts": len(world.adverts(platform)),
        }
    return {"platforms": platforms}


_STATUSES: Final = ("writing", "waiting", "finished", "silent")


def summary(lead: Lead) -> dict[str, object]:
    """One line about a lead."""
    script = lead.script
    return {
        "lead": lead.number,
        "script": script.id,
        "platform": lead.platform.value,
        "threadId": lead.thread,
        "name": script.name,
        "listing": lead.advert.external_id if lead.advert else None,
        "unit": lead.advert.unit if lead.advert else None,
        "status": lead.status,
        "inbound": sum(not m.outbound for m in list(lead.messages)),
        "received": len(lead.received),
        "expect": script.expect.model_dump() if script.expect else None,
        "tags": list(script.tags),
    }


def transcript(lead: Lead) -> dict[str, object]:
    """Everything in a lead's thread, with instants (when it became visible, or was received)."""
    return {
        **summary(lead),
        "messages": [
            {
                "id": message_id(lead.platform, message.number),
                "direction": message.direction.value,
                "text": message.body,
                "at": times.iso(message.at),
                "scripted": message.scripted or not message.outbound,
            }
            for message in list(lead.messages)
        ],
        "scheduled": [{"due": times.iso(s.due), "text": s.text, "by": s.by} for s in list(lead.scheduled)],
    }


def received_texts(world: World, platform: Platform | None = None) -> dict[str, object]:
    """Every text our side sent, thread by thread, so that doubles can be counted."""
    threads = [
        {
            "platform": lead.platform.value,
            "threadId": lead.thread,
            "lead": lead.number,
            "name": lead.script.name,
            "messages": [
                {"id": message_id(lead.platform, m.number), "text": m.body, "at": times.iso(m.at)}
                for m in lead.received
            ],
        }
        for lead in world.leads()
        if lead.received and (platform is None or lead.platform is platform)
    ]
    return {
        "total": sum(len(t["messages"]) for t in threads if isinstance(t["messages"], list)),
        "threads": threads,
    }


def idleness(world: World, now: datetime) -> dict[str, object]:
    """Whether nothing will happen any more unless somebody answers."""
    found = world.leads()
    counts = {status: sum(lead.status == status for lead in found) for status in _STATUSES}
    due = world.next_due()
    return {
        "idle": counts["writing"] == counts["waiting"] == 0,
        "leads": len(found),
        **counts,
        "nextInSeconds": max((due - now).total_seconds(), 0.0) if due else None,
    }


def storage_state(parts: ControlApp, platform: Platform) -> dict[str, object]:
    """A logged-in session in the browser's storage-state format, as if a person had captured it."""
    now = parts.clock()
    cookie = {
        "name": SITES[platform].cookie,
        "value": parts.sessions.issue(platform, now),
        "domain": "127.0.0.1",
        "path": "/",
        "expires": now.timestamp() + 30 * 24 * 3600,
        "httpOnly": True,
        "secure": False,
        "sameSite": "Lax",
    }
    return {"cookies": [cookie], "origins": []}


@contextmanager
def _refusing() -> Iterator[None]:
    """What the request got wrong becomes a 422 that says so."""
    try:
        yield
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    except OSError as error:
        raise HTTPException(422, f"path: {error.strerror or error}") from None


def _source(request: LoadRequest) -> Loaded:
    if request.path is not None:
        return scripts.load_file(Path(request.path))
    if request.leads is not None:
        return Loaded(tuple(request.leads), ())
    assert request.builtin is not None
    return Loaded(tuple(islice(cycle(scripts.builtin()), request.builtin)), ())


def _adverts(world: World, request: ListingRequest) -> list[Advert]:
    if request.unit is not None:
        prepared = [a for a in world.prepared(request.unit) if request.platform in (None, a.platform)]
        return [a.model_copy(update={"listed": True, "active": request.active}) for a in prepared]
    assert request.platform is not None
    assert request.external_id is not None
    assert request.title is not None
    return [
        Advert(
            platform=request.platform,
            external_id=request.external_id,
            unit=None,
            title=request.title,
            location=request.location,
            price_text=request.price_text,
            property_name=request.property_name,
            unit_number=request.unit_number,
            active=request.active,
        )
    ]


def _fault(switch: Switch) -> dict[str, object]:
    return {
        "platform": switch.platform.value,
        "fault": switch.fault.value,
        "pages": sorted(switch.pages),
        "left": switch.left,
        "seconds": switch.seconds if switch.fault is Fault.SLOW_PAGE else None,
        "hits": switch.hits,
    }


def _sites(parts: ControlApp) -> dict[str, str]:
    return {platform.value: url for platform, url in parts.site_urls.items()}


def _overview(parts: ControlApp) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for platform, url in parts.site_urls.items():
        found = [lead for lead in parts.world.leads() if lead.platform is platform]
        rows.append(
            {
                "title": SITES[platform].title,
                "inbox": url + SITES[platform].inbox_path,
                "listings": url + SITES[platform].listings_path,
                "leads": len(found),
                "received": sum(len(lead.received) for lead in found),
                "faults": ", ".join(s.fault.value for s in parts.faults.active() if s.platform is platform),
            }
        )
    return rows


def gemini_state(parts: ControlApp) -> dict[str, object]:
    """What the Gemini stand-in was asked, what it cost, and what is switched on."""
    state = parts.gemini
    return {
        "url": parts.gemini_url,
        "requests": state.requests,
        "promptTokens": state.prompt_tokens,
        "outputTokens": state.output_tokens,
        "faults": [
            {
                "fault": switch.fault.value,
                "share": switch.share,
                "left": switch.left,
                "seconds": switch.seconds,
                "hits": switch.hits,
            }
            for switch in state.active()
        ],
        "answer": state.answer,
        "asked": state.asked[-20:],
    }

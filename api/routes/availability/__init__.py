"""When units and agents are free: their calendars, weekly rules, day overrides, and what can be offered."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes.availability import copies, overrides, rules, slots
from api.routes.availability.slots import CandidateAnswer, candidate_answer, span_of

__all__ = ["CandidateAnswer", "candidate_answer", "router", "span_of"]

router = APIRouter()
for _room in (slots, rules, overrides, copies):
    router.include_router(_room.router)

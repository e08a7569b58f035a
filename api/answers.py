"""The form of every JSON answer: camelCase names, instants in UTC with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def iso_millis(instant: datetime) -> str:
    """``2026-02-06T10:00:00.000Z``; the instant must be aware."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[datetime, PlainSerializer(iso_millis, return_type=str, when_used="json")]


class Answer(BaseModel):
    """Base of answer bodies; can be read from an object with the same attribute names."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        from_attributes=True,
        frozen=True,
    )


class CreatedAnswer(Answer):
    """What was created."""

    id: UUID


class UpdatedAnswer(Answer):
    updated: Literal[True] = True


class DeletedAnswer(Answer):
    deleted: Literal[True] = True

"""What a form sent, and calling the API's handlers with it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from api.console.wording import error_text
from api.errors import ApiError, validation_error

Body = TypeVar("Body", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in order; empty ones count as not given."""

    pairs: tuple[tuple[str, str], ...]

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field, without blanks around it."""
        return next((value.strip() for key, value in reversed(self.pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a field that may stand there several times."""
        return [value.strip() for key, value in self.pairs if key == name and value.strip()]

    def flag(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.text(name) not in ("", "0", "false", "off")

    def given(self, *names: str) -> dict[str, str]:
        """Those of the fields that hold something."""
        return {name: value for name in names if (value := self.text(name))}


async def _read(request: Request) -> Form:
    # urlencoded only: no page of ours uploads a file.
    raw = (await request.body()).decode("utf-8", "replace")
    return Form(tuple(parse_qsl(raw, keep_blank_values=True)))


FormData = Annotated[Form, Depends(_read)]


def parse(model: type[Body], values: dict[str, Any]) -> Body:
    """An API body from a form's values. Raises the API's 400 that names field and rule."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'form'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise validation_error(details) from None


async def attempt(work: Awaitable[T]) -> tuple[T | None, str | None]:
    """What an API handler answers and None, or None and the reason it refused, in words.

    For pages that show the reason beside the form and keep what was typed. 404 and 403 stay errors of the page.
    """
    try:
        return await work, None
    except ApiError as error:
        if error.status in (401, 403, 404):
            raise
        return None, error_text(error.body)

"""One declaration per variable: its names, its rule, its default and what it does, read back by the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from leasebot_pipeline.settings.rules import PATH, TEXT, Rule, choice


def env(
    *names: str,
    about: str,
    shown: str | None = None,
    described: str | None = None,
    example: str | None = None,
    hidden: bool = False,
    elsewhere: bool = False,
) -> Any:
    """Field metadata of a variable; the first name counts, the others are read when it is not set.

    The default is printed as it stands; ``shown`` gives the text to set for it where that differs, ``described``
    says it in words where it is worked out. ``example`` is what the example file holds instead. ``hidden`` keeps the value out of logs although it is no credential; ``elsewhere`` marks
    a variable that other programs read and leasebot only checks.
    """
    return Field(
        validation_alias=AliasChoices(*names),
        description=about,
        repr=not hidden,
        json_schema_extra={
            "shown": shown,
            "described": described,
            "example": example,
            "hidden": hidden,
            "elsewhere": elsewhere,
        },
    )


@dataclass(frozen=True, slots=True)
class Declared:
    """A field of a group as the catalogue and the loader see it."""

    field: str
    names: tuple[str, ...]
    rule: Rule
    about: str
    default: object
    shown: str | None
    described: str | None
    example: str | None
    secret: bool
    hidden: bool
    elsewhere: bool


def _mentions_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(
        _mentions_secret(part) for part in getattr(annotation, "__args__", ())
    )


def _optional(value: object) -> str | None:
    return None if value is None else str(value)


def _declared(name: str, info: FieldInfo) -> Declared:
    alias, extra = info.validation_alias, info.json_schema_extra
    if not isinstance(alias, AliasChoices) or not isinstance(extra, dict):
        raise TypeError(f"{name} is not declared with env()")
    return Declared(
        field=name,
        names=tuple(str(choice) for choice in alias.choices),
        rule=next((item for item in info.metadata if isinstance(item, Rule)), TEXT),
        about=info.description or "",
        default=info.default if info.default_factory is None else None,
        shown=_optional(extra["shown"]),
        described=_optional(extra["described"]),
        example=_optional(extra["example"]),
        secret=_mentions_secret(info.annotation),
        hidden=bool(extra["hidden"]),
        elsewhere=bool(extra["elsewhere"]),
    )


class Group(BaseSettings):
    """Variables of one subject. A group never reads the process environment by itself: the loader fills it."""

    title: ClassVar[str]
    intro: ClassVar[str] = ""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        case_sensitive=True,
        enable_decoding=False,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @classmethod
    def declared(cls) -> Iterator[Declared]:
        """The group's variables in the order they are written."""
        for name, info in cls.model_fields.items():
            yield _declared(name, info)


Environment = Literal["development", "production", "test"]

EnvironmentField = Annotated[
    Environment,
    choice(development="development", production="production", test="test"),
    env(
        "LEASE_BOT_ENV",
        "NODE_ENV",
        about="Where leasebot runs. `production` refuses the mock runtime, missing secrets and everything that is "
        "for development only.",
    ),
]
DataDirField = Annotated[
    Path,
    PATH,
    env(
        "LEASE_BOT_DATA_DIR",
        about="Directory of everything leasebot keeps on this machine: the embedded database, sessions, logs, "
        "the generated secret.",
    ),
]

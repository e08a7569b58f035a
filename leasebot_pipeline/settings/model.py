"""The settings as the rest of leasebot sees them: typed, validated, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PrivateAttr

from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.settings.browser import (
    AlertSettings,
    ListingSyncSettings,
    PlatformSettings,
    RpaSettings,
)
from leasebot_pipeline.settings.catalogue import Variable, catalogue
from leasebot_pipeline.settings.follow_ups import FollowUpSettings
from leasebot_pipeline.settings.release import ReleaseSettings
from leasebot_pipeline.settings.retention import RetentionSettings
from leasebot_pipeline.settings.rules import is_placeholder
from leasebot_pipeline.settings.server import (
    ApiSettings,
    AuthSettings,
    CoreSettings,
    DatabaseSettings,
    InviteSettings,
    WebSettings,
)
from leasebot_pipeline.settings.showings import ShowingSettings
from leasebot_pipeline.settings.stack import (
    DagsterSettings,
    OtherToolsSettings,
    SandboxSettings,
    StackSettings,
)
from leasebot_pipeline.settings.variable import Environment
from leasebot_pipeline.settings.work import AiSettings, BootstrapSettings, WorkerSettings


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A variable that looks like ours and is none; ``nearest`` is the known name most like it."""

    name: str
    nearest: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"{self.name} is no setting of leasebot{hint}"


class Settings(BaseModel):
    """Everything the environment decides. Made by ``load_settings``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    core: CoreSettings
    database: DatabaseSettings
    api: ApiSettings
    auth: AuthSettings
    invite: InviteSettings
    worker: WorkerSettings
    showings: ShowingSettings
    follow_ups: FollowUpSettings
    release: ReleaseSettings
    retention: RetentionSettings
    ai: AiSettings
    bootstrap: BootstrapSettings
    rpa: RpaSettings
    listing_sync: ListingSyncSettings
    platforms: dict[Platform, PlatformSettings]
    alerts: AlertSettings
    stack: StackSettings
    dagster: DagsterSettings
    sandbox: SandboxSettings
    web: WebSettings
    others: OtherToolsSettings
    unknown_names: tuple[UnknownName, ...] = ()
    """Set variables whose names begin like ours and are unknown; mostly typing errors."""
    cautions: tuple[str, ...] = ()
    """Values that are allowed but hardly mean what they say."""

    _environ: Mapping[str, str] = PrivateAttr(default_factory=dict)

    @property
    def environment(self) -> Environment:
        return self.core.environment

    @property
    def is_production(self) -> bool:
        return self.core.environment == "production"

    @property
    def data_dir(self) -> Path:
        return self.core.data_dir

    @property
    def default_send_mode(self) -> SendMode:
        return self.core.default_send_mode

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a start should tell a person, one sentence each."""
        return (*map(str, self.unknown_names), *self.cautions)

    def model_post_init(self, context: Mapping[str, str] | None) -> None:
        """``context`` holds the texts as given: credential references may point at any name."""
        self._environ = dict(context or {})

    def credential(self, name: str) -> str | None:
        """Text of the variable a credential reference (``env:NAME``) points at, whatever its name.

        None when it is not set, blank or a placeholder of the example file.
        """
        value = self._environ.get(name, "")
        return value if value.strip() and not is_placeholder(value) else None

    def public_view(self) -> dict[str, object]:
        """Effective value of every variable by name, fit for JSON, logs and the API.

        Secrets and personal values are only "set" or "not set".
        """
        return {
            variable.name: self._public(variable)
            for variable in catalogue()
            if variable.fallback_for is None and not variable.elsewhere
        }

    def _public(self, variable: Variable) -> object:
        group = getattr(self, variable.group)
        value: object = getattr(group[variable.platform] if variable.platform else group, variable.field)
        if variable.secret or variable.hidden:
            return "set" if value else "not set"
        return _plain(value)


def _plain(value: object) -> object:
    match value:
        case Enum():
            return value.value
        case Path():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value

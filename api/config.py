"""What the API needs from the settings, as plain values derived once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from api.mail import MailServer
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.domain.slots_policy import SlotPolicy

DEFAULT_ORIGIN = "http://localhost:5173"


@dataclass(frozen=True, slots=True)
class DevAdmin:
    """The administrator a development start creates. The password is hashed before it is stored."""

    email: str
    password: str
    name: str

    def __repr__(self) -> str:
        return f"DevAdmin(email={self.email!r})"


@dataclass(frozen=True, slots=True, repr=False)
class ApiConfig:
    """Plain values; ``trusted_origins`` are scheme://host[:port] without a path."""

    database_url: str
    auth_secret: str
    previous_secrets: tuple[str, ...] = ()
    """Secrets before it, whose cookies are still accepted."""
    base_url: str = "http://localhost:3001"
    trusted_origins: tuple[str, ...] = (DEFAULT_ORIGIN,)
    allow_public_signup: bool = False
    dev_admin: DevAdmin | None = None
    ingest_p95_target_ms: int = 60_000
    default_send_mode: SendMode = SendMode.DRAFT_ONLY
    sync_platforms: tuple[Platform, ...] = (Platform.SPAREROOM,)
    production: bool = False
    slots: SlotPolicy = field(default_factory=SlotPolicy)
    slot_horizon: timedelta = timedelta(days=14)
    """How far ahead visits are offered."""
    availability_horizon: timedelta = timedelta(days=60)
    """How far ahead weekly rules are written out."""
    invite_url: str = f"{DEFAULT_ORIGIN}/invite"
    """Where an invitation's link leads, without its token."""
    invite_ttl_hours: int = 72
    mail: MailServer | None = None
    metrics_token: str | None = None
    """Lets callers of other machines read `/metrics`."""
    read_platforms: tuple[Platform, ...] = tuple(Platform)
    """Platforms whose inboxes are read here."""
    poll_interval: timedelta = timedelta(seconds=15)
    dagster_url: str | None = None
    """Where administrators reach the Dagster UI; None: runs are shown without a link."""
    evidence_dir: Path | None = None
    """Where workers of this machine keep masked pages of failed visits."""
    log_level: str = "info"
    host: str = "127.0.0.1"
    port: int = 3001

    @property
    def secure(self) -> bool:
        """Whether browsers reach the API through https; decides the cookie's name and flags."""
        return self.base_url.startswith("https://")

    @property
    def write_origins(self) -> frozenset[str]:
        """Origins whose pages may write: the trusted ones and the API's own."""
        own = urlsplit(self.base_url)
        return frozenset((*self.trusted_origins, f"{own.scheme}://{own.netloc}"))

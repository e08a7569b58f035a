"""When a captured session runs out by its own cookies, as far as they say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def cookies_expire_at(storage_state: Mapping[str, object], host: str) -> datetime | None:
    """When the last cookie of the site expires; None when one has no end or there is none.

    The platform may end a session earlier; it can't outlive this.
    """
    cookies = storage_state.get("cookies")
    ends: list[float] = []
    for cookie in cookies if isinstance(cookies, list) else ():
        if not _is_of(cookie, host):
            continue
        expires = cookie.get("expires")
        if not isinstance(expires, int | float) or expires <= 0:
            return None  # a session cookie: no end of its own
        ends.append(float(expires))
    try:
        return datetime.fromtimestamp(max(ends), UTC) if ends else None
    except (OverflowError, OSError, ValueError):
        return None


def _is_of(cookie: Mapping[str, Any], host: str) -> bool:
    domain = str(cookie.get("domain", "")).lstrip(".").lower()
    return bool(domain) and (host.lower() == domain or host.lower().endswith(f".{domain}"))

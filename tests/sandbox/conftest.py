"""A running sandbox and logged-in visitors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import httpx2 as httpx
import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.testing import SandboxServer

Visit = Callable[[Platform], httpx.Client]


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def visit(sandbox: SandboxServer) -> Iterator[Visit]:
    """Logs in on a platform and returns a client that follows redirects."""
    with ExitStack() as clients:

        def log_in(platform: Platform) -> httpx.Client:
            return clients.enter_context(closing(logged_in(sandbox, platform)))

        yield log_in


@pytest.fixture
def control(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.control_url, timeout=10) as client:
        yield client


def logged_in(sandbox: SandboxServer, platform: Platform) -> httpx.Client:
    site = SITES[platform]
    client = httpx.Client(base_url=sandbox.base_urls[platform], follow_redirects=True, timeout=10)
    answer = client.post(
        site.login_path, data={site.user_field: LOGIN_USER, site.password_field: LOGIN_PASSWORD, "next": ""}
    )
    assert answer.status_code == 200
    assert answer.url.path == site.inbox_path
    return client


def send(client: httpx.Client, platform: Platform, thread_id: str, body: str) -> httpx.Response:
    """A reply the way the site's own page sends it."""
    site = SITES[platform]
    if platform is Platform.ROOMIES:
        headers = {"Accept": "application/json"}
        return client.post(f"/inbox/{thread_id}/entries", json={"body": body}, headers=headers)
    return client.post(site.thread_address(thread_id), data={site.reply_field: body})


OFFER = (
    "Hi, thanks for your message. We can show it at one of these times:\n"
    "- Fri, Nov 27 9:30 AM - 10:00 AM EST (Dana Reyes)\n"
    "- Sat, Nov 28 12:30 PM - 1:00 PM EST (Marco Klein)\n"
    "Which one suits you?"
)

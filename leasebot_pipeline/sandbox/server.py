"""The process: seven listening sockets, one event loop, one world.

The control API has the base port, the sites the five ports after it, in the platforms' order, then Gemini.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import scripts
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.control import ControlApp, build_control
from leasebot_pipeline.sandbox.faults import Faults
from leasebot_pipeline.sandbox.gemini import build_gemini
from leasebot_pipeline.sandbox.journal import Journal
from leasebot_pipeline.sandbox.pages import Renderer
from leasebot_pipeline.sandbox.sessions import Sessions, load_secret
from leasebot_pipeline.sandbox.site import SitePages, build_site
from leasebot_pipeline.sandbox.world import World

DEFAULT_PORT: Final = 4100
DEMO_SPACING: Final = 12.0
"""Seconds between two leads of the demo, before the time scale."""

_log = logging.getLogger("leasebot.sandbox")


class SandboxError(Exception):
    """The sandbox cannot start; the message says why and what to do."""


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def base_urls(port: int = DEFAULT_PORT, host: str = "127.0.0.1") -> dict[Platform, str]:
    """Addresses of the five sites of a sandbox with this base port."""
    return {platform: f"http://{host}:{port + 1 + n}" for n, platform in enumerate(Platform)}


def control_url(port: int = DEFAULT_PORT, host: str = "127.0.0.1") -> str:
    """Address of the control API of a sandbox with this base port."""
    return f"http://{host}:{port}"


def gemini_url(port: int = DEFAULT_PORT, host: str = "127.0.0.1") -> str:
    """Address of the Gemini stand-in of a sandbox with this base port."""
    return f"http://{host}:{port + 1 + len(Platform)}"


def bind(host: str, port: int) -> list[socket.socket]:
    """Seven listening sockets: ``port`` and the next six, or any free ones when it is 0.

    Raises SandboxError when the host is not this machine's loopback or a port is taken.
    """
    if host != "localhost" and not _is_loopback(host):
        raise SandboxError(
            f"host: {host!r} is not a loopback address; the sandbox has no login worth the name"
        )
    found: list[socket.socket] = []
    for number in range(len(Platform) + 2):
        wanted = port + number if port else 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol named, the event loop switches off the delay that would cost 40 ms an answer.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, wanted))
        except OSError as error:
            for other in [*found, sock]:
                other.close()
            raise SandboxError(
                f"port {wanted}: {error.strerror}; choose another base port with --port"
            ) from None
        found.append(sock)
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _not_on_purpose(record: logging.LogRecord) -> bool:
    """Whether a log record is news: a lost response is unfinished because it was asked for."""
    return "without completing response" not in record.getMessage()


@dataclass(slots=True)
class Traffic:
    """Requests under way, over all sites."""

    under_way: int = 0

    def watched(self, app: FastAPI) -> ASGIApp:
        """The application with its requests counted."""

        async def count(scope: Scope, receive: Receive, send: Send) -> None:
            self.under_way += 1
            try:
                await app(scope, receive, send)
            finally:
                self.under_way -= 1

        return count


class QuietServer(uvicorn.Server):
    """One of several servers in a process: signals are not its business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Sandbox:
    """Everything behind the sockets. Build with ``open``; ``run`` serves until ``stop`` is called."""

    world: World
    faults: Faults
    parts: ControlApp
    apps: Sequence[FastAPI]
    sockets: Sequence[socket.socket]
    journal: Journal
    traffic: Traffic = field(default_factory=Traffic)

    @classmethod
    def open(
        cls,
        sockets: Sequence[socket.socket],
        state_dir: Path,
        *,
        time_scale: float = 1.0,
        seed: int = 7,
        clock: Clock = system_clock,
    ) -> Self:
        """Read the journal of ``state_dir`` and build the applications for seven bound sockets.

        Raises JournalError when the journal is damaged, OSError when the directory cannot be used.
        """
        state_dir.mkdir(parents=True, exist_ok=True)
        journal = Journal(state_dir / "journal.jsonl")
        world = World(journal, clock, time_scale=time_scale, seed=seed)
        faults, sessions, renderer = Faults(), Sessions(load_secret(state_dir)), Renderer()
        addresses = [_address(sock) for sock in sockets]
        parts = ControlApp(
            world,
            faults,
            sessions,
            clock,
            renderer,
            dict(zip(Platform, addresses[1:-1], strict=True)),
            addresses[-1],
        )
        sites = [
            build_site(SitePages(site, world, faults, sessions, clock, renderer), site)
            for site in SITES.values()
        ]
        return cls(
            world, faults, parts, [build_control(parts), *sites, build_gemini(parts.gemini)], sockets, journal
        )

    @property
    def control_url(self) -> str:
        return _address(self.sockets[0])

    @property
    def base_urls(self) -> Mapping[Platform, str]:
        return self.parts.site_urls

    async def run(self, stop: asyncio.Event, started: asyncio.Event | None = None) -> None:
        """Serve until ``stop`` is set. Raises what made a server or the leads' clockwork fail."""
        logging.getLogger("uvicorn.error").addFilter(_not_on_purpose)
        servers = [
            QuietServer(
                uvicorn.Config(
                    self.traffic.watched(app),
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                    timeout_graceful_shutdown=2,
                    ws="none",
                )
            )
            for app in self.apps
        ]
        tasks = [
            asyncio.create_task(server.serve(sockets=[sock]))
            for server, sock in zip(servers, self.sockets, strict=True)
        ]
        clockwork = asyncio.create_task(self._let_time_pass())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not all(server.started for server in servers) and not any(task.done() for task in tasks):
                await asyncio.sleep(0.005)
            if started is not None:
                started.set()
            await asyncio.wait([*tasks, clockwork, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for server in servers:
                server.should_exit = True
            clockwork.cancel()
            stopping.cancel()
            results = await asyncio.gather(*tasks, clockwork, return_exceptions=True)
            self.journal.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _let_time_pass(self) -> None:
        """Advance the world whenever something is due or was changed."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(changed.set)

        self.world.on_change = tell
        clock = self.parts.clock
        while True:
            changed.clear()
            self.world.advance()
            due = self.world.next_due()
            pause = None if due is None else max((due - clock()).total_seconds(), 0.0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), pause)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    state_dir: Path,
    time_scale: float = 1.0,
    seed: int = 7,
    inquiries: str | None = None,
) -> None:
    """Run the sandbox in this process until SIGINT or SIGTERM.

    ``inquiries``: "demo" lets the shipped leads appear one after the other, any other text is a file of
    scripts or dialogues; both only when the state directory holds no leads yet.
    Raises SandboxError, ScriptError or JournalError when it cannot start.
    """
    sockets = bind(host, port)
    try:
        sandbox = Sandbox.open(sockets, state_dir, time_scale=time_scale, seed=seed)
        if inquiries is not None and not sandbox.world.leads():
            demo = inquiries == "demo"
            loaded = scripts.builtin() if demo else scripts.load_file(Path(inquiries)).scripts
            sandbox.world.add_leads(loaded, spacing=DEMO_SPACING)
        asyncio.run(_serve(sandbox))
    finally:
        for sock in sockets:
            sock.close()


async def _serve(sandbox: Sandbox) -> None:
    stop, started = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with _announced(sandbox, started):
        await sandbox.run(stop, started)


@contextlib.asynccontextmanager
async def _announced(sandbox: Sandbox, started: asyncio.Event) -> AsyncIterator[None]:
    async def announce() -> None:
        await started.wait()
        _log.info("control %s", sandbox.control_url)
        for platform, url in sandbox.base_urls.items():
            _log.info("%s %s", platform.value, url)
        _log.info("gemini %s", sandbox.parts.gemini_url)

    task = asyncio.create_task(announce())
    try:
        yield
    finally:
        task.cancel()

"""A sandbox inside the test process: a context manager on free ports, with the control API as methods."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

import uvicorn

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import control, scripts
from leasebot_pipeline.sandbox.faults import Fault, Page
from leasebot_pipeline.sandbox.gemini import GeminiState, build_gemini
from leasebot_pipeline.sandbox.portfolio import Advert
from leasebot_pipeline.sandbox.scripts import LeadScript
from leasebot_pipeline.sandbox.server import QuietServer, Sandbox, bind, system_clock
from leasebot_pipeline.sandbox.world import Lead, Message


class SandboxServer:
    """``with SandboxServer() as sandbox:`` serves the five sites until the block ends.

    ``state_dir`` None: a temporary one. The default ``time_scale`` makes leads fifty times quicker.
    """

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        time_scale: float = 0.02,
        seed: int = 7,
        port: int = 0,
        clock: Clock = system_clock,
    ) -> None:
        self._given_dir = state_dir
        self._time_scale = time_scale
        self._seed = seed
        self._port = port
        self._clock = clock

    def __enter__(self) -> Self:
        self._temporary = None if self._given_dir else tempfile.TemporaryDirectory(prefix="leasebot-sandbox-")
        folder = self._given_dir or Path(self._temporary.name if self._temporary else "")
        self._sockets = bind("127.0.0.1", self._port)
        self._sandbox = Sandbox.open(
            self._sockets, folder, time_scale=self._time_scale, seed=self._seed, clock=self._clock
        )
        self._up = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        if not self._up.wait(15) or self._failure is not None:
            raise RuntimeError("the sandbox did not start") from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        for sock in self._sockets:
            sock.close()
        if self._temporary is not None:
            self._temporary.cleanup()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            started = asyncio.Event()

            async def tell() -> None:
                await started.wait()
                self._up.set()

            telling = asyncio.create_task(tell())
            try:
                await self._sandbox.run(self._stop, started)
            finally:
                telling.cancel()

        try:
            asyncio.run(main())
        except Exception as error:  # handed to the thread that leaves the block
            self._failure = error
        finally:
            self._up.set()

    # ---- addresses

    @property
    def control_url(self) -> str:
        """Address of the control API."""
        return self._sandbox.control_url

    @property
    def base_urls(self) -> Mapping[Platform, str]:
        """Address of each site, as a connector's base URL."""
        return self._sandbox.base_urls

    @property
    def gemini_url(self) -> str:
        """Address of the Gemini stand-in."""
        return self._sandbox.parts.gemini_url

    @property
    def gemini(self) -> GeminiState:
        """The Gemini stand-in: what it was asked, its faults and steered answers."""
        return self._sandbox.parts.gemini

    def storage_state(self, platform: Platform) -> dict[str, object]:
        """A logged-in browser storage state, as if captured by a person."""
        return control.storage_state(self._sandbox.parts, platform)

    # ---- leads

    def add_lead(self, platform: Platform, *texts: str, **fields: object) -> Lead:
        """A lead that writes ``texts`` at once; ``fields`` as in a script (name, listing, reactions ...)."""
        number = len(self._sandbox.world.leads()) + 1
        script: dict[str, object] = {
            "id": f"test-{number}",
            "platform": platform,
            "name": "Sam Tester",
            "messages": list(texts),
            **fields,
        }
        lead = self.add_leads([scripts.parse_script(script, "add_lead")])[0]
        self.until(lambda: bool(lead.messages) and not any(s.due <= self.now() for s in list(lead.scheduled)))
        return lead

    def add_leads(self, leads: Sequence[LeadScript], *, spacing: float = 0.0) -> list[Lead]:
        """Scripted leads; they appear as time passes."""
        return self._sandbox.world.add_leads(leads, spacing=spacing)

    def reply(self, platform: Platform, thread_id: str, body: str) -> Message:
        """What a person would type into the site by hand."""
        return self._sandbox.world.reply(platform, thread_id, body)

    def lead_writes(self, lead: Lead, body: str) -> Message:
        """A lead writes of its own accord, outside its script."""
        return self._sandbox.world.write(lead.number, body)

    def archive(self, leads: Sequence[Lead]) -> None:
        """Take threads out of the inbox."""
        self._sandbox.world.archive([lead.number for lead in leads])

    @property
    def written(self) -> int:
        """How many messages leads have written."""
        return self._sandbox.world.inbound

    def next_due(self) -> datetime | None:
        """When a lead will do something by itself next."""
        return self._sandbox.world.next_due()

    def wake(self) -> None:
        """Look at the clock again: it was set forward."""
        self._sandbox.world.on_change()

    @property
    def requests_under_way(self) -> int:
        """How many requests the sites have begun and not yet answered."""
        return self._sandbox.traffic.under_way

    def leads(self) -> list[Lead]:
        """All leads with their messages."""
        return self._sandbox.world.leads()

    def received(self, platform: Platform | None = None) -> list[str]:
        """Every text our side sent, over all threads, in order of leads."""
        return [
            m.body
            for lead in self.leads()
            if platform is None or lead.platform is platform
            for m in lead.received
        ]

    def is_idle(self) -> bool:
        """Whether nothing will happen any more unless somebody answers."""
        return control.idleness(self._sandbox.world, self.now())["idle"] is True

    def now(self) -> datetime:
        """The sandbox's clock."""
        return self._clock()

    # ---- adverts and faults

    def publish(self, *adverts: Advert) -> None:
        """Adverts appear, or change."""
        self._sandbox.world.publish(adverts)

    def publish_unit(self, unit: str) -> list[Advert]:
        """The prepared adverts of a portfolio unit appear on all their platforms."""
        adverts = [a.model_copy(update={"listed": True}) for a in self._sandbox.world.prepared(unit)]
        self._sandbox.world.publish(adverts)
        return adverts

    def fault(
        self,
        platform: Platform,
        fault: Fault | str,
        *,
        pages: Sequence[Page] | None = None,
        count: int | None = None,
        seconds: float = 5.0,
    ) -> None:
        """Switch a fault on."""
        self._sandbox.faults.switch_on(platform, Fault(fault), pages=pages, count=count, seconds=seconds)

    def clear_faults(self) -> None:
        """All faults off."""
        self._sandbox.faults.clear()

    def until(self, condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
        """Wait until the condition holds. Raises TimeoutError."""
        end = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("the sandbox did not get there in time")
            time.sleep(0.005)


class GeminiServer:
    """``with GeminiServer() as gemini:`` serves Gemini's stand-in alone until the block ends."""

    def __init__(self) -> None:
        self.state = GeminiState()

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        return f"http://{host}:{port}"

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            build_gemini(self.state),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws="none",
        )
        self._server = QuietServer(config)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="gemini", daemon=True)
        self._thread.start()
        end = time.monotonic() + 60
        while not self._server.started:
            if time.monotonic() > end or not self._thread.is_alive():
                raise RuntimeError("Gemini's stand-in did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(15)
        self._socket.close()

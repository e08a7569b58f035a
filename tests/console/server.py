"""The real application behind a real port, in this process, for real browsers."""

from __future__ import annotations

import socket
from dataclasses import replace
from threading import Thread
from types import TracebackType
from typing import Self

import uvicorn

from api.app import create_app
from api.config import ApiConfig
from leasebot_pipeline.domain.clock import Clock


class ConsoleServer:
    """``with ConsoleServer(config, clock) as server:`` serves at ``server.url`` until the block ends."""

    def __init__(self, config: ApiConfig, clock: Clock) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.app = create_app(replace(config, base_url=self.url), clock=clock)
        options = uvicorn.Config(self.app, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(options)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()  # the socket listens already: a browser that comes early waits in its queue
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

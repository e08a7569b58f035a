"""A loopback server that speaks Gemini's HTTP protocol, well or badly as the test asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

GOOD_ANSWER: dict[str, Any] = {
    "intent": "tour_request",
    "workflowOutcome": "general_question",
    "confidence": 0.9,
    "riskLevel": "low",
    "ambiguity": False,
    "selectedSlotIndex": None,
    "suggestedReply": "Happy to show it. Which time suits?",
    "reasonCode": "asks_for_tour",
}


def generated(text: str, finish: str = "STOP") -> bytes:
    """A response whose only candidate says ``text``."""
    return json.dumps(
        {
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}],
            "usageMetadata": {"promptTokenCount": 321, "candidatesTokenCount": 45, "totalTokenCount": 366},
        }
    ).encode()


def answer(**changes: Any) -> bytes:
    return generated(json.dumps({**GOOD_ANSWER, **changes}))


@dataclass
class StandIn:
    """``respond`` gets the request's body and gives status and body; ``release`` ends slow answers."""

    respond: Callable[[dict[str, Any]], tuple[int, bytes]]
    requests: list[dict[str, Any]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@contextmanager
def running(stand_in: StandIn) -> Iterator[StandIn]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize: ClassVar[int] = -1
        disable_nagle_algorithm: ClassVar[bool] = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stand_in.requests.append(
                {"path": self.path, "body": body, "key": self.headers.get("x-goog-api-key")}
            )
            status, payload = stand_in.respond(body)
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
                self.wfile.flush()
            except OSError:  # the client's time was up
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stand_in
    finally:
        stand_in.release.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)

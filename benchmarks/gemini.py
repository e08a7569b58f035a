"""How long a batch takes and what it costs when Gemini decides, with a share of its answers broken.

Gemini's local stand-in and the real client in one process; the rules decide what it fails at. Times are of the
wall clock and depend on the machine; tokens are the stand-in's count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

from pydantic import SecretStr

from leasebot_pipeline.decisions.gemini import GeminiOptions, GeminiProvider
from leasebot_pipeline.decisions.gemini_client import GeminiClient
from leasebot_pipeline.domain.model_metering import DailyLimits, LocalMeter
from leasebot_pipeline.evaluation.cases import read_cases
from leasebot_pipeline.evaluation.inputs import decision_input
from leasebot_pipeline.evaluation.parts import Part, part_file
from leasebot_pipeline.sandbox import GEMINI_KEY
from leasebot_pipeline.sandbox.gemini import GeminiFault
from leasebot_pipeline.sandbox.testing import GeminiServer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--faults", type=float, default=0.2, help="share of broken answers")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds the model takes per answer")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    print(json.dumps(measure(given), indent=None if given.json else 2))


def measure(given: argparse.Namespace) -> dict[str, Any]:
    cases = islice(cycle(read_cases(part_file(Part.SCORED))), given.messages)
    questions = [decision_input(case) for case in cases]
    seconds: list[float] = []
    verdicts = []
    with GeminiServer() as server:
        server.state.seconds = given.pace
        if given.faults:
            server.state.switch_on(GeminiFault.MIXED, share=given.faults)
        client = GeminiClient("gemini-2.5-flash", SecretStr(GEMINI_KEY), base_url=server.url)
        meter = LocalMeter(DailyLimits(), lambda: datetime.now(UTC))
        provider = GeminiProvider(client, meter, GeminiOptions())
        provider.decide(questions[:8])  # imports and connections are no part of it
        for first in range(0, len(questions), given.batch):
            begin = time.perf_counter()
            verdicts += provider.decide(questions[first : first + given.batch])
            seconds.append(time.perf_counter() - begin)
        provider.close()
    details = [verdict.provider_details for verdict in verdicts]
    latencies = sorted(int(str(d["latency_ms"])) for d in details if d.get("attempts"))
    return {
        "messages": len(questions),
        "decided": len(verdicts),
        "by": {
            "gemini": sum("answer" in d for d in details),
            "rulesAfterFailure": sum("fallback_reason" in d for d in details),
            "rulesAlone": sum("not_asked" in d for d in details),
        },
        "failures": dict(Counter(str(d["fallback_reason"]) for d in details if "fallback_reason" in d)),
        "requests": server.state.requests,
        "promptTokens": sum(int(str(d.get("prompt_tokens", 0))) for d in details),
        "outputTokens": sum(int(str(d.get("output_tokens", 0))) for d in details),
        "costUsd": round(sum(float(str(d.get("cost_usd", 0))) for d in details), 4),
        "latencyMs": {
            "p50": statistics.median(latencies),
            "p95": latencies[int(0.95 * (len(latencies) - 1))],
            "max": latencies[-1],
        },
        "batchSeconds": {"median": round(statistics.median(seconds), 3), "max": round(max(seconds), 3)},
        "messagesPerSecond": round(len(questions) / sum(seconds)),
    }


if __name__ == "__main__":
    main()

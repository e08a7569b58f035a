"""How many messages a second the rules read on one core: reading, guardrails, verdict; no database.

The messages are those of the tuning part of the labelled set, each made unlike the others by a name and a
time, so that nothing is answered from a cache that a real inbox would not fill. ``loop`` is how fast this
machine counts right now, in millions a second: compare figures only where it is alike. Decided is in batches
as the pipeline does; garbage of making the questions is collected before the clock starts. Leads repeat
each other's sentences, and the rounds do, too; ``first_sight`` is for messages this process has read none of.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from dataclasses import replace
from typing import Any

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.decisions import DecisionInput
from leasebot_pipeline.evaluation.inputs import decision_input
from leasebot_pipeline.evaluation.parts import Part, read_part


def questions(count: int, first: int) -> list[DecisionInput]:
    cases = [decision_input(case) for case in read_part(Part.TUNING)]
    made = []
    for number in range(first, first + count):
        case = cases[number % len(cases)]
        last = f"{case.new_messages[-1]}\nAda {_letters(number)}"
        made.append(
            replace(case, lead_name=f"Ada {_letters(number)}", new_messages=(*case.new_messages[:-1], last))
        )
    return made


def _letters(number: int) -> str:
    """A name nobody else has: 1 -> ``Bq``, 27 -> ``Bbq``."""
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text = chr(97 + digit) + text
        if number == 0:
            return text.capitalize() + "q"


BATCH = 100
_UNSEEN = (Part.OPENED, Part.SECOND_OPENED)


def decided_per_cpu_second(provider: HeuristicProvider, asked: list[DecisionInput]) -> float:
    gc.collect()
    started = time.process_time()
    for first in range(0, len(asked), BATCH):
        provider.decide(asked[first : first + BATCH])
    return len(asked) / (time.process_time() - started)


def loop_speed() -> float:
    started = time.process_time()
    total = 0
    for number in range(2_000_000):
        total += number
    return 2.0 / (time.process_time() - started)


def measure(count: int, rounds: int) -> dict[str, Any]:
    provider = HeuristicProvider()
    provider.decide(questions(200, 0))
    unseen = [decision_input(case) for part in _UNSEEN for case in read_part(part)]
    first_sight = decided_per_cpu_second(provider, unseen)
    rates = [decided_per_cpu_second(provider, questions(count, (turn + 1) * count)) for turn in range(rounds)]
    letters = statistics.mean(len("\n".join(q.new_messages)) for q in questions(count, 0))
    first = [q for q in questions(4 * count, 10 * count) if not q.open_offer]
    return {
        "first_sight_messages_per_cpu_second": round(first_sight),
        "first_contact_messages_per_cpu_second": round(decided_per_cpu_second(provider, first)),
        "messages": count,
        "rounds": rounds,
        "characters_mean": round(letters),
        "messages_per_cpu_second": round(statistics.median(rates)),
        "best": round(max(rates)),
        "loop_millions_per_second": round(loop_speed(), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.messages, options.rounds)
    print(json.dumps(figures) if options.json else "\n".join(f"{k}: {v}" for k, v in figures.items()))


if __name__ == "__main__":
    main()

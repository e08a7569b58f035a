"""The provider that asks Gemini, with the rules as guard before it and as fallback behind it.

What an answer may change is said in ``gemini_verdict``. On any failure, of the model, the network, the budget
or the meter, the rules' verdict stands and says why. A batch ends by its deadline, however many wait.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import tenacity

from leasebot_pipeline.decisions import gemini_verdict
from leasebot_pipeline.decisions.gemini_client import GeminiFailure, GeminiReply, Usage
from leasebot_pipeline.decisions.prompt import question_prompt, system_prompt, version_of
from leasebot_pipeline.decisions.resolution import heuristic_verdict
from leasebot_pipeline.domain.decisions import DecisionInput, ReplyExample, Verdict, failed_verdict
from leasebot_pipeline.domain.intents import RULES_VERSION
from leasebot_pipeline.domain.model_metering import (
    METER_UNAVAILABLE,
    Admission,
    BatchReport,
    Meter,
    ModelPrice,
    Spend,
)
from leasebot_pipeline.domain.platforms import Platform

BATCH_DEADLINE: Final = "batch_deadline"
FAILING: Final = "failing_in_a_row"
_BYTES_PER_TOKEN: Final = 3
_NOBODY: Final = UUID(int=0)
_ANY: Final = next(iter(Platform))
_T = TypeVar("_T")


class Asker(Protocol):
    """What the provider needs of a client."""

    @property
    def model(self) -> str: ...

    @property
    def max_output_tokens(self) -> int: ...

    async def ask(self, system: str, question: str, timeout_s: float) -> GeminiReply:
        """Raises ``GeminiFailure``."""
        ...


@dataclass(frozen=True, slots=True)
class GeminiOptions:
    """Limits of a batch. After ``failures_in_a_row`` or ``batch_deadline_s`` the rest goes by the rules."""

    playbook: str = ""
    context_messages: int = 12
    concurrency: int = 8
    batch_deadline_s: float = 20.0
    attempts: int = 2
    failures_in_a_row: int = 5
    price: ModelPrice = field(default_factory=ModelPrice)


class GeminiProvider:
    """Decides batches with Gemini; see the module's text for what it may and may not."""

    def __init__(self, client: Asker, meter: Meter, options: GeminiOptions | None = None) -> None:
        self._client, self._meter = client, meter
        self._options = options or GeminiOptions()
        self._system = system_prompt(self._options.playbook)
        self._prompt_version = version_of(self._system)
        self._loop = _Loop()
        self._harmless: dict[ReplyExample, bool] = {}

    @property
    def model(self) -> str:
        return self._client.model

    @property
    def instructions(self) -> str:
        """What the model is told, apart from the data."""
        return self._system

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        """One verdict per input, in order; never raises for a single input."""
        verdicts = [self._by_rules(question) for question in inputs]
        asking = [
            _Question(n, inputs[n], verdict, self._prompt(inputs[n]))
            for n, verdict in enumerate(verdicts)
            if "failure" not in verdict.provider_details and not gemini_verdict.held_by_rules(verdict)
        ]
        verdicts = [
            gemini_verdict.not_asked(verdict) if gemini_verdict.held_by_rules(verdict) else verdict
            for verdict in verdicts
        ]
        if not asking:
            return verdicts
        try:
            admission = self._meter.admit([self._estimate(question) for question in asking])
        except Exception:  # no counters, no questions: the rules go on
            admission = Admission(0, METER_UNAVAILABLE)
        batch = _Batch(self._options)
        if admission.granted:
            self._ask(asking[: admission.granted], batch, admission)
        for question in asking[admission.granted :]:
            question.failure = admission.refused
        for question in asking:
            verdicts[question.position] = self._verdict(question)
        return verdicts

    def close(self) -> None:
        """Ends the connections; the provider may not be used afterwards."""
        closing = getattr(self._client, "close", None)
        self._loop.close(closing() if closing is not None else None)

    def _by_rules(self, question: DecisionInput) -> Verdict:
        try:
            return heuristic_verdict(question)
        except Exception as failure:  # one unreadable conversation must not stop the batch
            return failed_verdict("heuristic", None, RULES_VERSION, failure)

    def _prompt(self, question: DecisionInput) -> str:
        if question.examples:
            kept = tuple(example for example in question.examples if self._is_harmless(example))
            question = replace(question, examples=kept)
        return question_prompt(question, self._options.context_messages)

    def _is_harmless(self, example: ReplyExample) -> bool:
        """An earlier lead's text that a guardrail holds, an injection above all, is no example."""
        if example not in self._harmless:
            if len(self._harmless) > 500:
                self._harmless.clear()
            self._harmless[example] = _no_guardrail(example)
        return self._harmless[example]

    def _estimate(self, question: _Question) -> Spend:
        prompt = (len(self._system.encode()) + len(question.prompt.encode())) // _BYTES_PER_TOKEN
        return self._options.price.spend(prompt, self._client.max_output_tokens)

    def _ask(self, questions: Sequence[_Question], batch: _Batch, admission: Admission) -> None:
        report = BatchReport()
        try:
            self._loop.run(self._ask_all(questions, batch))
            report = batch.report(questions, self._options.price, self._estimate)
        finally:
            try:
                self._meter.settle(admission, report)
            except Exception:  # the reservation stays: rather too much counted than too little
                for question in questions:
                    question.notes["meter"] = METER_UNAVAILABLE

    async def _ask_all(self, questions: Sequence[_Question], batch: _Batch) -> None:
        places = asyncio.Semaphore(self._options.concurrency)
        await asyncio.gather(*(self._ask_one(question, batch, places) for question in questions))

    async def _ask_one(self, question: _Question, batch: _Batch, places: asyncio.Semaphore) -> None:
        async with places:
            question.failure = batch.closed_because()
            if question.failure is not None:
                return
            started = time.monotonic()
            try:
                async with asyncio.timeout(batch.left()):
                    await self._with_retries(question, batch)
            except TimeoutError:
                question.failure = BATCH_DEADLINE
                batch.failed(GeminiFailure(BATCH_DEADLINE))
            except GeminiFailure as failure:
                question.failure = failure.code
                batch.failed(failure)
            except Exception as failure:  # whatever else an SDK may raise: the rules decide, and say so
                question.failure = f"unexpected_{type(failure).__name__}"
                batch.failed(GeminiFailure(question.failure))
            else:
                question.failure = None
                batch.succeeded()
            question.latency_ms = round((time.monotonic() - started) * 1000)

    async def _with_retries(self, question: _Question, batch: _Batch) -> None:
        """Ask until there is an answer, the failure's class says stop, or no time is left."""
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, GeminiFailure) and e.again),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._options.attempts),
                _NoTimeLeft(batch),
            ),
            wait=_pause_before_retry,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                question.attempts += 1
                # Counted as asked without being told the price, until it is told.
                question.unpriced += 1
                try:
                    reply = await self._client.ask(self._system, question.prompt, batch.left())
                except GeminiFailure as failure:
                    if failure.usage is not None:
                        question.priced(failure.usage)
                    raise
                question.priced(reply.usage)
                question.reply = reply

    def _verdict(self, question: _Question) -> Verdict:
        details: dict[str, object] = {
            "model": self._client.model,
            "prompt": self._prompt_version,
            "latency_ms": question.latency_ms,
            "attempts": question.attempts,
            "prompt_tokens": question.usage.prompt_tokens,
            "output_tokens": question.usage.output_tokens,
            "cost_usd": question.cost(self._options.price, self._estimate).micros / 1_000_000,
            **question.notes,
        }
        if question.reply is None:
            reason = question.failure or "no_answer"
            return gemini_verdict.fallen_back(question.by_rules, {**details, "fallback_reason": reason})
        return gemini_verdict.answered(
            question.input, question.by_rules, question.reply.answer, self._client.model, details
        )


def _no_guardrail(example: ReplyExample) -> bool:
    bare = DecisionInput(
        conversation_id=_NOBODY,
        platform=_ANY,
        lead_name=example.lead_name,
        unit_label=None,
        unit_number=None,
        new_messages=(example.inbound,),
        history=(),
        slots=(),
        open_offer=(),
        has_recent_outbound=False,
        last_intent=None,
        workflow_state="lead",
        workflow_outcome=None,
        showing_state=None,
        age_s=None,
    )
    try:
        return not heuristic_verdict(bare).guardrails
    except Exception:  # what can't be read is no example
        return False


def _pause_before_retry(state: tenacity.RetryCallState) -> float:
    """Exponential with jitter, and never sooner than the service asks."""
    failure = state.outcome.exception() if state.outcome is not None else None
    asked = failure.pause_s if isinstance(failure, GeminiFailure) else 0.0
    backoff: float = 0.25 * 2 ** (state.attempt_number - 1)
    return max(asked, backoff * (0.5 + random.random()))


@dataclass(slots=True)
class _Question:
    """One conversation on its way to the model and back."""

    position: int
    input: DecisionInput
    by_rules: Verdict
    prompt: str
    reply: GeminiReply | None = None
    failure: str | None = None
    attempts: int = 0
    unpriced: int = 0
    usage: Usage = field(default_factory=Usage)
    latency_ms: int = 0
    notes: dict[str, object] = field(default_factory=dict)

    def priced(self, usage: Usage) -> None:
        self.unpriced -= 1
        self.usage = self.usage + usage

    def cost(self, price: ModelPrice, estimate: Callable[[_Question], Spend]) -> Spend:
        """What was told, and the estimate for tries that may have been billed without an answer."""
        told = price.spend(self.usage.prompt_tokens, self.usage.output_tokens)
        for _ in range(self.unpriced):
            told = told + estimate(self)
        return told


class _Batch:
    """Whether the model may still be asked in this batch, and what became of it."""

    def __init__(self, options: GeminiOptions) -> None:
        self._ends = time.monotonic() + options.batch_deadline_s
        self._allowed = options.failures_in_a_row
        self._in_a_row = 0
        self._hopeless = False
        self._answered = False
        self._code: str | None = None

    def left(self) -> float:
        return max(0.0, self._ends - time.monotonic())

    def closed_because(self) -> str | None:
        if self.left() <= 0:
            return BATCH_DEADLINE
        return FAILING if self._hopeless or self._in_a_row >= self._allowed else None

    def succeeded(self) -> None:
        self._in_a_row, self._answered, self._code = 0, True, None

    def failed(self, failure: GeminiFailure) -> None:
        if failure.about_text:
            self.succeeded()
            return
        self._in_a_row += 1
        self._code = failure.code
        self._hopeless = self._hopeless or failure.hopeless

    def report(
        self, questions: Sequence[_Question], price: ModelPrice, estimate: Callable[[_Question], Spend]
    ) -> BatchReport:
        asked = [question for question in questions if question.attempts]
        return BatchReport(
            questions=len(asked),
            failures=sum(question.reply is None for question in asked),
            spent=sum((question.cost(price, estimate) for question in asked), Spend()),
            prompt_tokens=sum(question.usage.prompt_tokens for question in asked),
            output_tokens=sum(question.usage.output_tokens for question in asked),
            answered=self._answered,
            failures_in_a_row=self._in_a_row,
            code=self._code,
            hopeless=self._hopeless,
        )


class _NoTimeLeft(tenacity.stop.stop_base):
    """Stops where the pause before another try would outlast the batch."""

    def __init__(self, batch: _Batch) -> None:
        self._batch = batch

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return retry_state.upcoming_sleep >= self._batch.left()


class _Loop:
    """An event loop on a thread of its own: the SDK's connections belong to one loop, batches to any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="gemini", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self, last: Coroutine[Any, Any, object] | None) -> None:
        if self._loop is None or self._thread is None:
            if last is not None:
                last.close()
            return
        if last is not None:
            self.run(last)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._loop = self._thread = None

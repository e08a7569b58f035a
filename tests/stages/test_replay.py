"""Decisions made again from their records: the same, to the last bit; and what others would decide."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.decisions.gemini import GeminiOptions, GeminiProvider
from leasebot_pipeline.decisions.gemini_client import GeminiClient
from leasebot_pipeline.domain.intents_files import shipped
from leasebot_pipeline.domain.intents_rulebook import load_rulebook
from leasebot_pipeline.domain.model_metering import DailyLimits
from leasebot_pipeline.sandbox import GEMINI_KEY
from leasebot_pipeline.sandbox.gemini import GeminiFault
from leasebot_pipeline.sandbox.testing import GeminiServer
from leasebot_pipeline.stages import decide
from leasebot_pipeline.stages.replay import Asking, Change, Recorded, ReplayReport, RulesAlone, replay
from leasebot_pipeline.storage import invariants
from leasebot_pipeline.storage.model_usage import DatabaseMeter, days_of_use
from tests.stages.conftest import NOON, PLATFORM, Office
from tests.stages.test_handshake import DANA, calendars, wednesday

TOUR = "Hi! Could I come and see the room this week?"
BODIES = (
    TOUR,
    "stop",
    "What is the rent?",
    "My attorney will call",
    "ok thanks",
    "¿Está libre?",
    "Can I tour? Do you take dogs?",
    "\U0001f44d",
)
SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=30)


@pytest.fixture(scope="module")
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server


@pytest.fixture
def ask_gemini(office: Office, gemini: GeminiServer) -> Iterator[Callable[..., GeminiProvider]]:
    """From here on the office asks the stand-in, as the real client does."""
    made: list[GeminiProvider] = []
    state = gemini.state
    state.clear()
    state.requests, state.prompt_tokens, state.output_tokens, state.asked = 0, 0, 0, []

    def make(
        limits: DailyLimits | None = None, timeout_s: float = 60, batch_deadline_s: float = 90
    ) -> GeminiProvider:
        client = GeminiClient("gemini-test", SecretStr(GEMINI_KEY), base_url=gemini.url, timeout_s=timeout_s)
        meter = DatabaseMeter(office.pipeline.engine, client.model, limits or DailyLimits(), office.clock)
        made.append(
            GeminiProvider(client, meter, GeminiOptions(batch_deadline_s=batch_deadline_s, attempts=1))
        )
        office.pipeline = replace(office.pipeline, provider=made[-1])
        return made[-1]

    yield make
    for one in made:
        one.close()


def again(office: Office, **given: object) -> ReplayReport:
    return replay(office.pipeline.engine, SINCE, UNTIL, **given)  # type: ignore[arg-type]


def conversations_of_all_kinds(office: Office) -> None:
    """A first batch, then answers to offers: picks, other times, a conflict, a refusal of the quality gate."""
    calendars(office, (DANA, wednesday(11), wednesday(13)))
    for n, body in enumerate(BODIES):
        office.lead_writes(f"t{n}", body)
    office.lead_writes("w1", TOUR)
    office.lead_writes("w2", TOUR, listing="L2")
    office.lead_writes("g1", TOUR, listing="L3")
    office.work()
    office.clock.advance(minutes=3)
    office.lead_writes("w1", "Wednesday at 11 works")
    office.lead_writes("w2", "Wednesday at 11 works", listing="L2")
    office.lead_writes("t0", "none of those, how about Thursday at 2pm?")
    assert office.work().slot_conflicts == 1
    office.clock.advance(minutes=3)
    office.lead_writes("g1", "Actually, could I come by on Friday?", listing="L3")
    office.take_in()
    plan = decide.plan(office.pipeline, PLATFORM, "run-2")
    decide.apply(office.pipeline, plan, {str(plan.planned[0].id): "a test refuses it"}, "run-2")
    office.clock.advance(hours=50)


def test_every_decision_replays_to_the_last_bit(office: Office) -> None:
    """The handshake's plan, a slot somebody else took and the quality gate's refusal included."""
    conversations_of_all_kinds(office)
    before = office.rows('SELECT * FROM "Decisions" ORDER BY id')
    office.run("""UPDATE "Templates" SET body = 'changed since'""")
    office.run('DELETE FROM "AgentAvailabilitySlots"')
    report = again(office, page_size=5)
    assert report.cases == []
    assert (report.decisions, report.replayed, report.identical) == (15, 15, 15)
    assert report.same_versions_identical == 15
    moves = {str(m) for (m,) in office.rows("""SELECT evidence #>> '{handshake,move}' FROM "Decisions" """)}
    assert {"book", "offer"} <= moves
    assert office.rows('SELECT * FROM "Decisions" ORDER BY id') == before


def test_records_hold_no_text_and_no_name(office: Office) -> None:
    conversations_of_all_kinds(office)
    records = json.dumps([record for (record,) in office.rows('SELECT record FROM "Decisions"')])
    assert "Ana" not in records
    assert "attorney" not in records
    ((bytes_each,),) = office.rows('SELECT avg(pg_column_size(record))::int FROM "Decisions"')
    assert int(str(bytes_each)) < 2000


def test_what_can_not_be_replayed_is_skipped_and_counted(office: Office) -> None:
    conversations_of_all_kinds(office)
    alone = """SELECT id FROM "Decisions" d WHERE 1 = (SELECT count(*) FROM "Decisions" o
                WHERE o.conversation_id = d.conversation_id) ORDER BY decided_at, id"""
    ids = [str(i) for (i,) in office.rows(alone)]  # no other decision read the same message
    office.run("""UPDATE "Decisions" SET evidence = '{"erased": true}' WHERE id = :id""", id=ids[0])
    office.run("""UPDATE "Decisions" SET record = NULL WHERE id = :id""", id=ids[1])
    office.run(
        """UPDATE "Messages" SET body = body || '!' WHERE id = (SELECT inbound_message_id FROM "Decisions" WHERE id = :id)""",
        id=ids[2],
    )
    report = again(office)
    assert dict(report.skipped) == {"erased": 1, "not_recorded": 1, "messages_changed": 1}
    assert report.replayed == report.identical == 12


def test_other_rules_show_what_would_change_dangerous_first(office: Office) -> None:
    conversations_of_all_kinds(office)
    data = shipped()
    data["guardrails.toml"] = data["guardrails.toml"].replace(b"attorney", b"attorneyx")
    softer = again(office, decider=Recorded(load_rulebook(data)))
    assert softer.same_versions == 0
    office.run("""UPDATE "Decisions" SET outcome = 'escalate' WHERE id = (
                    SELECT id FROM "Decisions" WHERE outcome = 'send' ORDER BY decided_at DESC LIMIT 1)""")
    report = again(office, decider=RulesAlone())
    assert report.dangerous == 1
    assert report.cases[0].change is Change.SENDS
    assert report.cases[0].as_json()["dangerous"] is True


def test_gemini_decides_is_recorded_and_replays_without_being_asked(
    office: Office, gemini: GeminiServer, ask_gemini: Callable[..., GeminiProvider]
) -> None:
    """Item by item: fallbacks say why, usage and cost are kept, and the stored answers lead to the same rows."""
    ask_gemini()
    gemini.state.switch_on(GeminiFault.MIXED, share=0.3)
    conversations_of_all_kinds(office)
    by_provider = dict(office.rows('SELECT provider, count(*) FROM "Decisions" GROUP BY 1'))  # type: ignore[arg-type]
    assert set(by_provider) == {"gemini", "heuristic"}
    reasons = office.rows(
        """SELECT provider_details ->> 'fallback_reason' FROM "Decisions" WHERE provider_details ? 'fallback_reason'"""
    )
    assert reasons
    audited = office.rows(
        """SELECT count(*) FROM "AuditLogs" WHERE action = 'ai_reply_decision' AND details::text LIKE '%model_not_used%'"""
    )
    assert audited == [(len(reasons),)]
    with office.pipeline.engine.connect() as conn:
        (day,) = days_of_use(conn, NOON.date())
        assert [r for r in invariants.check(conn, office.clock()) if not r.holds] == []
    assert (day.prompt_tokens, day.output_tokens) == (gemini.state.prompt_tokens, gemini.state.output_tokens)
    ((cost,),) = office.rows("""SELECT sum((provider_details ->> 'cost_usd')::numeric) FROM "Decisions" """)
    assert float(str(cost)) == pytest.approx(day.cost_usd)
    asked = gemini.state.requests
    report = again(office)
    assert (report.identical, report.cases) == (15, [])
    assert gemini.state.requests == asked


def test_a_shadow_comparison_with_a_hostile_model_shows_no_dangerous_change(
    office: Office, gemini: GeminiServer, ask_gemini: Callable[..., GeminiProvider]
) -> None:
    conversations_of_all_kinds(office)
    office.run("""UPDATE "Decisions" SET outcome = outcome""")
    provider = ask_gemini()
    gemini.state.switch_on(GeminiFault.HOSTILE)
    asking = Asking(provider)
    report = again(office, decider=asking)
    assert report.usage["answered"] > 0
    held = office.rows(
        """SELECT count(*) FROM "Decisions" WHERE guardrails <> '{}' OR intent = 'unsubscribe'"""
    )
    assert int(str(held[0][0])) >= 2
    for case in report.cases:
        assert case.change is not Change.SILENT
        assert case.after["risk_level"] in ("low", "medium") or case.after["outcome"] != "send"


@pytest.mark.parametrize(
    "fault", [GeminiFault.UNAVAILABLE, GeminiFault.SLOW, GeminiFault.DRIP, GeminiFault.HOSTILE]
)
def test_with_gemini_down_slow_or_hostile_everything_is_decided_in_time_and_every_invariant_holds(
    office: Office,
    gemini: GeminiServer,
    ask_gemini: Callable[..., GeminiProvider],
    fault: GeminiFault,
) -> None:
    ask_gemini(timeout_s=0.5, batch_deadline_s=1.5) if fault is not GeminiFault.HOSTILE else ask_gemini()
    gemini.state.switch_on(fault, seconds=120)
    started = time.monotonic()
    for n in range(30):
        office.lead_writes(f"t{n}", BODIES[n % len(BODIES)], listing=f"L{1 + n % 3}")
    assert office.work().decided == 30
    assert time.monotonic() - started < 60, "far below what one slow answer takes"
    steered = """SELECT count(*) FROM "OutboundDispatches"
                  WHERE body ~ 'evil|4711|\\$1 a month|3:33|children' AND state <> 'draft'"""
    assert office.rows(steered) == [(0,)]
    assert office.rows("""SELECT count(*) FROM "Conversations" WHERE opted_out_at IS NOT NULL""") == [(4,)]
    with office.pipeline.engine.connect() as conn:
        assert [r for r in invariants.check(conn, office.clock()) if not r.holds] == []
    assert again(office).faithful


def test_processes_share_the_days_budget_and_the_breaker(
    office: Office, gemini: GeminiServer, ask_gemini: Callable[..., GeminiProvider]
) -> None:
    provider, other = (ask_gemini(DailyLimits(tokens=4000)) for _ in range(2))
    for n in range(4):
        office.lead_writes(f"t{n}", TOUR)
        office.pipeline = replace(office.pipeline, provider=(provider, other)[n % 2])
        office.work()
    reasons = [
        str(r)
        for (r,) in office.rows(
            """SELECT COALESCE(provider_details ->> 'fallback_reason', provider) FROM "Decisions" ORDER BY decided_at, through_seq"""
        )
    ]
    assert reasons[0] == "gemini"
    assert reasons[-1] == "daily_tokens_spent"
    assert office.rows("""SELECT count(*) FROM "AuditLogs" WHERE action = 'ai_model_limit_reached'""") == [
        (1,)
    ]

    ask_gemini()
    gemini.state.switch_on(GeminiFault.FORBIDDEN)
    office.clock.advance(days=1)
    for n in range(2):
        office.lead_writes(f"u{n}", TOUR)
        office.work()
    asked = gemini.state.requests
    office.lead_writes("u9", TOUR)
    office.work()
    assert gemini.state.requests == asked
    assert office.rows("""SELECT count(*) FROM "AuditLogs" WHERE action = 'ai_model_circuit_opened'""") == [
        (1,)
    ]
    gemini.state.clear()
    office.clock.advance(minutes=11)
    office.lead_writes("u10", TOUR)
    office.work()
    assert gemini.state.requests == asked + 1
    assert office.rows("""SELECT open_until FROM "ModelCircuits" """) == [(None,)]


def test_only_replies_that_were_sent_are_examples(
    office: Office, gemini: GeminiServer, ask_gemini: Callable[..., GeminiProvider]
) -> None:
    """Behaviour 71, fault G-58: drafts, held and overtaken replies of other leads are none."""
    ask_gemini()
    office.pipeline = replace(office.pipeline, policy=replace(office.pipeline.policy, reply_examples=1))
    office.lead_writes("d1", "Is it free in May?", listing="L2")
    office.run("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only'""")
    assert office.work().drafted == 1
    office.lead_writes("s1", "Does it have a balcony?", listing="L3")
    office.lead_writes("s1", "It does, facing south.", listing="L3", by="outbound")
    office.work()
    office.lead_writes("t1", TOUR)
    office.work()
    data = json.loads(gemini.state.asked[-1]["data"])
    assert data["pastReplies"] == [{"lead": "Does it have a balcony?", "reply": "It does, facing south."}]


def test_the_command_compares_a_time_range_and_touches_nothing(office: Office) -> None:
    conversations_of_all_kinds(office)
    url = office.pipeline.engine.url.render_as_string(hide_password=False)
    window = ["--since", SINCE.isoformat(), "--until", UNTIL.isoformat(), "--database-url", url, "--json"]
    done = CliRunner().invoke(app, ["replay", *window])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["identical"], report["dangerous"], report["cases"]) == (15, 0, [])
    shown = [f"{moment:%Y-%m-%dT%H:%M:%S}Z" for moment in (SINCE, UNTIL)]
    assert [report["since"], report["until"]] == shown
    zone = timezone(timedelta(hours=2))
    window[1], window[3] = (moment.astimezone(zone).isoformat() for moment in (SINCE, UNTIL))
    elsewhere = json.loads(CliRunner().invoke(app, ["replay", *window]).stdout)
    assert [elsewhere["since"], elsewhere["until"]] == shown
    assert set(report["changed"]) == {change.value for change in Change}
    office.run("""UPDATE "Decisions" SET reply_body = 'tampered with' WHERE id = (
                    SELECT id FROM "Decisions" WHERE outcome = 'send' LIMIT 1)""")
    changed = CliRunner().invoke(app, ["replay", *window])
    assert changed.exit_code == 1
    assert json.loads(changed.stdout)["cases"][0]["decidedAt"].endswith("Z")
    assert CliRunner().invoke(app, ["replay", "--since", "yesterday"]).exit_code == 2


def test_every_field_of_an_input_is_recorded() -> None:
    """A new field of ``DecisionInput`` must be recorded, or said here to make no difference."""
    from leasebot_pipeline.decisions import record
    from leasebot_pipeline.domain.decisions import DecisionInput
    from leasebot_pipeline.domain.readings import Direction
    from tests.unit.domain.decision_values import FRIDAY_6PM, OFFER, asked

    question = asked(
        "one", "two",
        history=((Direction.INBOUND, "zero"), (Direction.OUTBOUND, "ours")),
        slots=OFFER[:2], free_slots=OFFER, open_offer=OFFER[1:], held_position=2, gone_positions=(1,),
        showing=FRIDAY_6PM, asked_at=datetime.fromisoformat("2026-02-09T12:00:00.123456+00:00"),
        last_intent="tour_request", workflow_outcome="no_reply", showing_state="confirmed", age_s=0.1,
        has_recent_outbound=True, workflow_state="outcome",
    )  # fmt: skip
    not_default = {f.name for f in fields(DecisionInput)} - {"examples"}
    assert all(getattr(question, name) not in (None, (), False) for name in not_default)
    free = record.slots_part(question.free_slots)
    history = [(1, Direction.INBOUND, "zero"), (2, Direction.OUTBOUND, "ours")]
    new = [(3, Direction.INBOUND, "one"), (4, Direction.INBOUND, "two")]
    stored = json.loads(json.dumps(record.input_record(question, new, history, free)))
    made = record.input_of(
        stored,
        conversation_id=question.conversation_id,
        platform=question.platform,
        lead_name=question.lead_name,
        messages={seq: (direction, body) for seq, direction, body in [*history, *new]},
        part={free.digest: free.content}.__getitem__,
    )
    assert made == question

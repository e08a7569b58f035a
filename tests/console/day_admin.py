"""What administrators look at: accounts in every state, units, people, rules, a release, a day of figures."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform
from leasebot_pipeline.storage import sample_workspace
from leasebot_pipeline.storage.tables import accounts, dispatch, operations
from tests.api.house import SPAREROOM, House
from tests.api.observability_rows import Rows
from tests.storage import rows

_ID = {account.platform: account.id for account in REQUIRED_ACCOUNTS}
KEPT_PAGE = f"2026-03-02T11-40-00-000Z-roomies-ingest-{_ID[Platform.ROOMIES]}-attempt1"


def fill_admin(house: House) -> None:
    """Rows for every administrator's screen."""
    _accounts(house)
    _units(house)
    _figures(house)
    with house.rows() as conn:
        sample_workspace.seed_replies(conn)
    own = {
        "platformAccountId": str(SPAREROOM),
        "name": "Prices",
        "intent": "pricing_question",
        "template": "default_tour_request",
        "isEnabled": False,
    }
    asked = [
        ("/api/automation-rules", own),
        ("/api/admin/release/start", {"commit": "4f2a9c1e", "reason": "Version of March"}),
        ("/api/admin/release/gate", {"baseline": True}),
        ("/api/admin/kill-switches", {"target": "furnishedfinder", "reason": "Wrong rent in three replies"}),
        *(
            (
                "/api/admin/users/invitations",
                {"email": f"{first}@example.com".lower(), "firstName": first, "lastName": last},
            )
            for first, last in (("Nia", "Okoro"), ("Tomás", "Ferreira"))
        ),
    ]
    for path, body in asked:
        answer = house.ask("admin", "POST", path, body)
        assert answer.is_success, (path, answer.text)
    leasebreak = _ID[Platform.LEASEBREAK]
    off = {"isActive": False, "disableReason": "The account's plan ended"}
    assert house.ask("admin", "PUT", f"/api/admin/platform-policies/{leasebreak}", off).is_success
    bring_to_today(house)


def bring_to_today(house: House) -> None:
    """The database stamps rows by its own clock; the day is the house's."""
    columns = (
        ("AuditLogs", "created_at"),
        ("Listings", "updated_at"),
        ("Templates", "updated_at"),
        ("UnitAgentAssignments", "updated_at"),
        ("Units", "updated_at"),
    )
    with house.rows() as conn:
        for table, column in columns:
            conn.execute(
                text(f"""UPDATE "{table}" SET {column} = CAST(:now AS timestamptz) - interval '90 min'
                          WHERE {column} > CAST(:now AS timestamptz) + interval '1 day'"""),
                {"now": house.clock()},
            )


def _accounts(house: House) -> None:
    now = house.clock()
    minute = timedelta(minutes=1)
    states = {
        Platform.SPAREROOM: {
            "last_success_ingest_at": now - minute,
            "last_success_send_at": now - 40 * minute,
        },
        Platform.ROOMIES: {
            "last_success_ingest_at": now - 25 * minute,
            "stopped_at": now - 20 * minute,
            "stop_code": "SESSION_EXPIRED",
            "stop_reason": "The site asked to sign in again",
        },
        Platform.RENTHOP: {
            "circuit_state": "open",
            "circuit_failures": 5,
            "circuit_open_until": now + 10 * minute,
            "last_success_ingest_at": now - 90 * minute,
        },
    }
    with house.rows() as conn:
        for platform, state in states.items():
            runtime = accounts.account_runtime
            chosen = runtime.update().where(runtime.c.platform_account_id == _ID[platform])
            conn.execute(chosen.values(last_polled_at=now - minute, **state))
        for n in range(14):
            failed = n % 3 == 0
            rows.add(
                conn,
                operations.platform_runs,
                platform_account_id=_ID[Platform.ROOMIES],
                platform="roomies",
                action="ingest",
                triggered_by="sensor:inbox_roomies",
                started_at=now - n * 7 * minute,
                ended_at=now - n * 7 * minute + timedelta(seconds=3),
                outcome="failed" if failed else "succeeded",
                counts={} if failed else {"rows": 20, "changed": 2, "threadsRead": 2, "landed": 3},
                latency_ms=3120,
                error_class="transient" if failed else None,
                error_code="MARKUP_DRIFT" if failed else None,
                error_detail=f"no inbox list on the page (page kept: {KEPT_PAGE})" if failed else None,
            )
        rows.add(
            conn,
            dispatch.alert_incidents,
            key="session:roomies",
            type="rpa_session_refresh_requested",
            platform="roomies",
            platform_account_id=_ID[Platform.ROOMIES],
            action="ingest",
            reason="SESSION_EXPIRED",
            event={},
            opened_at=now - 20 * minute,
            last_seen_at=now - minute,
            occurrences=4,
        )


def _units(house: House) -> None:
    with house.rows() as conn:
        for n in range(24):
            unit = rows.unit(
                conn,
                property_name=("Maple Court", "Elm House", "Harbor View")[n % 3],
                unit_number=f"{n + 2}B",
                address_line1=f"{100 + n} Maple Street",
                city="Brooklyn",
            )
            rows.add(
                conn,
                accounts.listings,
                unit_id=unit,
                platform_account_id=SPAREROOM,
                listing_external_id=f"sr-{n}",
                status=("active", "active", "leased")[n % 3],
                rent_cents=180_000 + 5_000 * n,
                metadata={"title": f"Bright room {n + 2}B", "location": "Brooklyn"},
            )
            if n % 2:
                values = {"unit_id": unit, "agent_id": house.marco, "priority": 1}
                rows.add(conn, accounts.unit_agent_assignments, **values)


def _figures(house: House) -> None:
    with house.rows() as conn:
        made = Rows(conn, house.clock())
        account = _ID[Platform.SPAREROOM]
        waiting = made.conversation(account, outcome="human_required", hours=3)
        for n in range(60):
            hours = (n * 7 % 23) + 0.4
            made.message(waiting, "inbound", hours=hours)
            if n % 2:
                made.message(waiting, "outbound", review=("draft", "hold", None)[n % 3], hours=hours)
        for n, (action, platform) in enumerate(
            [
                ("ai_reply_decision", "spareroom"),
                ("ai_reply_created", "spareroom"),
                ("ai_reply_escalated", "roomies"),
                ("platform_dispatch_error", "roomies"),
                ("platform_dispatch_error", "renthop"),
                ("platform_dispatch_sent", "spareroom"),
                ("ingest_conversation_linkage_resolved", "spareroom"),
            ]
            * 6
        ):
            details = {
                "reason": "low_confidence",
                "escalationReasonCode": ("escalate_low_confidence", "escalate_pricing")[n % 2],
                "linkage": {"strategy": "listing_external_id", "matched": True},
                "stage": "dispatch",
            }
            made.audit(
                action,
                hours=n / 2 + 0.1,
                entity=("message", f"m-{n}"),
                platform=platform,
                conversation=waiting,
                details=details,
            )
        conn.execute(
            text("""UPDATE "AuditLogs" SET run_id = 'a1b2c3d4-0000-4000-8000-000000000001'
                              WHERE action = 'platform_dispatch_sent'""")
        )
        for status in ("confirmed", "confirmed", "pending", "cancelled"):
            made.booking(account, status, hours=2)
        rows.value(
            conn,
            """WITH landed AS (
                 INSERT INTO "InboundEvents" (platform_account_id, platform, external_thread_id, external_message_id,
                                              identity_source, direction, body, sent_at_has_time, sent_at, landed_at)
                 SELECT a.id, a.platform, 't', a.platform || n, 'platform', 'inbound', 'text', true,
                        CAST(:now AS timestamptz) - n * interval '20 min',
                        CAST(:now AS timestamptz) - n * interval '20 min' + (n * 3 + length(a.platform)) * interval '1 s'
                   FROM "PlatformAccounts" a CROSS JOIN generate_series(1, 30) n
                  WHERE a.platform IN ('spareroom', 'roomies', 'renthop') RETURNING 1)
               SELECT count(*) FROM landed""",
            now=house.clock(),
        )

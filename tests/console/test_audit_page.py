"""The audit is searched with the words it shows, and says who acted."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from tests.api.house import SPAREROOM, House
from tests.console.test_stopped_sends import read


@pytest.fixture
def steps(house: House) -> House:
    """A reply the bot wrote for a unit of Dana's, approved by the administrator and sent; and the account's switch."""
    told = [
        ("ai_reply_created", "worker", str(house.dana)),
        ("ai_reply_draft_created", "worker", str(house.dana)),
        ("inbox_message_approved", "admin", _login(house)),
        ("platform_dispatch_sent", "worker", str(house.dana)),
        ("platform_policy_updated", "system", None),
        ("something_of_its_own", "system", None),
    ]
    with house.rows() as conn:
        for action, actor_type, actor in told:
            conn.execute(
                text("""INSERT INTO "AuditLogs" (actor_type, actor_id, agent_id, entity_type, entity_id, action, platform,
                                 platform_account_id, details, created_at)
                         VALUES (:type, :actor, CAST(:agent AS text), 'message', 'm', :action, 'spareroom', :account, '{}', :now)"""),
                {
                    "type": actor_type,
                    "actor": actor,
                    "agent": actor if actor_type == "worker" else None,
                    "action": action,
                    "account": SPAREROOM,
                    "now": house.clock(),
                },
            )
    return house


def _login(house: House) -> str:
    with house.rows() as conn:
        return str(
            conn.execute(text("""SELECT id FROM "user" WHERE email = 'admin@example.com'""")).scalar_one()
        )


def found(house: House, asked: str) -> set[str]:
    page = house.ask("admin", "GET", f"/admin/audit?action={asked}").text
    return set(re.findall(r"action <code>([a-z_]+)</code>", page))


SEARCHES = (
    ("approved", {"inbox_message_approved"}),
    ("Reply approved", {"inbox_message_approved"}),
    ("reply sent", {"platform_dispatch_sent"}),
    ("BOT WROTE", {"ai_reply_created", "ai_reply_draft_created"}),
    ("reply wrote bot", {"ai_reply_created"}),
    ("draft", {"ai_reply_draft_created"}),
    ("ai_reply_created", {"ai_reply_created"}),
    ("platform_dispatch_sent", {"platform_dispatch_sent"}),
    ("dispatch", {"platform_dispatch_sent"}),
    ("something of its", {"something_of_its_own"}),
    ("something_of_its_own", {"something_of_its_own"}),
    ("no such step", set()),
)


def test_it_is_searched_with_the_words_it_shows(steps: House) -> None:
    assert [(asked, found(steps, asked)) for asked, _ in SEARCHES] == list(SEARCHES)


def test_a_file_has_the_rows_that_are_shown(steps: House) -> None:
    page = steps.page("admin", "/admin/audit?action=reply+sent")
    address = re.search(r'href="(/api/admin/audit/export[^"]+)"[^>]*>Export CSV', page)
    assert address is not None
    lines = steps.ask("admin", "GET", address[1].replace("&amp;", "&")).text.splitlines()
    assert len(lines) == 2
    assert "platform_dispatch_sent" in lines[1]


def test_who_acted_is_not_who_is_in_charge(steps: House) -> None:
    said = read(steps.page("admin", "/admin/audit"))
    assert "Bot wrote a reply Today, 12:00 PM UTC The bot · SpareRoom · agent in charge: Dana Reyes" in said
    assert "Reply approved Today, 12:00 PM UTC admin@example.com · SpareRoom" in said
    assert "Worker" not in said
    assert "Ai reply" not in said

"""What pages say in words a newcomer knows, where codes stood or one word meant two things."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from leasebot_pipeline.storage.tables import accounts
from tests.api.house import House
from tests.console.day_inbox import decide, draft, lead, mark
from tests.console.test_stopped_sends import advert, read, stop
from tests.storage import rows


def test_an_intent_is_not_said_with_the_word_of_a_delivery(house: House) -> None:
    with house.rows() as conn:
        each = lead(conn, house, advert(conn, house), "Ann Lee", house.clock())
        decide(conn, each, house.clock(), "escalate", ["escalate_ambiguous_intent"])
        conn.execute(text("""UPDATE "Decisions" SET effective_intent = 'unknown', confidence = 0.6"""))
        mark(conn, each, "hold")
    said = read(house.page("agent", f"/agent/inbox/{each}"))
    assert "Understood as It is unclear what the lead wants Because" in said
    assert "clicked" not in said


def test_a_rejected_draft_says_so_and_can_still_be_changed(house: House) -> None:
    with house.rows() as conn:
        each = lead(conn, house, advert(conn, house), "Ann Lee", house.clock())
        message = draft(conn, house, each, "Hi Ann, yes it is.", house.clock())
    here = f"/agent/inbox/{each}"
    version = re.search(r'name="version" value="([^"]+)"', house.page("agent", here))
    assert version is not None
    stored = version[1].replace("&#34;", '"').replace("&quot;", '"')
    told = house.notice(house.send("agent", f"{here}/drafts/{message}", act="reject", version=stored))
    assert told == "Rejected. The lead was told nothing."
    page = house.page("agent", here)
    said = read(page)
    assert said.count("Rejected") == 3, "in the list, at the draft, and why it stays there"
    assert "Held" not in said.replace("Drafts Held Sent", "")
    assert 'value="approve"' in page
    assert 'value="save"' in page


@pytest.mark.parametrize("area", ["admin", "agent"])
def test_states_to_filter_by_are_words(house: House, area: str) -> None:
    page = house.page(area, f"/{area}/inbox")
    chosen = re.search(r'<select id="state".*?</select>', page, re.DOTALL)
    assert chosen is not None
    assert re.findall(r">([^<]+)</option>", chosen[0]) == [
        "Any state",
        "Being answered",
        "Showing arranged",
        "First follow-up",
        "Second follow-up",
        "Came to an outcome",
    ]


def test_why_a_person_was_asked_is_a_sentence(house: House) -> None:
    with house.rows() as conn:
        each = lead(conn, house, advert(conn, house), "Ann Lee", house.clock())
        values = {"id": str(each), "now": house.clock()}
        conn.execute(
            text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, platform, conversation_id,
                             details, created_at)
                     VALUES ('worker', 'message', 'm', 'ai_reply_escalated', 'spareroom', CAST(:id AS uuid),
                             '{"escalationReasonCode": "escalate_ambiguous_intent"}', :now)"""),
            values,
        )
    said = read(house.page("admin", "/admin/observability"))
    assert "It is unclear what the lead wants" in said
    assert "Escalate" not in said


def test_a_platforms_name_is_the_one_it_is_known_by(house: House) -> None:
    with house.rows() as conn:
        account = rows.value(conn, """SELECT id FROM "PlatformAccounts" WHERE platform = 'furnishedfinder'""")
        values = {"unit_id": house.unit, "platform_account_id": account, "listing_external_id": "FF-1"}
        rows.add(conn, accounts.listings, rent_cents=185000, metadata={"title": "Quiet room"}, **values)
    page = house.page("admin", "/admin/assignments")
    assert "FURNISHED FINDER · Quiet room" in page
    assert "FURNISHEDFINDER" not in page


def test_what_is_wrong_with_a_template_names_its_field(house: House) -> None:
    body = "Hi {{ first_name }}, see {{ unit }"
    answer = house.send("admin", "/admin/templates/new", name="greeting", body=body, locale="en-US")
    said = read(answer.text)
    assert "Text: nothing fills the placeholder {{ first_name }}" in said
    assert "Text: braces that are no placeholder" in said
    assert "the lead's name, as the platform gives it" in said


def test_an_invitation_says_what_an_address_is_like(house: House) -> None:
    form = {"do": "invite", "email": "nia", "firstName": "Nia", "lastName": "Okoro", "role": "agent"}
    said = read(house.send("admin", "/admin/users", **form).text)
    assert "Write an e-mail address, like name@example.com" in said


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/admin/release", ["Ask the gate", "looks at the rules below", "what shadow looks like now"]),
        ("/admin/platform", ["is left alone for a while", "Nothing is sent while the release is in shadow"]),
    ],
)
def test_what_is_known_here_alone_is_explained(house: House, path: str, told: list[str]) -> None:
    house.in_stage("shadow")
    said = read(house.page("admin", path))
    assert [one for one in told if one not in said] == []


def test_stopping_has_one_name(house: House) -> None:
    stop(house)
    stop(house, "roomies")
    for path in ("/admin/release", "/admin/platform", "/admin/today"):
        said = read(house.page("admin", path))
        assert not re.search("kill switch|every send", said, re.IGNORECASE), path

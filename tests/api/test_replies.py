"""Replies of people and drafts they review: queued, never sent here; once; nobody overwrites anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from leasebot_pipeline.storage.tables import accounts, conversations
from tests.api.house import SPAREROOM, House
from tests.storage import rows


def conversation(house: House, **values: Any) -> UUID:
    with house.rows() as conn:
        defaults = {"platform_account_id": SPAREROOM, "assigned_agent_id": house.dana, "lead_name": "Ann Lee"}
        each = rows.conversation(conn, **defaults | values)
        rows.message(conn, each)
        conn.execute(
            text("""UPDATE "Conversations" c SET newest_inbound_seq = (SELECT max(seq) FROM "Messages" m
                     WHERE m.conversation_id = c.id) WHERE id = :id"""),
            {"id": each},
        )
    return each


def draft(house: House, conversation: UUID, body: str = "Hi Ann, come by.", state: str = "draft") -> UUID:
    """A reply the bot prepared, waiting for approval."""
    with house.rows() as conn:
        message = rows.message(conn, conversation, "outbound", body=body, metadata={"reviewStatus": "draft"})
        answers = rows.value(
            conn,
            """SELECT id FROM "Messages" WHERE conversation_id = :id AND direction = 'inbound'""",
            id=conversation,
        )
        decided = rows.decision(conn, conversation, answers, platform_account_id=SPAREROOM, outcome="draft")
        rows.dispatch(
            conn,
            conversation,
            state=state,
            body=body,
            message_id=message,
            decision_id=decided,
            platform_account_id=SPAREROOM,
        )
    return message


def outbox(house: House, conversation: UUID) -> list[dict[str, Any]]:
    query = text('SELECT * FROM "OutboundDispatches" WHERE conversation_id = :id ORDER BY created_at, id')
    with house.database.engine.connect() as conn:
        return [dict(row) for row in conn.execute(query, {"id": conversation}).mappings()]


def reply(house: House, conversation: UUID, who: str = "admin", key: str | None = None, **body: Any) -> Any:
    headers = {"Idempotency_Key": key} if key else {}
    return house.ask(
        who, "POST", f"/api/inbox/{conversation}/draft", {"body": "Hello Ann", **body}, **headers
    )


def review(house: House, message: UUID, what: str, who: str = "admin", **headers: str) -> Any:
    return house.ask(who, "POST", f"/api/inbox/messages/{message}/{what}", **headers)


def test_a_persons_reply_is_queued_for_the_outbox(house: House) -> None:
    """Behaviour 27, with G-09 and G-70: sent only once its receipt is there."""
    each = conversation(house)
    answer = reply(house, each)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["status"], told["dispatched"], told["queued"], told["delivery"]) == (
        "draft",
        False,
        True,
        None,
    )
    [queued] = outbox(house, each)
    assert (queued["purpose"], queued["state"], queued["body"]) == ("manual_reply", "queued", "Hello Ann")
    assert str(queued["message_id"]) == told["id"]
    [audit] = house.audits("inbox_manual_reply_dispatched")
    assert (audit["actor_type"], audit["platform"]) == ("admin", "spareroom")
    assert audit["details"]["conversationId"] == str(each)
    assert "credentials" not in str(audit["details"])


def test_a_review_keeps_a_reply_as_a_draft(house: House) -> None:
    """Behaviours 24 and 26."""
    each = conversation(house)
    metadata = {"requiresAdminReview": True, "guardrails": ["x"], "riskLevel": "critical"}
    told = reply(house, each, metadata=metadata).json()
    reasons = ["explicit_admin_review", "guardrails_blocked", "risk_critical"]
    assert (told["queued"], told["requiresAdminReview"], told["guardrailReviewReasons"]) == (
        False,
        True,
        reasons,
    )
    [kept] = outbox(house, each)
    assert kept["state"] == "draft"
    [audit] = house.audits("inbox_draft_saved")
    assert audit["details"]["guardrailReviewReasons"] == reasons


def test_guardrails_look_at_a_persons_text_too(house: House) -> None:
    each = conversation(house)
    told = reply(house, each, body="My number is 123-45-6789").json()
    assert (told["queued"], told["guardrailReviewReasons"]) == (False, ["guardrails_blocked"])
    refused = review(house, UUID(told["id"]), "approve")
    assert (refused.status_code, refused.json()["error"]) == (409, "guardrails_blocked")
    shown = house.ask("agent", "POST", f"/api/inbox/{each}/check", {"body": "see www.example.com"}).json()
    assert shown["guardrails"] == ["outbound_contains_link"]


def test_a_person_names_the_rent_and_no_other_amount(house: House) -> None:
    with house.rows() as conn:
        listed = {"unit_id": house.unit, "platform_account_id": SPAREROOM, "rent_cents": 287_500}
        listing = rows.add(conn, accounts.listings, **listed)
    each = conversation(house, listing_id=listing)
    assert reply(house, each, body="The rent is $2,875 per month.").json()["queued"] is True
    told = reply(house, each, body="The rent is $2,800 per month.").json()
    assert (told["queued"], told["guardrailReviewReasons"]) == (False, ["guardrails_blocked"])
    changed = house.ask("admin", "PUT", f"/api/inbox/messages/{told['id']}", {"body": "It is 2875 dollars."})
    assert changed.status_code == 200, changed.text
    assert review(house, UUID(told["id"]), "approve").status_code == 200
    elsewhere = conversation(house)
    assert reply(house, elsewhere, body="The rent is $2,875.").json()["queued"] is False


def test_a_reply_is_saved_without_being_sent(house: House) -> None:
    each = conversation(house)
    assert reply(house, each, dispatchNow=False).json()["queued"] is False
    assert [row["state"] for row in outbox(house, each)] == ["draft"]


def test_a_template_is_filled(house: House) -> None:
    with house.rows() as conn:
        template = rows.add(conn, conversations.templates, name="t", body="Hi {{ lead_name }}, {{ room }}!")
    each = conversation(house)
    answer = reply(house, each, body=None, templateId=str(template), variables={"room": "the loft"})
    assert answer.status_code == 201
    assert outbox(house, each)[0]["body"] == "Hi Ann Lee, the loft!"
    for values in (
        {"body": None, "templateId": str(template)},
        {"templateId": str(uuid4())},
        {"templateId": "x"},
        {"body": "  "},
        {"variables": 5},
    ):
        assert reply(house, each, **values).status_code == 400


def test_the_same_key_writes_one_reply(house: House) -> None:
    each = conversation(house)
    first, again = (reply(house, each, key="key-0001") for _ in range(2))
    assert first.json() == again.json()
    assert len(outbox(house, each)) == 1
    other = reply(house, each, key="key-0001", body="Something else")
    assert (other.status_code, other.json()["error"]) == (409, "idempotency_conflict")
    assert reply(house, each, "agent", key="key-0001").json()["id"] != first.json()["id"], (
        "keys are one's own"
    )


def test_a_persons_reply_replaces_the_bots(house: House) -> None:
    each = conversation(house)
    prepared = draft(house, each)
    reply(house, each)
    states = {row["purpose"]: (row["state"], row["error_code"]) for row in outbox(house, each)}
    assert states["decision"] == ("cancelled", "superseded_by_person")
    assert review(house, prepared, "approve").json()["error"] == "superseded"
    with house.rows() as conn:
        query = 'SELECT newest_inbound_seq <= handled_through_seq FROM "Conversations" WHERE id = :id'
        assert rows.value(conn, query, id=each), "the bot does not answer the same message once more"


@pytest.mark.parametrize("state", ["draft", "queued"])
def test_a_kept_draft_of_a_person_replaces_the_bots_once_approved(house: House, state: str) -> None:
    """Kept, it takes nothing away; approved, the lead gets one answer, not two."""
    each = conversation(house)
    prepared = draft(house, each, state=state)
    kept = UUID(reply(house, each, dispatchNow=False).json()["id"])
    assert {row["purpose"]: row["state"] for row in outbox(house, each)}["decision"] == state
    assert review(house, kept, "approve").status_code == 200
    states = {row["purpose"]: (row["state"], row["error_code"]) for row in outbox(house, each)}
    assert states == {"decision": ("cancelled", "superseded_by_person"), "manual_reply": ("queued", None)}
    assert review(house, prepared, "approve").json()["error"] == "superseded"
    with house.rows() as conn:
        query = 'SELECT newest_inbound_seq <= handled_through_seq FROM "Conversations" WHERE id = :id'
        assert rows.value(conn, query, id=each), "the bot does not answer the same message once more"


def test_in_shadow_replies_stay_drafts_and_the_bots_are_not_withdrawn(house: House) -> None:
    """Nothing goes out: neither answer nor page says it does, and no draft is lost for it."""
    each = conversation(house)
    prepared = draft(house, each)
    house.in_stage("shadow")
    told = reply(house, each).json()
    assert (told["queued"], told["requiresAdminReview"], told["keptBecause"]) == (
        False,
        False,
        "release_shadow",
    )
    for message in (UUID(told["id"]), prepared):
        done = review(house, message, "approve")
        assert (done.status_code, done.json()["dispatchState"], done.json()["keptBecause"]) == (
            200,
            "draft",
            "release_shadow",
        )
    assert {row["purpose"]: row["state"] for row in outbox(house, each)} == {
        "decision": "draft",
        "manual_reply": "draft",
    }
    place = f"/admin/inbox/{each}"
    assert "nothing is sent" in house.page("admin", place)
    shown = house.ask("admin", "GET", f"/api/inbox/{each}").json()["messages"]
    version = next(message["version"] for message in shown if message["id"] == str(prepared))
    approval = {"act": "approve", "version": version}
    for path, form in (("reply", {"body": "Hello"}), (f"drafts/{prepared}", approval)):
        assert "Not sent" in house.notice(house.send("admin", f"{place}/{path}", **form))
    house.in_stage("full")
    assert review(house, prepared, "approve").json()["dispatchState"] == "queued"


@pytest.mark.parametrize(
    ("stops", "said", "delivery"),
    [
        (
            """INSERT INTO "KillSwitches" (target, scope, platform, reason, actor_type)
               VALUES ('platform:spareroom', 'platform', 'spareroom', 'strange replies', 'admin')""",
            "Sending on SpareRoom is stopped",
            "Waits: sending is stopped",
        ),
        (
            f"""UPDATE "AccountRuntime" SET stop_code = 'CAPTCHA_REQUIRED', stopped_at = now()
                 WHERE platform_account_id = '{SPAREROOM}'""",
            "This account has stopped",
            "Queued: waits until sending goes on",
        ),
    ],
    ids=["kill switch", "stopped account"],
)
def test_what_can_not_go_out_now_is_not_said_to_be_on_its_way(
    house: House, stops: str, said: str, delivery: str
) -> None:
    each = conversation(house)
    prepared = draft(house, each)
    with house.rows() as conn:
        conn.execute(text(stops))
    place = f"/agent/inbox/{each}"
    shown = house.ask("agent", "GET", f"/api/inbox/{each}").json()["messages"]
    version = next(message["version"] for message in shown if message["id"] == str(prepared))
    for path, form in (
        (f"drafts/{prepared}", {"act": "approve", "version": version}),
        ("reply", {"body": "Hello"}),
    ):
        told = house.notice(house.send("agent", f"{place}/{path}", **form))
        assert said in told
        assert "on its way" not in told
    page = house.page("agent", place)
    assert said in page
    assert delivery in page
    assert "goes out as soon as" not in page


def test_an_inactive_account_sends_nothing(house: House) -> None:
    each = conversation(house)
    prepared = draft(house, each)
    with house.rows() as conn:
        conn.execute(
            text('UPDATE "PlatformAccounts" SET is_active = false WHERE id = :id'), {"id": SPAREROOM}
        )
    assert reply(house, each).json()["error"] == "platform_inactive"
    assert review(house, prepared, "approve").json()["error"] == "account_inactive"


def test_an_approved_draft_is_queued_once(house: House) -> None:
    """Behaviour 146, G-09."""
    each = conversation(house)
    prepared = draft(house, each)
    answer = review(house, prepared, "approve", "agent")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["updated"], answer.json()["dispatchState"]) == (True, "queued")
    [queued] = outbox(house, each)
    assert (queued["state"], queued["purpose"]) == ("queued", "approved_draft")
    assert review(house, prepared, "approve").json()["error"] == "already_approved"
    [audit] = house.audits("inbox_message_approved")
    assert (audit["actor_type"], audit["conversation_id"]) == ("agent", each)


def test_a_draft_that_was_overtaken_is_not_approved(house: House) -> None:
    each = conversation(house)
    prepared = draft(house, each)
    with house.rows() as conn:
        conn.execute(
            text('UPDATE "Conversations" SET newest_inbound_seq = newest_inbound_seq + 100 WHERE id = :id'),
            {"id": each},
        )
    assert review(house, prepared, "approve").json()["error"] == "superseded"


def test_a_rejected_draft_waits_and_can_still_be_approved(house: House) -> None:
    each = conversation(house)
    prepared = draft(house, each)
    assert review(house, prepared, "reject").json()["status"] == "hold"
    assert outbox(house, each)[0]["state"] == "held"
    assert house.ask("admin", "GET", "/api/inbox?status=hold").json()["items"][0]["id"] == str(each)
    assert review(house, prepared, "approve").status_code == 200
    assert outbox(house, each)[0]["state"] == "queued"


def test_a_reply_in_doubt_is_not_rejected_any_more(house: House) -> None:
    each = conversation(house)
    prepared = draft(house, each, state="unknown")
    answer = review(house, prepared, "reject")
    assert (answer.status_code, answer.json()["error"]) == (409, "already_approved")
    assert outbox(house, each)[0]["state"] == "unknown"
    assert house.audits("inbox_message_rejected") == []


def test_two_people_do_not_overwrite_each_other(house: House) -> None:
    each = conversation(house)
    prepared = draft(house, each)
    shown = house.ask("admin", "GET", f"/api/inbox/{each}").json()["messages"]
    version = next(message["version"] for message in shown if message["id"] == str(prepared))
    address = f"/api/inbox/messages/{prepared}"
    edited = house.ask("admin", "PUT", address, {"body": "Hi Ann, come by at noon."}, if_match=version)
    assert edited.status_code == 200
    assert outbox(house, each)[0]["body"] == "Hi Ann, come by at noon."
    assert house.ask("agent", "PUT", address, {"body": "Mine"}, if_match=version).status_code == 412
    assert review(house, prepared, "approve", if_match=version).status_code == 412
    assert review(house, prepared, "approve", if_match=edited.headers["etag"]).status_code == 200
    assert house.ask("admin", "PUT", address, {"body": "Too late"}).json()["error"] == "not_a_draft"
    assert house.ask("admin", "PUT", address, {"body": ""}).status_code == 400
    assert len(house.audits("inbox_message_edited")) == 1


def test_only_who_is_in_charge_reviews_and_replies(house: House) -> None:
    foreign = conversation(house, assigned_agent_id=house.marco)
    prepared = draft(house, foreign)
    for what in ("approve", "reject"):
        assert review(house, prepared, what, "agent").status_code == 404
        assert review(house, prepared, what, "stranger").status_code == 401
        assert review(house, uuid4(), what).status_code == 404
    assert reply(house, foreign, "agent").status_code == 404
    assert reply(house, uuid4()).status_code == 404
    assert house.ask("agent", "PUT", f"/api/inbox/messages/{prepared}", {"body": "x"}).status_code == 404
    assert house.ask("agent", "POST", f"/api/inbox/{foreign}/sync").status_code == 404
    with house.rows() as conn:
        inbound = rows.message(conn, foreign)
    assert review(house, inbound, "approve").status_code == 404


def test_a_thread_is_asked_for_not_read(house: House) -> None:
    """G-70."""
    each = conversation(house, external_thread_id="t9")
    told = house.ask("agent", "POST", f"/api/inbox/{each}/sync").json()
    assert (told["sync"]["synced"], told["sync"]["reason"]) == (False, "not_in_inbox")
    with house.rows() as conn:
        values = {"fingerprint": "f", "read_fingerprint": "f", "sort_rank": 1, "read_at": house.clock()}
        key = {"platform_account_id": SPAREROOM, "external_thread_id": "t9"}
        rows.add(conn, conversations.inbox_threads, **key, **values)
    house.clock.forward(timedelta(minutes=1))
    told = house.ask("agent", "POST", f"/api/inbox/{each}/sync").json()
    assert told["sync"] == {"synced": False, "reason": "queued", "lastReadAt": "2026-03-02T12:00:00.000Z"}
    assert told["conversation"]["id"] == str(each)
    with house.rows() as conn:
        assert rows.value(conn, 'SELECT read_fingerprint IS NULL FROM "InboxThreads"')


@pytest.mark.parametrize("action", ["retry", "discard", "mark-sent"])
def test_a_dead_letter_is_retried_discarded_or_marked(house: House, action: str) -> None:
    each = conversation(house)
    draft(house, each, state="dead_letter")
    [dead] = house.ask("admin", "GET", "/api/admin/outbox?state=dead_letter").json()["items"]
    address = f"/api/admin/outbox/{dead['id']}/{action}"
    done = house.ask("admin", "POST", address, {"reason": "looked at the thread"})
    assert done.status_code == 200, done.text
    expected = {"retry": "queued", "discard": "cancelled", "mark-sent": "sent"}[action]
    assert (done.json()["previousState"], done.json()["state"]) == ("dead_letter", expected)
    refused = house.ask("admin", "POST", address, {})
    assert (refused.status_code, refused.json()["error"]) == (409, "invalid_transition")


def test_in_shadow_a_reply_given_up_is_not_said_to_be_queued_again(house: House) -> None:
    """The next sweep would take it out of the queue: it stays given up, and whoever wants it sent is told why."""
    each, dead = unsettled(house, "dead_letter")
    house.in_stage("shadow")
    for who, address in (
        ("admin", f"/api/admin/outbox/{dead}/retry"),
        ("agent", f"/api/inbox/{each}/replies/{dead}/retry"),
    ):
        done = house.ask(who, "POST", address, {})
        assert (done.status_code, done.json()["state"], done.json()["keptBecause"]) == (
            200,
            "dead_letter",
            "release_shadow",
        )
    told = house.notice(house.send("agent", f"/agent/inbox/{each}/replies/{dead}", act="retry"))
    assert "Not sent: the release is in shadow" in told
    assert [row["state"] for row in outbox(house, each)] == ["dead_letter"]
    audited = house.audits("platform_dispatch_retried")
    assert [(row["details"]["nextState"], row["details"]["keptBecause"]) for row in audited] == [
        ("dead_letter", "release_shadow")
    ] * 3
    house.in_stage("full")
    done = house.ask("agent", "POST", f"/api/inbox/{each}/replies/{dead}/retry", {}).json()
    assert (done["state"], done["keptBecause"]) == ("queued", None)


def test_operations_are_for_administrators(house: House) -> None:
    dispatch = uuid4()
    for method, path in (
        ("GET", "/api/admin/outbox"),
        ("POST", f"/api/admin/outbox/{dispatch}/retry"),
        ("GET", "/api/admin/kill-switches"),
        ("POST", "/api/admin/kill-switches"),
        ("DELETE", "/api/admin/kill-switches/global"),
        ("POST", f"/api/admin/platform-accounts/{SPAREROOM}/resume"),
        ("POST", f"/api/admin/platform-accounts/{SPAREROOM}/reset-circuits"),
        ("GET", "/api/admin/incidents"),
    ):
        assert house.ask("agent", method, path, {}).status_code == 403
        assert house.ask("stranger", method, path, {}).status_code == 401
    assert house.ask("admin", "POST", f"/api/admin/outbox/{dispatch}/retry", {}).status_code == 404
    assert house.ask("admin", "POST", f"/api/admin/outbox/{dispatch}/shred", {}).status_code == 400
    assert house.ask("admin", "GET", "/api/admin/outbox?state=sent").status_code == 400


def test_a_kill_switch_is_engaged_and_lifted(house: House) -> None:
    address = "/api/admin/kill-switches"
    body = {"target": "roomies", "reason": "strange replies"}
    assert house.ask("admin", "POST", address, body).json() == {"target": "platform:roomies", "engaged": True}
    assert house.ask("admin", "POST", address, body).json()["engaged"] is False
    [switch] = house.ask("admin", "GET", address).json()["items"]
    assert (switch["scope"], switch["platform"], switch["reason"]) == (
        "platform",
        "roomies",
        "strange replies",
    )
    for faulty in (
        {"target": "zillow", "reason": "xyz"},
        {"target": str(uuid4()), "reason": "xyz"},
        {"target": "global"},
    ):
        assert house.ask("admin", "POST", address, faulty).status_code == 400
    assert house.ask("admin", "DELETE", f"{address}/platform:roomies").json()["lifted"] is True
    assert house.ask("admin", "DELETE", f"{address}/platform:roomies").status_code == 404
    assert len(house.audits("kill_switch_engaged")) == len(house.audits("kill_switch_lifted")) == 1


def test_a_stopped_account_goes_on(house: House) -> None:
    with house.rows() as conn:
        conn.execute(
            text("""UPDATE "AccountRuntime" SET stop_code = 'CAPTCHA_REQUIRED', stop_reason = 'captcha',
                      stopped_at = :now WHERE platform_account_id = :id"""),
            {"now": house.clock(), "id": SPAREROOM},
        )
    address = f"/api/admin/platform-accounts/{SPAREROOM}/resume"
    health = {
        h["platform"]: h for h in house.ask("admin", "GET", "/api/admin/platform-health").json()["items"]
    }
    assert (health["spareroom"]["health"], health["spareroom"]["stopCode"]) == (
        "degraded",
        "CAPTCHA_REQUIRED",
    )
    assert house.ask("admin", "POST", address).json() == {"id": str(SPAREROOM), "changed": True}
    assert house.ask("admin", "POST", address).json()["changed"] is False
    assert house.ask("admin", "POST", f"/api/admin/platform-accounts/{uuid4()}/resume").status_code == 404
    assert len(house.audits("platform_account_resumed")) == 1


def unsettled(house: House, state: str, **values: Any) -> tuple[UUID, UUID]:
    """A conversation and its one reply."""
    each = conversation(house, **values)
    draft(house, each, state=state)
    return each, outbox(house, each)[0]["id"]


@pytest.mark.parametrize(
    ("state", "action", "status", "after"),
    [
        ("dead_letter", "retry", 200, "queued"),
        ("dead_letter", "discard", 200, "cancelled"),
        ("unknown", "mark-sent", 200, "sent"),
        ("unknown", "discard", 200, "cancelled"),
        ("unknown", "retry", 409, "unknown"),
        ("held", "retry", 409, "held"),
        ("draft", "discard", 409, "draft"),
        ("queued", "cancel", 400, "queued"),
    ],
)
def test_an_agent_settles_what_became_of_its_own_replies(
    house: House, state: str, action: str, status: int, after: str
) -> None:
    """What is neither given up nor in doubt is no matter of it: what was held back stays so."""
    each, reply_id = unsettled(house, state)
    assert (
        house.ask("agent", "POST", f"/api/inbox/{each}/replies/{reply_id}/{action}", {}).status_code == status
    )
    assert outbox(house, each)[0]["state"] == after


def test_nobody_settles_replies_of_others(house: House) -> None:
    mine, my_reply = unsettled(house, "dead_letter")
    theirs, their_reply = unsettled(house, "dead_letter", assigned_agent_id=house.marco)
    for path in (
        f"{theirs}/replies/{their_reply}",
        f"{mine}/replies/{their_reply}",
        f"{mine}/replies/{uuid4()}",
    ):
        assert house.ask("agent", "POST", f"/api/inbox/{path}/retry", {}).status_code == 404
    assert house.ask("stranger", "POST", f"/api/inbox/{mine}/replies/{my_reply}/retry", {}).status_code == 401
    assert outbox(house, theirs)[0]["state"] == "dead_letter"

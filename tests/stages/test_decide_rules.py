"""What an account's automation rules ask for, read from the database, and the version of the rules kept."""

from __future__ import annotations

from leasebot_pipeline.domain.intents_rulebook import RULES_VERSION
from tests.stages.conftest import Office

TOUR = "Hi! Could I come and see the room this week?"


def test_a_rule_of_an_account_may_ask_for_more_certainty(office: Office) -> None:
    """Behaviour 84, per account and intent."""
    office.run(
        """INSERT INTO "AutomationRules" (platform_account_id, name, trigger_type, conditions, action_type, action_config)
           SELECT a.id, 'sure', 'message_received', r.conditions || '{"minConfidence": 0.99}', r.action_type, r.action_config
             FROM "AutomationRules" r CROSS JOIN "PlatformAccounts" a
            WHERE r.conditions ->> 'intent' = 'tour_request' AND r.platform_account_id IS NULL"""
    )
    office.lead_writes("t1", TOUR)
    office.lead_writes("t2", "Is it still available?")
    office.work()
    decided = office.rows('SELECT intent, outcome, reason FROM "Decisions" ORDER BY intent')
    assert decided == [
        ("availability_question", "send", "policy_send_allowed"),
        ("tour_request", "escalate", "escalate_low_confidence_human_required"),
    ]


def test_a_rule_may_keep_its_intent_to_drafts(office: Office) -> None:
    office.run(
        """UPDATE "AutomationRules" SET action_config = action_config || '{"sendMode": "draft_only"}'
            WHERE conditions ->> 'intent' = 'tour_request'"""
    )
    office.lead_writes("t1", TOUR)
    office.lead_writes("t2", "Is it still available?")
    result = office.work()
    assert (result.drafted, result.queued) == (1, 1)


def test_a_decision_names_its_rules_and_the_words_it_rests_on(office: Office) -> None:
    office.lead_writes("t1", TOUR)
    office.work()
    ((version, evidence),) = office.rows('SELECT rules_version, evidence FROM "Decisions"')
    assert version == RULES_VERSION
    assert "tour_asked" in str(evidence)
    assert "see the room" in str(evidence)

"""What each action of the audit is called, and the actions a person's words mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

AUDIT_WORDS: Final[Mapping[str, str]] = {
    "agent_login_linked": "Login linked to an agent",
    "agent_removed": "Agent removed",
    "agent_timezone_changed": "Time zone changed",
    "ai_model_circuit_closed": "Language model is asked again",
    "ai_model_circuit_opened": "Language model is given a rest",
    "ai_reply_created": "Bot wrote a reply",
    "ai_reply_decision": "Bot decided",
    "ai_reply_dispatch_escalated": "Reply given to a person instead of sent",
    "ai_reply_draft_created": "Bot wrote a draft",
    "ai_reply_error": "Bot failed",
    "ai_reply_escalated": "Bot handed over to a person",
    "ai_reply_human_required_queued": "Queued for a person",
    "ai_reply_skipped": "Bot wrote no reply",
    "api_error": "A request failed",
    "audit_exported": "Audit taken away as a file",
    "automation_rule_created": "Rule added",
    "automation_rule_deleted": "Rule removed",
    "automation_rule_updated": "Rule changed",
    "calendar_feed_created": "Calendar link made",
    "calendar_feed_revoked": "Calendar link ended",
    "conversation_assigned": "Given to an agent",
    "conversation_handed_back": "Handed back to the bot",
    "conversation_note_added": "Note added",
    "conversation_note_removed": "Note removed",
    "conversation_snoozed": "Put aside",
    "conversation_taken_over": "Taken over by a person",
    "conversation_woken": "Brought back",
    "follow_up_policy_updated": "Follow-up rules changed",
    "follow_up_planned": "Follow-up planned",
    "follow_up_sent": "Follow-up sent",
    "follow_up_stopped": "Follow-up called off",
    "inbound_message_edited": "Lead changed a message",
    "inbox_draft_error": "Draft could not be kept",
    "inbox_draft_saved": "Draft kept",
    "inbox_manual_reply_dispatched": "A person's reply queued",
    "inbox_message_approved": "Reply approved",
    "inbox_message_edited": "Draft changed",
    "inbox_message_error": "A person's step failed",
    "inbox_message_rejected": "Reply rejected",
    "ingest_conversation_linkage_resolved": "Linked to a listing",
    "ingest_conversation_linkage_unresolved": "No listing found",
    "ingest_event_quarantined": "Message could not be taken in",
    "kill_switch_engaged": "Sending stopped",
    "kill_switch_lifted": "Sending resumed",
    "lead_data_erased": "Lead's data erased",
    "lead_data_exported": "Lead's data taken away as a file",
    "lead_opt_out_lifted": "Lead may be written to again",
    "lead_opted_out": "Lead wants no more messages",
    "message_automation_switched": "An account's own rules switched",
    "platform_account_resumed": "Account visited again",
    "platform_account_stopped": "Account stopped",
    "platform_alert_failed": "Alert could not be told",
    "platform_alert_recovery_sent": "Told that it is over",
    "platform_alert_sent": "Alert told",
    "platform_circuit_closed": "Circuit closed",
    "platform_circuit_opened": "Account rests after failures",
    "platform_circuit_reset": "Circuit closed by hand",
    "platform_dispatch_cancelled": "Reply withdrawn",
    "platform_dispatch_demoted": "Reply became a draft",
    "platform_dispatch_dlq": "Sending given up",
    "platform_dispatch_error": "Sending failed",
    "platform_dispatch_held": "Reply held",
    "platform_dispatch_marked_sent": "Reply marked as arrived",
    "platform_dispatch_requeued": "Reply queued again",
    "platform_dispatch_sent": "Reply sent",
    "platform_dispatch_superseded": "Reply withdrawn, overtaken",
    "platform_dispatch_unknown": "Delivery in doubt",
    "platform_page_changed": "A platform's page changed",
    "platform_policy_updated": "Account's settings changed",
    "platform_send_cap_reached": "The day's cap is reached",
    "release_evidence_recorded": "Results of a release gate kept",
    "release_gate_checked": "Gate asked",
    "release_promoted": "Release promoted",
    "release_rolled_back": "Release rolled back",
    "release_started": "Release started",
    "rpa_circuit_closed": "Circuit closed",
    "rpa_circuit_opened": "Account rests after failures",
    "rpa_retry_scheduled": "Visit tried again",
    "rpa_session_refresh_requested": "Session needs renewing",
    "showing_booking_conflict": "Time was taken meanwhile",
    "showing_booking_created": "Showing booked",
    "showing_booking_failed": "Booking failed",
    "showing_booking_idempotency_conflict": "Booking refused, sent twice with different contents",
    "showing_booking_replayed": "Booking sent twice, made once",
    "showing_reminder_stopped": "Reminder called off",
    "showing_rescheduled": "Showing moved",
    "showing_slot_held": "Time reserved",
    "showing_workflow_outcome_synced": "Showing follows the conversation",
    "slot_offers_changed": "Offered times changed",
    "unit_assignment_changed": "Unit's agent changed",
    "user_invitation_accepted": "Invitation accepted",
    "user_invitation_revoked": "Invitation revoked",
    "user_invited": "Somebody invited",
    "workflow_no_reply_recovered": "Lead wrote again",
    "workflow_state_transitioned": "State changed",
}
"""All others are shown with blanks for underscores."""


def meant(asked: str, shown: Mapping[str, str]) -> tuple[str, ...]:
    """The actions somebody's words mean: exactly one by its code, else those whose words, or whose code, hold each of them.

    ``shown`` are the words of each action there is.
    """
    wanted = asked.casefold()
    if wanted.replace(" ", "_") in shown:
        return (wanted.replace(" ", "_"),)
    parts = wanted.replace("_", " ").split()
    return tuple(action for action, said in shown.items() if _holds(said, parts) or _holds(action, parts))


def _holds(text: str, parts: Iterable[str]) -> bool:
    plain = text.casefold().replace("_", " ")
    return all(part in plain for part in parts)

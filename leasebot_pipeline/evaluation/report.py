"""The figures as one JSON object, with the documented keys."""

from __future__ import annotations

from collections.abc import Sequence

from leasebot_pipeline.evaluation.intervals import rounded
from leasebot_pipeline.evaluation.metrics import Classes, Figures, measure
from leasebot_pipeline.evaluation.running import JudgedCase
from leasebot_pipeline.evaluation.slot_labels import slot_label


def as_json(judged: Sequence[JudgedCase], figures: Figures | None = None) -> dict[str, object]:
    """The report. No text of a case is in it except the words the evidence quotes."""
    figures = figures or measure(judged)
    return {
        "n": figures.n,
        "rulesVersion": judged[0].verdict.rules_version if judged else None,
        "dangerous": {
            **figures.dangerous.as_json(),
            "byReason": {reason: share.count for reason, share in figures.dangerous_by_reason.items()},
            "ofByReason": {reason: share.of for reason, share in figures.dangerous_by_reason.items()},
        },
        "lost": figures.lost.as_json(),
        "slow": figures.slow.as_json(),
        "intent": _classes(figures.intent),
        "intents": {"exact": rounded(figures.intents.rate), "of": figures.intents.of},
        "outcome": _classes(figures.outcome),
        "followUp": _classes(figures.follow_up),
        "slots": {
            "picked": figures.slots.picked,
            "right": figures.slots.right,
            "expected": figures.slots.expected,
        },
        "pairs": {"count": figures.pairs.of, "unlike": list(figures.unlike_pairs)},
        "byTag": {
            tag: {
                "n": tagged.n,
                "dangerous": tagged.dangerous.as_json(),
                "slow": tagged.slow.as_json(),
                "intentAccuracy": rounded(tagged.intent.rate),
            }
            for tag, tagged in figures.by_tag.items()
        },
        "cases": [case_as_json(item) for item in judged],
    }


def case_as_json(item: JudgedCase) -> dict[str, object]:
    """One case: what was decided, why, and how it differs from its label."""
    verdict, outcome, case = item.verdict, item.outcome, item.case
    return {
        "id": case.id,
        "settled": item.settled.value,
        "mistake": item.mistake.value if item.mistake else None,
        "verdict": {
            "outcome": outcome.outcome,
            "reason": outcome.reason,
            "reasons": list(outcome.reasons),
            "intent": verdict.intent.value,
            "intents": [intent.value for intent in verdict.intents],
            "effectiveIntent": verdict.effective_intent.value,
            "followUp": verdict.follow_up,
            "workflowOutcome": verdict.workflow_outcome.value,
            "confidence": verdict.confidence,
            "riskLevel": verdict.risk_level.value,
            "guardrails": list(verdict.guardrails),
            "selectedSlotIndex": verdict.selected_slot_index,
            "selectedSlot": slot_label(item.picked),
            "slotsOffered": [slot_label(slot) for slot in outcome.slots_offered],
        },
        "label": {
            "autoOk": case.auto_ok,
            "holdReason": list(case.hold_reason) if case.hold_reason else None,
            "intent": case.intent.value if case.intent else None,
            "workflowOutcome": case.workflow_outcome.value if case.workflow_outcome else None,
            "selectedSlot": slot_label(case.expected_slot),
            "followUp": case.follow_up,
        },
        "tags": list(case.tags),
        "evidence": [evidence.as_details() for evidence in verdict.evidence],
    }


def _classes(classes: Classes) -> dict[str, object]:
    return {
        "accuracy": rounded(classes.right.rate),
        "of": classes.right.of,
        "macroF1": rounded(classes.macro_f1),
        "perClass": {
            name: {
                "precision": rounded(figures.precision),
                "recall": rounded(figures.recall),
                "f1": rounded(figures.f1),
                "labelled": figures.labelled,
                "decided": figures.decided,
            }
            for name, figures in classes.per_class.items()
        },
        "confusion": [
            {"label": label, "decided": decided, "count": count}
            for (label, decided), count in classes.confusion.items()
        ],
    }

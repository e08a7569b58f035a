"""What pages say in words a newcomer knows, where codes stood or one word meant two things."""

from __future__ import annotations

import re

from sqlalchemy import text

from tests.api.house import House
from tests.console.day_inbox import decide, draft, lead, mark
from tests.console.test_stopped_sends import advert, read


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

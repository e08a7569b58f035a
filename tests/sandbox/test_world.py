"""Leads over time, and what survives when the sandbox is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2 as httpx
import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import scripts
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.journal import Journal, JournalError
from leasebot_pipeline.sandbox.server import SandboxError, base_urls, bind, control_url
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.sandbox.world import Lead, World
from tests.sandbox.conftest import OFFER


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Play:
    """A world whose time is moved by the test."""

    def __init__(self, folder: Path, time_scale: float = 1.0) -> None:
        self.clock = Hands()
        self.folder = folder
        self.scale = time_scale
        self.world = self._open()

    def _open(self) -> World:
        return World(Journal(self.folder / "journal.jsonl"), self.clock, time_scale=self.scale)

    def reopened(self) -> World:
        return self._open()

    def pass_time(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)
        self.world.advance()

    def add(self, **fields: object) -> Lead:
        script = {"id": "t", "platform": "leasebreak", "name": "Sam", "messages": ["Hi"], **fields}
        return self.world.add_leads([scripts.parse_script(script, "test")])[0]

    def said(self, lead: Lead) -> list[str]:
        return [message.body for message in lead.messages if not message.outbound]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_a_burst_is_written_message_by_message(play: Play) -> None:
    lead = play.add(messages=["Hi", {"text": "Still there?", "after": 10}])
    play.pass_time(0)
    assert play.said(lead) == ["Hi"]
    assert lead.status == "writing"
    play.pass_time(9)
    assert play.said(lead) == ["Hi"]
    play.pass_time(1)
    assert play.said(lead) == ["Hi", "Still there?"]
    assert lead.status == "waiting"


def test_an_offer_is_picked_confirmed_and_thanked_for(play: Play) -> None:
    lead = play.add(
        reactions=[
            {"when": "offered", "do": "pick", "pick": 2, "say": "{day} at {time}", "after": 5},
            {"when": "confirmed", "do": "thank", "say": "Great!"},
        ]
    )
    play.pass_time(0)
    play.world.reply(lead.platform, lead.thread, OFFER)
    play.pass_time(5)
    assert play.said(lead)[-1] == "Sat, Nov 28 at 12:30 PM"
    play.world.reply(lead.platform, lead.thread, "You are all set, see you on Saturday.")
    play.pass_time(5)
    assert play.said(lead)[-1] == "Great!"
    assert lead.status == "finished"
    play.world.reply(lead.platform, lead.thread, OFFER)
    play.pass_time(60)
    assert play.said(lead)[-1] == "Great!", "after its last words a lead says nothing"


def test_a_lead_without_an_answer_nudges_gives_up_and_still_reacts_later(play: Play) -> None:
    lead = play.add(
        nudges=["Any update?"], patience=30, reactions=[{"when": "offered", "do": "pick", "pick": 1}]
    )
    play.pass_time(0)
    play.pass_time(30)
    assert play.said(lead) == ["Hi", "Any update?"]
    assert lead.status == "waiting"
    play.pass_time(30)
    assert lead.status == "silent"
    assert play.world.next_due() is None
    play.world.reply(lead.platform, lead.thread, OFFER)
    play.pass_time(10)
    assert len(play.said(lead)) == 3


def test_a_second_answer_while_the_lead_writes_sets_off_nothing_more(play: Play) -> None:
    lead = play.add(reactions=[{"when": "offered", "do": "pick", "times": 5}])
    play.pass_time(0)
    play.world.reply(lead.platform, lead.thread, OFFER)
    play.world.reply(lead.platform, lead.thread, OFFER)
    play.pass_time(10)
    assert len(play.said(lead)) == 2
    assert len(lead.received) == 2


def test_a_lead_never_writes_more_often_than_its_script_allows(play: Play) -> None:
    lead = play.add(reactions=[{"do": "ask", "times": 20}], nudges=["Hello?"] * 3, max_turns=3)
    play.pass_time(0)
    for _ in range(8):
        play.world.reply(lead.platform, lead.thread, "Thanks for asking.")
        play.pass_time(100)
    assert len(play.said(lead)) == 1 + 3


def test_time_scale_shortens_every_wait(tmp_path: Path) -> None:
    play = Play(tmp_path, time_scale=0.1)
    lead = play.add(messages=["Hi", {"text": "Me again", "after": 10}], nudges=["Hello?"], patience=50)
    play.pass_time(0)
    play.pass_time(1)
    assert len(lead.messages) == 2
    play.pass_time(5)
    assert len(lead.messages) == 3


def test_an_old_conversation_lies_in_the_past(play: Play) -> None:
    old = play.add(age=3 * 86400, messages=["Hi", {"text": "On it.", "by": "us", "after": 60}])
    fresh = play.add(id="fresh")
    play.pass_time(0)
    assert [play.clock.now - m.at for m in old.messages] == [timedelta(days=3), timedelta(days=3, minutes=-1)]
    assert old.received == [], "what the script put there is no answer of a bot"
    assert [x.number for x in play.world.inbox(Platform.LEASEBREAK, by_inbound=False)] == [
        fresh.number,
        old.number,
    ]


def test_a_restarted_world_goes_on_where_it_was(play: Play) -> None:
    lead = play.add(
        messages=["Hi", {"text": "Still there?", "after": 10}],
        nudges=["Any update?"],
        reactions=[{"when": "offered", "do": "pick", "after": 20}],
    )
    play.pass_time(0)
    play.pass_time(10)
    play.world.reply(lead.platform, lead.thread, OFFER)
    before = play.world.leads()
    again = play.reopened()
    assert again.leads() == before
    play.clock.now += timedelta(seconds=20)
    again.advance()
    found = again.lead(lead.number)
    assert found is not None
    assert len(found.messages) == 4
    assert found.messages[-1].number == 4


def test_a_line_cut_short_by_a_death_is_dropped_and_any_other_damage_is_told(play: Play) -> None:
    play.add()
    play.pass_time(0)
    path = play.folder / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"message","le')
    assert len(play.reopened().leads()[0].messages) == 1
    assert path.read_bytes() == whole
    path.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(JournalError, match="line 1"):
        play.reopened()


def test_leads_are_dealt_out_evenly_and_always_the_same_way(tmp_path: Path) -> None:
    outcomes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        world = Play(tmp_path / name).world
        leads = world.add_leads(scripts.builtin())
        outcomes.append([(x.platform, x.thread, x.advert.external_id if x.advert else None) for x in leads])
    assert outcomes[0] == outcomes[1]
    counts = Counter(platform for platform, *_ in outcomes[0])
    assert max(counts.values()) < 1.5 * min(counts.values())
    assert len({(platform, thread) for platform, thread, _ in outcomes[0]}) == len(outcomes[0])


def test_every_shipped_inquiry_comes_to_rest(play: Play) -> None:
    leads = play.world.add_leads(scripts.builtin())
    for turn in range(40):
        due = play.world.next_due()
        if due is None:
            break
        play.clock.now = max(play.clock.now, due)
        play.world.advance()
        for lead in leads:
            if turn % 3 == 0 and lead.status == "waiting" and lead.number % 2:
                play.world.reply(lead.platform, lead.thread, OFFER)
    while (due := play.world.next_due()) is not None:
        play.clock.now = max(play.clock.now, due)
        play.world.advance()
    assert {lead.status for lead in leads} == {"finished", "silent"}


def test_only_loopback_addresses_are_served_and_a_taken_port_is_named() -> None:
    with pytest.raises(SandboxError, match="loopback"):
        bind("0.0.0.0", 0)
    sockets = bind("127.0.0.1", 0)
    try:
        sockets[0].listen()
        port = sockets[0].getsockname()[1]
        with pytest.raises(SandboxError, match=rf"port {port}: .*--port"):
            bind("127.0.0.1", port)
    finally:
        for sock in sockets:
            sock.close()


def _free_base_port() -> int:
    for _ in range(50):
        first = bind("127.0.0.1", 0)
        port = int(first[0].getsockname()[1])
        for sock in first:
            sock.close()
        try:
            for sock in bind("127.0.0.1", port):
                sock.close()
        except (SandboxError, OverflowError):
            continue
        return port
    raise AssertionError("no six free ports in a row")


def _start(port: int, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "leasebot_pipeline.sandbox",
        "--port",
        str(port),
        "--state-dir",
        str(folder),
    ]
    process = subprocess.Popen([*command, *more], stderr=subprocess.PIPE)
    assert process.stderr is not None
    last = str(port + len(Platform)).encode()
    for line in process.stderr:
        if re.search(rb"http://\S+:" + last, line):
            return process
    raise AssertionError(f"the sandbox ended with {process.wait()}")


def test_a_killed_process_loses_no_accepted_message_and_keeps_its_sessions(tmp_path: Path) -> None:
    port = _free_base_port()
    process = _start(port, tmp_path)
    site, platform = SITES[Platform.SPAREROOM], Platform.SPAREROOM
    try:
        with httpx.Client(base_url=base_urls(port)[platform], follow_redirects=True) as client:
            lead = {"id": "x", "platform": platform.value, "name": "Sam", "messages": ["Hi"]}
            thread = httpx.post(f"{control_url(port)}/leads", json=lead).json()["threadId"]
            form = {site.user_field: "agent@sandbox.test", site.password_field: "sandbox-password"}
            client.post(site.login_path, data=form)
            assert "Sam" in client.get(site.thread_address(thread)).text
            for n in range(5):
                client.post(site.thread_address(thread), data={"message": f"Answer {n}"})
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process.stderr.close()  # type: ignore[union-attr]
            process = _start(port, tmp_path)
            received = httpx.get(f"{control_url(port)}/received").json()
            assert [m["text"] for m in received["threads"][0]["messages"]] == [
                f"Answer {n}" for n in range(5)
            ]
            assert "Answer 4" in client.get(site.thread_address(thread)).text
        process.terminate()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def test_a_state_directory_can_be_used_again_in_process(tmp_path: Path) -> None:
    with SandboxServer(tmp_path) as first:
        lead = first.add_lead(Platform.ROOMIES, "Hi")
        first.reply(Platform.ROOMIES, lead.thread, "Hello")
    with SandboxServer(tmp_path) as second:
        assert second.received() == ["Hello"]

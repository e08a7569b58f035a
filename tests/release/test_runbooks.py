"""Every command of every runbook is run, as it stands there, against a team's database, the API and a kubectl that logs.

What takes over a terminal, a screen or another machine is run by another test, which is named here and looked into.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from api.app import create_app
from api.auth.cookies import CookieJar, sign
from api.auth.passwords import hash_password
from api.config import ApiConfig
from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.processes import practice
from leasebot_pipeline.storage import auth as logins
from leasebot_pipeline.storage import bootstrap, rollups
from tests.conftest import Database
from tests.storage import rows

ROOT = Path(__file__).parents[2]
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
STAND_IN = Path(__file__).parent / "kubectl_stand_in.py"
SECRET = "a-secret-of-the-tests-that-is-long-enough"

ELSEWHERE = {
    r"leasebot up\b": ("tests/e2e/test_up.py", '"up"'),
    r"leasebot down\b": ("tests/e2e/test_up.py", '"down"'),
    r"leasebot (code-server|daemon|webserver|api)\b": ("tests/e2e/test_up.py", '"up"'),
    r"leasebot sandbox\b": ("tests/e2e/test_up_sandbox.py", "sandbox"),
    r"leasebot browser install": ("tests/unit/processes/test_browser_lookup.py", "install"),
    r"leasebot session capture\b": ("tests/browser/test_capture.py", '"capture"'),
    r"([A-Z_]+=\S+ )?leasebot session check\b": ("tests/browser/test_capture.py", '"session", "check"'),
    r"leasebot replay .*--model\b": ("tests/stages/test_replay.py", "model"),
}
"""Commands that another test runs: the file, and a word of it that shows the command."""
NOT_OURS = (r"scp ", r"rm spareroom\.json")
"""The operator's own tools between two machines."""
CODES = {
    "leasebot status": 3,  # no stack runs here
    "leasebot check": (0, 1),  # the team's rows were written by hand
    "leasebot gate": 1,  # no baseline was taken
    "leasebot preflight": 1,  # tests are no production
    "leasebot calendar why": 1,  # the page's example is long ago
}
WAITING = {
    "retry": "dead_letter",
    "discard": "dead_letter",
    "mark-sent": "unknown",
    "cancel": "queued",
    "hold": "queued",
}
"""The state a reply is in when a person does this to it."""
_FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:leasebot|kubectl) [^`\n]+)`")


@dataclass
class Runbook:
    """The commands of a page: blocks as they stand, and what the text names."""

    blocks: list[tuple[str, str]]
    named: list[str]

    @classmethod
    def read(cls, page: Path) -> Runbook:
        content = page.read_text(encoding="utf-8")
        blocks = [(kind, body) for kind, body in _FENCE.findall(content) if kind in ("bash", "sql")]
        prose = _FENCE.sub("", content)
        return cls(blocks, list(dict.fromkeys(_INLINE.findall(prose))))


def lines_of(block: str) -> list[str]:
    """Logical lines: continued ones joined, comments left out."""
    joined = re.sub(r"\\\n\s*", " ", block)
    found = (re.sub(r"\s+#\s.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in found if line and not line.startswith("#")]


@dataclass
class Place:
    """Where the commands are run."""

    database: Database
    empty: Database
    folder: Path
    base_url: str
    kubectl_log: Path
    preamble: list[str] = field(default_factory=list)
    ran: int = 0

    def value(self, query: str) -> str:
        with self.database.engine.connect() as conn:
            return str(conn.execute(text(query)).scalars().first())

    def filled(self, command: str) -> str:
        """The command with what an operator puts in."""
        if " outbox " in command and re.search(r" ID\b", command):
            state = WAITING[command.split()[2]]
            found = self.value(
                f"SELECT id FROM \"OutboundDispatches\" WHERE state = '{state}' ORDER BY id LIMIT 1"
            )
            command = re.sub(r"\bID(\.\.\.)?", found, command)
        archived = next(iter(sorted((self.folder / "var" / "archive").glob("audit-*.gz"))), None)
        for placeholder, value in {
            "<platform>": "roomies",
            "<n>": "4",
            "<unit id>": self.value('SELECT id FROM "Units" LIMIT 1'),
            "<agent id>": self.value('SELECT id FROM "Agents" LIMIT 1'),
            "<conversation id>": self.value(
                "SELECT id FROM \"Conversations\" WHERE external_thread_id = 'quiet'"
            ),
            "http://127.0.0.1:3001": self.base_url,
            "/tmp/": f"{self.folder}/",
            "/backups/": f"{self.folder}/",
            "postgresql://postgres@127.0.0.1:5432/leasebot_restored": self.empty.url,
        }.items():
            command = command.replace(placeholder, value)
        if archived is not None:
            command = re.sub(r"audit-\d{12}-\d{12}\.jsonl\.gz", archived.name, command)
        return command

    def run(self, command: str) -> None:
        if any(re.match(pattern, command) for pattern in NOT_OURS):
            return
        for pattern, (file, word) in ELSEWHERE.items():
            if re.match(pattern, command):
                assert word in (ROOT / file).read_text(encoding="utf-8"), (command, file)
                return
        filled = self.filled(command)
        if filled.startswith("leasebot ") and "|" not in filled:
            self._leasebot(filled)
        else:
            self._shell(filled)
        self.ran += 1

    def _leasebot(self, command: str) -> None:
        wanted = next((code for start, code in CODES.items() if command.startswith(start)), 0)
        arguments = shlex.split(command, comments=True)[1:]
        result = CliRunner().invoke(app, arguments)
        codes = wanted if isinstance(wanted, tuple) else (wanted,)
        assert result.exit_code in codes, f"{command}\n{result.output}\n{result.exception!r}"

    def _shell(self, command: str) -> None:
        setting = re.match(r"(export|cd) ", command)
        script = "\n".join(
            ["set -euo pipefail", 'curl() { command curl --fail "$@"; }', *self.preamble, command]
        )
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if setting:
            self.preamble.append(command)

    def query(self, block: str) -> None:
        """All statements of a block, in a transaction that is rolled back: one page's example must not hinder the next."""
        with self.database.engine.connect() as conn:
            conn.execute(text("CREATE ROLE leasebot"))
            conn.execute(text("CREATE ROLE leasebot_green LOGIN"))
            # The page's commands stopped all sending; its statements are for when there is no command.
            conn.execute(text('UPDATE "KillSwitches" SET lifted_at = now() WHERE lifted_at IS NULL'))
            for statement in filter(None, (part.strip() for part in block.split(";\n"))):
                conn.exec_driver_sql(self.filled(re.sub(r"--.*", "", statement)))
                self.ran += 1
            conn.rollback()


def prepare(database: Database, now: datetime) -> None:
    """A team with replies in every state an operator may meet, a lead who asks, and an audit row of long ago."""
    with database.engine.begin() as conn:
        choices = {
            platform: bootstrap.AccountChoice(
                {"sessionRef": f"env:{platform.env_prefix}_RPA_SESSION"}, True, "session", SendMode.AUTO_SEND
            )
            for platform in Platform
        }
        bootstrap.ensure_required_accounts(conn, choices)
        bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "tests", now)
        practice.prepare(conn, now)
        rows.message(conn, rows.conversation(conn, external_thread_id="quiet", lead_name="Ana Lead"))
        for state in ("dead_letter", "unknown", "queued"):
            for _ in range(3):
                rows.dispatch(conn, rows.conversation(conn), state=state)
        for action in ("ingest_conversation_linkage_resolved", "ai_reply_created"):
            conn.execute(
                text("""INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, created_at)
                        VALUES ('system', 'conversation', 'c', :action, :at)"""),
                {"action": action, "at": now - timedelta(days=400)},
            )
        user = logins.create_user(
            conn,
            name="admin",
            email="admin@leasebot.com",
            password_hash=hash_password("sandbox-admin"),
            now=now,
        )
        conn.execute(text("UPDATE \"user\" SET role = 'admin'"))
        logins.create_session(
            conn, user_id=user.id, expires_at=now + timedelta(days=1), now=now, ip_address="", user_agent=""
        )
    rollups.advance(database.engine, now)


@pytest.fixture
def api(database: Database) -> Iterator[str]:
    """The API on a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        served = create_app(ApiConfig(database_url=database.url, auth_secret=SECRET, base_url=url))
        server = uvicorn.Server(uvicorn.Config(served, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        ends = time.monotonic() + 60
        while not server.started and thread.is_alive() and time.monotonic() < ends:
            time.sleep(0.01)
        assert server.started
        yield url
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def place(
    database: Database, empty_database: Database, api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    prepare(database, datetime.now(UTC))
    with database.engine.connect() as conn:
        token = conn.execute(text("SELECT token FROM session")).scalar_one()
    tools = tmp_path / "bin"
    tools.mkdir()
    shutil.copy(STAND_IN, tools / "kubectl")
    (tools / "kubectl").chmod(0o755)
    shutil.copytree(ROOT / "leasebot_pipeline" / "domain" / "rules", tmp_path / "my-rules")
    (tmp_path / ".playwright" / "profiles" / "spareroom").mkdir(parents=True)
    cookie = f"{CookieJar(SECRET, secure=False).session_token}={quote(sign(token, SECRET))}"
    for name, value in {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "KUBECTL_LOG": str(tmp_path / "kubectl.log"),
        "DATABASE_URL": database.url,
        "LEASE_BOT_ENV": "test",
        "LEASE_BOT_DATA_DIR": str(tmp_path / "var"),
        "API_BASE_URL": api,
        "ADMIN_OBSERVABILITY_COOKIE": cookie,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Place(database, empty_database, tmp_path, api, tmp_path / "kubectl.log")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_every_command_of_a_runbook_works(page: Path, place: Place) -> None:
    runbook = Runbook.read(page)
    in_blocks = {line for kind, body in runbook.blocks if kind == "bash" for line in lines_of(body)}
    for kind, body in runbook.blocks:
        if kind == "sql":
            place.query(body)
            continue
        for line in lines_of(body):
            place.run(line)
    for command in runbook.named:
        if command not in in_blocks:
            place.run(_spelled_out(command))
    calls = sum(line.startswith("kubectl ") for line in in_blocks) + sum(
        command.startswith("kubectl ") for command in runbook.named if command not in in_blocks
    )
    logged = place.kubectl_log.read_text().splitlines() if place.kubectl_log.exists() else []
    assert len(logged) >= min(calls, 1)
    assert place.ran > 0 or page.stem == "local-stack"


def _spelled_out(command: str) -> str:
    """A command the text only names, without what it works on, is asked for its help."""
    needs = ("leasebot outbox discard", "kubectl rollout restart", "leasebot session check")
    return f"{command} --help" if command in needs else command


def test_a_command_that_does_not_work_would_be_found(place: Place) -> None:
    for wrong in (
        "leasebot outbox lst",
        "leasebot kill craigslist",
        "curl -sS http://127.0.0.1:3001/nowhere",
        "false",
    ):
        with pytest.raises(AssertionError):
            place.run(wrong)
    with pytest.raises(Exception, match="does not exist"):
        place.query('SELECT nothing FROM "AuditLogs";\n')


def test_what_is_run_elsewhere_is_run_there() -> None:
    assert {
        file for file, word in ELSEWHERE.values() if word not in (ROOT / file).read_text(encoding="utf-8")
    } == set()


def test_the_rotated_login_works_as_the_owner(database: Database) -> None:
    """The page's statements for a database login, without their rollback: what it makes belongs to the owner."""
    blocks = [
        body for kind, body in Runbook.read(ROOT / "docs/runbooks/key-rotation.md").blocks if kind == "sql"
    ]
    [create] = [body for body in blocks if "CREATE ROLE" in body]
    suffix = make_url(database.url).database
    owner, login = f"leasebot_{suffix}", f"leasebot_blue_{suffix}"
    statements = re.sub(r"\bleasebot\b", owner, create.replace("leasebot_blue", login))
    with database.engine.begin() as conn:
        conn.execute(text(f'CREATE ROLE "{owner}"'))
        conn.execute(text(f'GRANT ALL ON SCHEMA public TO "{owner}"'))
        conn.exec_driver_sql(statements)
    try:
        from leasebot_pipeline.storage.engine import create_engine

        url = make_url(database.url).set(username=login, password="the-new-password")
        engine = create_engine(
            url.render_as_string(hide_password=False), application_name="rotated", pool_size=1
        )
        with engine.begin() as conn:
            conn.execute(text("CREATE TABLE made_by_a_migration (id int)"))
            made = conn.execute(
                text("SELECT tableowner FROM pg_tables WHERE tablename = 'made_by_a_migration'")
            ).scalar_one()
        engine.dispose()
        assert made == owner
    finally:
        with database.engine.begin() as conn:
            conn.execute(text(f'DROP OWNED BY "{owner}", "{login}"'))
            conn.execute(text(f'DROP ROLE "{login}"'))
            conn.execute(text(f'DROP ROLE "{owner}"'))

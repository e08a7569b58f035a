"""Every command of every runbook is run, as it stands there, against a team's database, the API and a kubectl that logs.

What takes over a terminal, a screen or another machine is run by another test, which is named here and looked into. Of
kubectl the verb, the options and the names are held against what there is; no cluster is asked.
"""

from __future__ import annotations

import ast
import json
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
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
import yaml
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from api.app import create_app
from api.auth.cookies import CookieJar, sign
from api.auth.passwords import hash_password
from api.config import ApiConfig
from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES
from leasebot_pipeline.processes import practice
from leasebot_pipeline.processes.browser_lookup import find_browser
from leasebot_pipeline.storage import auth as logins
from leasebot_pipeline.storage import bootstrap, rollups
from tests.conftest import Database
from tests.release.conftest import COMMIT
from tests.storage import rows

ROOT = Path(__file__).parents[2]
PAGES = [page for folder in ("runbooks", "release") for page in sorted((ROOT / "docs" / folder).glob("*.md"))]
STAND_IN = Path(__file__).parent / "kubectl_stand_in.py"
SECRET = "a-secret-of-the-tests-that-is-long-enough"

_UP = ("tests/e2e/test_up_sandbox.py", "test_a_lead_is_answered_once_on_the_site")
_ROLES = ("tests/e2e/test_roles.py", "test_the_roles_of_the_cluster_serve_and_end")
_CAPTURE = ("tests/browser/test_capture.py", "test_the_commands_from_capture_to_check")
ELSEWHERE = {
    r"leasebot up\b": (*_UP, ["up"]),
    r"leasebot down\b": (*_UP, ["down"]),
    **{
        rf"leasebot {name}\b": (*_ROLES, [name])
        for name in ("code-server", "daemon", "webserver", "api", "sandbox")
    },
    r"leasebot session capture\b": (*_CAPTURE, ["session", "capture"]),
    r"leasebot restore \S+$": (
        "tests/release/test_backup.py",
        "test_a_machine_of_its_own_gets_its_database_back",
        ["restore"],
    ),
    r"([A-Z_]+=\S+ )?leasebot session check\b": (*_CAPTURE, ["session", "check"]),
}
"""Commands that another test runs: the file, the test, and the command's words one after the other in it."""
NOT_OURS = (r"scp ", r"rm spareroom\.json")
"""The operator's own tools between two machines."""
CODES: dict[str, int | tuple[int, ...]] = {
    "leasebot status": 3,  # no stack runs here
    "leasebot check": (0, 1),  # the team's rows were written by hand
    "leasebot gate": 1,  # shadow was not watched for a day
    "leasebot preflight": 1,  # tests are no production
    "leasebot calendar why": 1,  # the page's example is long ago
    "leasebot release promote": 1,  # the gate refuses; tests/release/test_played_story.py goes on
}
PAGE_CODES = {("stages", "leasebot release rollback"): 1}  # still in shadow: nothing to go back from
KUBECTL = {
    "rollout status": {"--timeout"},
    "rollout history": set(),
    "rollout undo": {"--to-revision", "--dry-run"},
    "rollout restart": set(),
    "scale": {"--replicas"},
    "logs": set(),
    "exec": {"-i", "-it"},
    "apply": {"-k"},
    "port-forward": set(),
    "config set-context": {"--current", "--namespace"},
}
"""What our pages use of kubectl, as its own help has it."""
ONLY_NAMED = ("leasebot outbox discard", "kubectl rollout restart")
"""Named in a sentence without what it works on: some page has it whole, and there it is run."""
WAITING = {
    "retry": "dead_letter",
    "discard": "dead_letter",
    "mark-sent": "unknown",
    "cancel": "queued",
    "hold": "queued",
}
"""The state a reply is in when a person does this to it."""
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:leasebot|kubectl) [^`\n]+)`")
_MAKE = re.compile(r"`make ([a-z]+)`")


@dataclass
class Runbook:
    """The commands of a page: blocks as they stand, and what the text names."""

    blocks: list[tuple[str, str]]
    named: list[str]

    @classmethod
    def read(cls, page: Path) -> Runbook:
        content = page.read_text(encoding="utf-8")
        blocks = _FENCE.findall(content)
        assert {kind for kind, _ in blocks} <= {"bash", "sql"}, "a block of another kind would not be run"
        prose = _FENCE.sub("", content)
        assert set(_MAKE.findall(prose)) <= _targets()
        return cls(blocks, list(dict.fromkeys(_INLINE.findall(prose))))

    @property
    def lines(self) -> list[str]:
        """Every command of its blocks."""
        return [line for kind, body in self.blocks if kind == "bash" for line in lines_of(body)]


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


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
    page: str = ""
    preamble: list[str] = field(default_factory=list)
    ran: int = 0

    @property
    def kubectl_calls(self) -> list[str]:
        return self.kubectl_log.read_text().splitlines() if self.kubectl_log.exists() else []

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
            "$(git rev-parse HEAD)": COMMIT,
            "docs/qa/evidence/gates-<commit>-<time>.json": "gates.json",
            "evidence FILE": "evidence gates.json",
            "<unit id>": self.value('SELECT id FROM "Units" LIMIT 1'),
            "<agent id>": self.value('SELECT id FROM "Agents" LIMIT 1'),
            "<conversation id>": self.value(
                "SELECT id FROM \"Conversations\" WHERE external_thread_id = 'quiet'"
            ),
            "http://127.0.0.1:3001": self.base_url,
            "/tmp/": f"{self.folder}/",
            "/backups/": f"{self.folder}/",
            "/data/": f"{self.folder}/",
            "postgresql://postgres@127.0.0.1:5432/leasebot_restored": self.empty.url,
        }.items():
            command = command.replace(placeholder, value)
        if archived is not None:
            command = re.sub(r"audit-\d{12}-\d{12}\.jsonl\.gz", archived.name, command)
        return command

    def run(self, command: str) -> None:
        if any(re.match(pattern, command) for pattern in NOT_OURS):
            return
        if any(re.match(pattern, command) for pattern in ELSEWHERE):
            return  # test_what_is_run_elsewhere_is_run_there
        filled = self.filled(command)
        before = len(self.kubectl_calls)
        if filled.startswith("leasebot browser ") and find_browser(Path("var")) is None:
            return  # it would bring one: some 300 MB
        if filled.startswith("leasebot ") and "|" not in filled:
            self._leasebot(filled)
        else:
            self._shell(filled)
        if filled.startswith("kubectl "):
            assert len(self.kubectl_calls) == before + 1, command
            kubectl_knows(filled)
            _, _, inside = filled.partition(" -- ")
            if inside:  # what runs in the pod
                inside, _, file = inside.partition(" < ")
                self._leasebot(inside.replace("/dev/stdin", file))
        self.ran += 1

    def _leasebot(self, command: str) -> None:
        own = {start: code for (page, start), code in PAGE_CODES.items() if page == self.page}
        wanted = next((code for start, code in {**CODES, **own}.items() if command.startswith(start)), 0)
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


def kubectl_knows(command: str) -> None:
    """Fails for a verb, an option or an object that kubectl or our manifests do not have."""
    own, _, _ = command.partition(" -- ")
    words = shlex.split(own)[1:]
    verb = next((one for one in KUBECTL if words[: len(one.split())] == one.split()), None)
    assert verb is not None, command
    rest = words[len(verb.split()) :]
    options = {word.split("=")[0] for word in rest if word.startswith("-")}
    assert options <= KUBECTL[verb], command
    for word in rest:
        if "deploy/" in word:
            assert (ROOT / word / "kustomization.yaml").is_file(), command
        elif "/" in word:
            kind, _, name = word.partition("/")
            assert (kind, name) in objects_of_the_manifests(), command


@cache
def objects_of_the_manifests() -> set[tuple[str, str]]:
    files = sorted((ROOT / "deploy" / "kubernetes" / "base").glob("*.yaml"))
    found = [one for file in files for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]
    return {(one["kind"].casefold(), one["metadata"]["name"]) for one in found if "metadata" in one}


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
    checks = [{"name": f"{gate}:suite", "status": "pass"} for gate in REQUIRED_GATES]
    document = {"commit": COMMIT, "finishedAt": datetime.now(UTC).isoformat(), "checks": checks}
    (tmp_path / "gates.json").write_text(json.dumps(document), encoding="utf-8")
    cookie = f"{CookieJar(SECRET, secure=False).session_token}={quote(sign(token, SECRET))}"
    for name, value in {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "KUBECTL_LOG": str(tmp_path / "kubectl.log"),
        "DATABASE_URL": database.url,
        "LEASE_BOT_ENV": "test",
        "LEASE_BOT_DATA_DIR": str(tmp_path / "var"),
        "API_BASE_URL": api,
        "ADMIN_OBSERVABILITY_COOKIE": cookie,
        # Asked for nothing: there is no decision to replay. If it were, nobody would answer.
        "GOOGLE_GENERATIVE_AI_API_KEY": "a-key-of-the-tests",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Place(database, empty_database, tmp_path, api, tmp_path / "kubectl.log")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_runbook_works(page: Path, place: Place) -> None:
    runbook = Runbook.read(page)
    place.page = page.stem
    for kind, body in runbook.blocks:
        if kind == "sql":
            place.query(body)
            continue
        for line in lines_of(body):
            place.run(line)
    for command in runbook.named:
        if command in runbook.lines:
            continue
        if command in ONLY_NAMED:
            assert any(line.startswith(f"{command} ") for one in PAGES for line in Runbook.read(one).lines)
            continue
        place.run(command)
    assert place.ran > 0


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


@pytest.mark.parametrize(
    "wrong",
    [
        "kubectl rolout status deployment/lease-bot-api",
        "kubectl rollout status deployment/lease-bot-apis",
        "kubectl rollout status deployment/lease-bot-api --time 1m",
        "kubectl apply -k deploy/kubernetes/overlays/partly",
    ],
)
def test_a_slip_in_a_kubectl_command_would_be_found(wrong: str) -> None:
    with pytest.raises(AssertionError):
        kubectl_knows(wrong)


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_run_elsewhere_is_run_there(pattern: str) -> None:
    file, test, words = ELSEWHERE[pattern]
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    [found] = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name == test]
    assert any(_in_a_row(words, one) for one in ast.walk(found))
    assert any(re.match(pattern, line) for page in PAGES for line in _all_of(page)), "no page has it any more"


def _in_a_row(words: list[str], node: ast.AST) -> bool:
    """Whether a call or a list in the source begins with these texts."""
    given = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
    texts = [one.value if isinstance(one, ast.Constant) else None for one in given]
    return any(texts[at : at + len(words)] == words for at in range(len(texts)))


def _all_of(page: Path) -> list[str]:
    runbook = Runbook.read(page)
    return [*runbook.lines, *runbook.named]


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

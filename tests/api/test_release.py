"""The release over HTTP: the same service as the command line, for administrators only."""

from __future__ import annotations

from tests.api.house import SPAREROOM, House

RELEASE = "/api/admin/release"


def test_a_release_is_started_refused_overridden_and_taken_back(house: House) -> None:
    house.in_stage(None)
    assert house.ask("admin", "GET", RELEASE).json()["current"] is None
    assert house.ask("admin", "POST", f"{RELEASE}/gate", {}).json()["error"] == "no_stage"
    started = house.ask("admin", "POST", f"{RELEASE}/start", {"commit": "4f2a9c1", "reason": "a release"})
    assert (started.status_code, started.json()["after"]["stage"]) == (201, "shadow")

    cohort = {"accounts": [str(SPAREROOM)], "reason": "go on"}
    refused = house.ask("admin", "POST", f"{RELEASE}/promote", cohort)
    assert (refused.status_code, refused.json()["error"]) == (409, "gate_not_passed")
    assert {rule["name"] for rule in refused.json()["gate"]["rules"] if rule["status"] == "fail"} == {
        "required_gates",
        "baseline",
    }
    forced = house.ask("admin", "POST", f"{RELEASE}/promote", {**cohort, "override": True}).json()
    assert (forced["after"]["stage"], forced["after"]["overridden"]) == ("canary", True)
    assert house.ask("admin", "GET", RELEASE).json()["cohortAccounts"] == [str(SPAREROOM)]
    assert house.ask("admin", "POST", f"{RELEASE}/gate", {"baseline": True}).json()["error"] == "not_shadow"
    gate = house.ask("admin", "POST", f"{RELEASE}/gate", {}).json()
    assert (gate["verdict"], gate["stage"]) == ("hold", "canary")

    back = house.ask("admin", "POST", f"{RELEASE}/rollback", {"reason": "strange replies"}).json()
    assert back["after"]["stage"] == "shadow"
    [row] = house.audits("release_rolled_back")
    assert (row["actor_type"], row["details"]["reason"]) == ("admin", "strange replies")
    assert (
        house.ask("admin", "POST", f"{RELEASE}/rollback", {"reason": "again"}).json()["error"] == "not_back"
    )
    assert house.ask("admin", "POST", f"{RELEASE}/kill", {"reason": "stop all"}).json() == {"engaged": True}
    assert house.ask("admin", "GET", RELEASE).json()["killSwitches"] == ["global"]


def test_faulty_requests_change_nothing(house: House) -> None:
    house.in_stage(None)
    house.ask("admin", "POST", f"{RELEASE}/start", {"reason": "a release"})
    for path, body in (
        ("start", {}),
        ("promote", {"reason": "go on"}),
        ("promote", {"reason": "go on", "percentage": 101}),
        ("promote", {"reason": "go on", "accounts": ["11111111-2222-3333-4444-555555555555"]}),
        ("rollback", {"reason": "x"}),
        ("evidence", {"commit": "4f2a9c1", "finishedAt": "yesterday", "checks": [{"name": "smoke"}]}),
    ):
        assert house.ask("admin", "POST", f"{RELEASE}/{path}", body).status_code == 400, (path, body)
    assert house.ask("admin", "GET", RELEASE).json()["current"]["stage"] == "shadow"


def test_only_administrators_move_a_release(house: House) -> None:
    for method, path in (
        ("GET", ""),
        *(("POST", f"/{one}") for one in ("start", "promote", "rollback", "kill", "gate", "evidence")),
    ):
        assert house.ask("agent", method, RELEASE + path, {}).status_code == 403
        assert house.ask("stranger", method, RELEASE + path, {}).status_code == 401


def test_evidence_is_handed_in(house: House) -> None:
    checks = [{"name": "critical:dispatch", "status": "pass"}, {"name": "critical:handoff", "status": "skip"}]
    body = {"commit": "4f2a9c1", "finishedAt": "2026-11-24T09:00:00Z", "checks": checks}
    answer = house.ask("admin", "POST", f"{RELEASE}/evidence", body)
    assert answer.json() == {"commit": "4f2a9c1", "gates": {"critical": False}}

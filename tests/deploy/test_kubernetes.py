"""The manifests against Kubernetes' own schemas, offline, and what they promise.

``kustomize`` is played for the few fields the overlays use, and those fields are all they may use.
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config
from dagster_k8s import K8sRunLauncher

from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.release.preflight import API_VARIABLES, WORKER_VARIABLES
from leasebot_pipeline.settings import load_settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
STAGES = ("shadow", "canary", "full")
VERSIONS = ("1.30", "1.34", "1.37")
SECRETS = {
    "DATABASE_URL": "postgresql://leasebot:secret@db.internal:5432/lease_bot",
    "BETTER_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
}
CLUSTER_WIDE = ("Namespace",)
KUBECTL = shutil.which("kubectl")
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def documents(file: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(file.read_text(encoding="utf-8")) if one]


def merged(base: Any, patch: Any) -> Any:
    """A strategic merge as far as our patches need it: objects by key, named lists by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return {
            key: merged(base[key], patch[key])
            if key in base and key in patch
            else patch.get(key, base.get(key))
            for key in {**base, **patch}
        }
    named = isinstance(patch, list) and all(isinstance(one, dict) and "name" in one for one in patch)
    if isinstance(base, list) and named:
        found = {one["name"]: one for one in base}
        for one in patch:
            found[one["name"]] = merged(found.get(one["name"], {}), one)
        return list(found.values())
    return patch


@cache
def _rendered(stage: str) -> list[dict[str, Any]]:
    overlay = FOLDER / "overlays" / stage
    [wanted] = documents(overlay / "kustomization.yaml")
    [base] = documents(FOLDER / "base" / "kustomization.yaml")
    assert wanted.keys() <= {"apiVersion", "kind", "namespace", "resources", "images", "patches"}
    assert base.keys() <= {"apiVersion", "kind", "namespace", "resources"}
    assert wanted["resources"] == ["../../base"]
    found = {
        (one["kind"], one["metadata"]["name"]): one
        for file in base["resources"]
        for one in documents(FOLDER / "base" / file)
    }
    for patch in wanted["patches"]:
        for one in documents(overlay / patch["path"]):
            key = (one["kind"], one["metadata"]["name"])
            found[key] = merged(found[key], one)
    images = {one["name"]: f"{one['newName']}:{one['newTag']}" for one in wanted["images"]}
    for one in found.values():
        if one["kind"] not in CLUSTER_WIDE:
            one["metadata"]["namespace"] = wanted["namespace"]
        for container in containers(one):
            container["image"] = images[container["image"]]
    return list(found.values())


def rendered(stage: str) -> list[dict[str, Any]]:
    return copy.deepcopy(_rendered(stage))


def containers(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pod = resource.get("spec", {}).get("template", {}).get("spec", {})
    yield from pod.get("containers", ())
    yield from pod.get("initContainers", ())


def of_kind(stage: str, kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in rendered(stage) if one["kind"] == kind}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid_for_kubernetes(stage: str, version: str) -> None:
    for one in rendered(stage):
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed: it renders the overlays itself")
@pytest.mark.parametrize("stage", STAGES)
def test_kustomize_makes_the_same_of_an_overlay(stage: str) -> None:
    assert KUBECTL is not None
    command = (KUBECTL, "kustomize", str(FOLDER / "overlays" / stage))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    made = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout)}
    assert made == {(one["kind"], one["metadata"]["name"]): one for one in rendered(stage)}


def test_who_reads_evidence_has_the_volume_it_is_kept_on() -> None:
    deployments = of_kind("full", "Deployment")
    for name, written in (("lease-bot-worker", True), ("lease-bot-api", False)):
        pod = deployments[name]["spec"]["template"]["spec"]
        [mount] = [one for one in pod["containers"][0]["volumeMounts"] if one["mountPath"] == "/data"]
        [volume] = [one for one in pod["volumes"] if one["name"] == mount["name"]]
        assert volume["persistentVolumeClaim"]["claimName"] == "lease-bot-data"
        assert mount.get("readOnly", False) is not written


def test_a_slip_would_be_found() -> None:
    broken = of_kind("shadow", "Deployment")["lease-bot-api"]
    broken["spec"]["replicaz"] = 2
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_every_file_is_used() -> None:
    for folder in (FOLDER / "base", *(FOLDER / "overlays" / stage for stage in STAGES)):
        [kustomization] = documents(folder / "kustomization.yaml")
        named = {*kustomization["resources"], *(one["path"] for one in kustomization.get("patches", ()))}
        present = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
        assert named - {"../../base"} == present


@pytest.mark.parametrize("stage", STAGES)
def test_the_runbooks_deployments_are_there_and_locked_down(stage: str) -> None:
    deployments = of_kind(stage, "Deployment")
    assert {"lease-bot-api", "lease-bot-worker", "lease-bot-daemon", "lease-bot-dagster-webserver"} == set(
        deployments
    )
    budgets = of_kind(stage, "PodDisruptionBudget")
    for name, one in deployments.items():
        pod = one["spec"]["template"]["spec"]
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert budgets[name]["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert "livenessProbe" in pod["containers"][0]
        # Whoever is called is called only when it can answer.
        assert ("readinessProbe" in pod["containers"][0]) is ("ports" in pod["containers"][0])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(one):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert not security["allowPrivilegeEscalation"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} == set(container["resources"])
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert ":" in container["image"]
            assert "latest" not in container["image"]


@pytest.mark.parametrize("stage", STAGES)
def test_only_the_api_is_reached_from_outside(stage: str) -> None:
    policies = {name: one["spec"] for name, one in of_kind(stage, "NetworkPolicy").items()}
    assert all(spec["policyTypes"] == ["Ingress"] for spec in policies.values())
    closed = [spec for spec in policies.values() if spec["podSelector"] == {}]
    assert [spec.get("ingress", []) for spec in closed] == [[]], "what no policy names is closed"
    opened = {
        spec["podSelector"]["matchLabels"]["app.kubernetes.io/name"]: spec["ingress"]
        for spec in policies.values()
        if spec["podSelector"]
    }
    anybody = {name for name, rules in opened.items() if any("from" not in rule for rule in rules)}
    assert anybody == {"lease-bot-api"}
    services = of_kind(stage, "Service")
    assert {one["spec"].get("type", "ClusterIP") for one in services.values()} == {"ClusterIP"}
    ports = {
        name: {port["containerPort"] for one_of in containers(one) for port in one_of.get("ports", ())}
        for name, one in of_kind(stage, "Deployment").items()
    }
    for name, rules in opened.items():
        assert {port["port"] for rule in rules for port in rule["ports"]} <= ports[name]


@pytest.mark.parametrize("stage", STAGES)
def test_secrets_come_by_reference_only(stage: str) -> None:
    assert of_kind(stage, "Secret") == {}
    text = yaml.safe_dump(rendered(stage))
    for name in ("DATABASE_URL", "BETTER_AUTH_SECRET", "GOOGLE_GENERATIVE_AI_API_KEY", "_PASSWORD"):
        assert name not in text
    for one in of_kind(stage, "Deployment").values():
        assert {"secretRef": {"name": "lease-bot-secrets"}} in one["spec"]["template"]["spec"]["containers"][
            0
        ]["envFrom"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_environment_is_one_leasebot_starts_with(stage: str) -> None:
    data = of_kind(stage, "ConfigMap")["lease-bot-config"]["data"]
    settings = load_settings({**data, **SECRETS})
    assert settings.is_production
    assert settings.rpa.runtime == "playwright"
    assert not settings.unknown_names
    assert {*API_VARIABLES, *WORKER_VARIABLES} <= {*data, *SECRETS}
    sends = settings.default_send_mode is SendMode.AUTO_SEND
    assert (sends, settings.release.auto_rollback) == (stage != "shadow", False)


@pytest.mark.parametrize("stage", STAGES)
def test_runs_are_jobs_of_the_same_image(stage: str) -> None:
    data = of_kind(stage, "ConfigMap")["lease-bot-dagster"]["data"]
    instance = yaml.safe_load(data["dagster.yaml"])
    launcher = instance["run_launcher"]
    assert (launcher["module"], launcher["class"]) == ("dagster_k8s", "K8sRunLauncher")
    checked = process_config(dg.Field(dg.Shape(K8sRunLauncher.config_type())).config_type, launcher["config"])
    assert checked.success, checked.errors
    worker = of_kind(stage, "Deployment")["lease-bot-worker"]["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one["value"] for one in worker["env"]}
    assert environment["DAGSTER_CURRENT_IMAGE"] == worker["image"]
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    differ = {key for key in {*ours, *instance} if ours.get(key) != instance.get(key)}
    assert differ == {"run_launcher", "concurrency", "run_monitoring"}


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed: `make setup` does so on Linux")
def test_hadolint_finds_nothing_in_the_image_file() -> None:
    """Everything it knows, also what it calls style; an exception stands in the file, with its reason."""
    assert HADOLINT is not None
    command = (HADOLINT, "--no-color", "--failure-threshold", "style", "-")
    for content, found in (
        ((ROOT / "Dockerfile").read_text(encoding="utf-8"), []),
        ("FROM python\n", ["DL3006"]),
    ):
        done = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
        assert re.findall(r"[A-Z]{2}\d{4}", done.stdout) == found, done.stdout + done.stderr
        assert (done.returncode == 0) is (not found)


def test_the_image_runs_as_nobody_and_takes_what_is_locked() -> None:
    """No engine builds it here: what can be said of the file itself."""
    lines = [line.strip() for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()]
    assert "USER 10001:10001" in lines[max(n for n, line in enumerate(lines) if line.startswith("FROM")) :]
    assert not [line for line in lines if line.startswith("ADD ") or ":latest" in line]
    assert any("--require-hashes" in line for line in lines)
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

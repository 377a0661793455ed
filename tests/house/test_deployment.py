"""deploy/kubernetes and the compose profiles: what a schema does not see. `make check` validates the manifests."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from app import settings
from app.settings import Settings, load
from app.settings.server import ServerSettings
from tests.house.test_configuration import walk

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
FILES = sorted(path.name for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
OBJECTS: dict[str, dict[str, Any]] = {
    found["kind"]: found for name in FILES for found in yaml.safe_load_all((KUBERNETES / name).read_text("utf-8"))
}
PODS = {kind: OBJECTS[kind]["spec"]["template"]["spec"] for kind in ("Deployment", "Job")}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
DEFAULTS = Settings.model_construct().model_dump(mode="json")
KNOWN = {key.variable for key in walk(Settings, DEFAULTS)} | {settings.CONFIG_VARIABLE}
WRITTEN = (
    "deploy/**/*.yaml",
    "deploy/**/*.conf",
    "docker-compose.yml",
    ".env.example",
    "Dockerfile",
    "docs/deployment.md",
)


def container(kind: str) -> dict[str, Any]:
    """Give the one container of a Deployment or Job."""
    (only,) = PODS[kind]["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("pattern", WRITTEN)
def test_settings_that_are_named_exist(pattern: str) -> None:
    """Each TOOLFUNNEL_… in what is deployed is a setting, so that no gateway refuses to start for it."""
    texts = [path.read_text("utf-8") for path in ROOT.glob(pattern)]
    found = {name for text in texts for name in re.findall(r"\bTOOLFUNNEL_[A-Z_]+\b(?![<…])", text)}
    assert texts
    assert found - KNOWN - {"TOOLFUNNEL_PORT"} == set()


def test_kubernetes_settings_are_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With files in the place of the Secret, the ConfigMap is a configuration that serves others than this machine."""
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    mounted = "file:/run/secrets/toolfunnel/"
    for name, value in OBJECTS["ConfigMap"]["data"].items():
        if value.startswith(mounted):
            (tmp_path / value.removeprefix(mounted)).write_text("secret", "utf-8")
        monkeypatch.setenv(name, value.replace(mounted, f"file:{tmp_path}/"))
    monkeypatch.setenv("TOOLFUNNEL_SERVER__HOST", "0.0.0.0")
    loaded = load()
    assert loaded.registry.address == "postgresql://toolfunnel:secret@postgres:5432/toolfunnel"
    assert loaded.server.shutdown_grace_s == ServerSettings.model_validate({}).shutdown_grace_s


def test_kustomization_names_every_manifest() -> None:
    """What is applied is all that is there."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert sorted(listed) == FILES


@pytest.mark.parametrize("kind", PODS)
def test_pods_run_without_rights(kind: str) -> None:
    """User of the image, read-only root, no capabilities, the runtime's seccomp profile, no token."""
    pod, inside = PODS[kind], container(kind)
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), 10001),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == OBJECTS["ServiceAccount"]["metadata"]["name"]


@pytest.mark.parametrize("kind", PODS)
def test_pods_write_where_the_image_does(kind: str) -> None:
    """/tmp and /data are mounted; secrets come from a Secret, readable by the group only, and from nowhere else."""
    mounts = {mount["mountPath"]: mount["name"] for mount in container(kind)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in PODS[kind]["volumes"]}
    assert set(mounts) == {"/tmp", "/data", "/run/secrets/toolfunnel"}
    assert volumes["secrets"]["secret"] == {"secretName": "toolfunnel", "defaultMode": 0o440}
    assert "env" not in container(kind)
    assert "Secret" not in OBJECTS


@pytest.mark.parametrize("kind", PODS)
def test_pods_get_no_variables_of_services(kind: str) -> None:
    """A Service named toolfunnel would set TOOLFUNNEL_PORT, which the gateway refuses."""
    assert OBJECTS["Service"]["metadata"]["name"] == "toolfunnel"
    assert PODS[kind]["enableServiceLinks"] is False


@pytest.mark.parametrize("kind", PODS)
def test_pods_run_the_projects_version(kind: str) -> None:
    """Image and the Job's name have the version of pyproject.toml."""
    assert container(kind)["image"] == f"toolfunnel:{VERSION}"
    assert OBJECTS["Job"]["metadata"]["name"] == f"toolfunnel-migrate-{VERSION.replace('.', '-')}"


def test_pods_are_ended_later_than_answers_need() -> None:
    """The cluster waits longer than preStop and the gateway's own grace period together."""
    (_, pause) = container("Deployment")["lifecycle"]["preStop"]["exec"]["command"]
    needed = int(pause) + ServerSettings.model_validate({}).shutdown_grace_s
    assert PODS["Deployment"]["terminationGracePeriodSeconds"] > needed


def test_probes_ask_what_they_are_for() -> None:
    """Readiness asks for the catalogue; the probes that restart a pod do not."""
    paths = {name: probe["httpGet"]["path"] for name, probe in container("Deployment").items() if "Probe" in name}
    assert paths == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}


def test_objects_select_the_gateways_pods() -> None:
    """Service, disruption budget and spread select exactly the labels of the pods, the policy those of the Job, too."""
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    assert OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert OBJECTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    policed = OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items()
    assert policed <= labels.items()
    assert policed <= OBJECTS["Job"]["spec"]["template"]["metadata"]["labels"].items()


def test_gateways_reach_no_private_address() -> None:
    """The rule for the internet leaves out private and link-local networks, where metadata services are."""
    blocks = [
        to["ipBlock"] for rule in OBJECTS["NetworkPolicy"]["spec"]["egress"] for to in rule["to"] if "ipBlock" in to
    ]
    (block,) = blocks
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"} <= set(block["except"])


def test_autoscaler_sets_the_replicas() -> None:
    """The Deployment leaves their number to it, and it never goes below what a budget of one can spare."""
    assert "replicas" not in OBJECTS["Deployment"]["spec"]
    assert OBJECTS["HorizontalPodAutoscaler"]["spec"]["minReplicas"] >= 2


def test_compose_profiles_have_their_services() -> None:
    """`one` is the gateway alone; `scale` is two of them, nginx, PostgreSQL and the migration."""
    profiles = {name: service["profiles"] for name, service in COMPOSE["services"].items()}
    scale = {"gateway-1", "gateway-2", "migrate", "proxy", "postgres"}
    assert profiles == {"gateway": ["one"]} | {name: ["scale"] for name in scale}


def test_env_example_is_one_machine() -> None:
    """A copy of the example starts the gateway with SQLite; the other profile needs a line changed."""
    assert dotenv_values(ROOT / ".env.example")["COMPOSE_PROFILES"] == "one"


def test_compose_gateways_wait_for_the_migration() -> None:
    """Tables are up to date before a gateway starts, and the database is there before that."""
    for name in ("gateway-1", "gateway-2"):
        assert COMPOSE["services"][name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert COMPOSE["services"]["migrate"]["command"] == ["migrate"]
    assert COMPOSE["services"]["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


@pytest.mark.parametrize("name", ["gateway-1", "gateway-2", "migrate", "proxy"])
def test_compose_takes_rights_away_from_all(name: str) -> None:
    """Whatever is ours, and nginx, runs with a read-only root and without capabilities."""
    service = COMPOSE["services"][name]
    assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_compose_publishes_one_port() -> None:
    """PostgreSQL and the two gateways are reached through nginx or not at all."""
    published = {name for name, service in COMPOSE["services"].items() if "ports" in service}
    assert published == {"gateway", "proxy"}
    assert json.dumps(COMPOSE["services"]["proxy"]["ports"]).count("127.0.0.1") == 1

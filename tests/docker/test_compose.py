"""No container engine is needed: what the compose file says must exist in the project."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
STAGES = (DOCKER / "Dockerfile").read_text()


def copied(target: str) -> dict[str, Path]:
    """Where each file of an image comes from: {path in the image: path in the project}, as the Dockerfile copies."""
    parents = {stage: parent for parent, stage in re.findall(r"^FROM (\S+) AS (\S+)$", STAGES, re.M)}
    places: dict[str, Path] = {}
    wanted = [target]
    while parents[wanted[-1]] in parents:
        wanted.append(parents[wanted[-1]])
    for stage in [*wanted, "environment"]:
        body = re.search(rf"AS {stage}\n(.*?)(?=^FROM|\Z)", STAGES, re.M | re.S)
        for line in re.findall(r"^COPY (?!--from)(.+)$", body.group(1) if body else "", re.M):
            *sources, destination = line.split()
            for source in sources:
                name = "" if (ROOT / source).is_dir() else f"/{Path(source).name}"
                places[os.path.normpath(f"/opt/uptake/{destination}{name}")] = ROOT / source
    return places


def in_project(path: str, service: dict) -> Path:
    places = copied(service["build"]["target"])
    for place in sorted(places, key=len, reverse=True):
        if path == place or path.startswith(place + "/"):
            return Path(str(places[place]) + path[len(place) :])
    raise AssertionError(f"{path} is not copied into the {service['build']['target']} image")


def test_every_file_that_the_dockerfile_copies_exists():
    for target in {service["build"]["target"] for service in OURS.values()}:
        places = copied(target)
        assert places
        for source in places.values():
            assert source.exists(), source


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_path_exists(name):
    service = OURS[name]
    command = service["command"]
    words = [*command, *(service.get("healthcheck") or {}).get("test", ["CMD"])[1:]]
    for word in words:
        if word.startswith("/opt/uptake/"):
            assert in_project(word, service).exists(), word
    program = command[0]
    if not program.startswith("/"):
        assert (ROOT / ".venv" / "bin" / program).exists(), program


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_careful(name):
    service = SERVICES[name]
    if name != "airflow-init":
        assert service["healthcheck"]["test"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "published on loopback only"
        assert re.search(rf"^EXPOSE .*\b{port.rsplit(':', 1)[1]}\b", STAGES, re.M)
    for secret in service.get("secrets", []):
        assert secret in COMPOSE["secrets"]
    for variable, value in (service.get("environment") or {}).items():
        if re.search("PASSWORD|SECRET|FERNET|_CONN|OPERATIONS_URL", variable) and "SECRETS__BACKEND" not in variable:
            assert variable.endswith("_FILE"), f"{variable} of {name} is not read from a file"
            assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_images_do_not_run_as_root():
    for target in {service["build"]["target"] for service in OURS.values()}:
        assert re.search(rf"^FROM base AS {target}$", STAGES, re.M)
    base = re.search(r"AS base\n(.*?)(?=^FROM)", STAGES, re.M | re.S).group(1)
    assert re.search(r"^USER uptake$", base, re.M)
    assert SERVICES["postgres"]["user"] == "postgres"


def test_the_same_environment_everywhere():
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"UV_VERSION := (\S+)", makefile).group(1) == re.search(r"UV_VERSION=(\S+)", STAGES).group(1)


def test_secrets_come_from_files_and_a_missing_one_is_named(tmp_path):
    secret = tmp_path / "secrets" / "password"
    secret.parent.mkdir()
    secret.write_text("s3cret")
    environment = {"PATH": os.environ["PATH"], "UPTAKE_PASSWORD_FILE": str(secret), "OTHER_FILE": "/secrets/none"}
    run = [str(DOCKER / "entrypoint.sh"), "sh", "-c", 'printf %s "$UPTAKE_PASSWORD"']
    assert subprocess.run(run, env=environment, capture_output=True, text=True).stdout == "s3cret"
    secret.unlink()
    done = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "UPTAKE_PASSWORD" in done.stderr


def test_make_secrets_makes_every_secret_once_and_for_the_owner_only(tmp_path):
    script = tmp_path / "make-secrets.sh"
    script.write_text((DOCKER / "make-secrets.sh").read_text())
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert all(path.stat().st_mode & 0o077 == 0 for path in made.values())
    password = made["postgres_password"].read_text()
    assert len(password) >= 32
    assert password in made["operations_url"].read_text()


def test_shell_scripts_are_correct_shell():
    for script in DOCKER.glob("*.sh"):
        subprocess.run(shlex.split(f"sh -n {script}"), check=True)

"""What the documents and the container files say is true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml
from running import ROOT

from pipeline.cli import HOMES
from pipeline.configfile import parse_config, read_config
from pipeline.simulate.faults import faults_table

DOCS = ROOT / "docs"


def test_the_list_of_keys_is_that_of_the_models() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "schemas.py"))["configuration_page"]()
    assert (DOCS / "configuration.md").read_text() == page, "run `make schemas`"


def test_the_list_of_faults_is_that_of_the_simulated_cameras() -> None:
    assert faults_table() in (DOCS / "simulate.md").read_text()


def test_the_readmes_configuration_is_valid() -> None:
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    account = {"CAM_USER": "a", "CAM_PASSWORD": "b"}
    config = parse_config(example, where="README.md", folder=Path(), environ=account)
    assert set(config.cameras) == {"back-door"}


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *DOCS.glob("*.md")]), ids=lambda p: p.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_command_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"`?vigil ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named & set(HOMES) >= {"init", "check", "run", "subscribe", "doctor", "service"}


def test_the_architecture_names_every_module_at_the_root() -> None:
    page = (DOCS / "architecture.md").read_text()
    for module in (ROOT / "pipeline").glob("*.py"):
        assert module.name in page or module.stem in page, module.name


def test_containers_may_do_no_more_than_they_need() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] != "0", name
        # What is published is published to this machine alone.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_what_the_image_copies_is_there() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    copied = [
        line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line
    ]
    for source in [name for names in copied for name in names]:
        assert (ROOT / source).exists(), source
    assert any(line.startswith("USER ") and line != "USER root" for line in lines)


def test_the_containers_configuration_is_valid() -> None:
    account = {"CAM_USER": "a", "CAM_PASSWORD": "b"}
    config = read_config(ROOT / "docker" / "streams.yaml", environ=account)
    assert config.data == Path("/data/vigil")
    assert config.redis.get_secret_value() == "redis://redis:6379/0"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.aws.session import AwsSession
from tests.aws.bootstrapping import PARAMETERS
from tests.aws.emulated import Emulated, Server
from tests.aws.laptop import SETTINGS, Laptop
from tests.aws.world import REGION, World


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests: every one of them finds it empty."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def ec2(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """The emulator, which is all that this process takes for AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return server.emptied()


@pytest.fixture(scope="session")
def opened() -> AwsSession:
    """A door that all tests may share, since opening one takes botocore half a second."""
    return AwsSession({"region": REGION}, attempts=2)


@pytest.fixture
def aws(ec2: Emulated) -> AwsSession:
    """A door of its own to the emulator, which has counted nothing yet and knows nobody's keys."""
    return AwsSession({"region": REGION}, attempts=2)


@pytest.fixture
def world(ec2: Emulated, opened: AwsSession) -> World:
    """A cluster in two zones."""
    return World(ec2, opened)


@pytest.fixture
def account(
    ec2: Emulated, opened: AwsSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AwsSession:
    """The door for a person with a home, in a region with Amazon's public parameters."""
    monkeypatch.setenv("HOME", str(tmp_path))
    ec2.parameters = dict(PARAMETERS)
    return opened


@pytest.fixture
def laptop(
    ec2: Emulated, account: AwsSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Laptop:
    """Who launches, in an account where nobody has launched anything yet."""
    settings = tmp_path / "ssh_config"
    settings.write_text(SETTINGS)
    monkeypatch.setenv("RAYTUI_SSH_CONFIG", str(settings))
    return Laptop(ec2, account)

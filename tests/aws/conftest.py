from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raytui.backends.aws.session import AwsSession
from tests.aws.emulated import Emulated, emulator
from tests.aws.world import REGION, World


@pytest.fixture
def ec2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    """The emulator, which is all that this process takes for AWS."""
    with emulator() as emulated:
        monkeypatch.setenv("AWS_ENDPOINT_URL", emulated.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield emulated


@pytest.fixture
def aws(ec2: Emulated) -> AwsSession:
    """A session that gives up soon."""
    return AwsSession({"region": REGION}, attempts=2)


@pytest.fixture
def world(ec2: Emulated, aws: AwsSession) -> World:
    """A cluster in two zones."""
    return World(ec2, aws)

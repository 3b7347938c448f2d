"""The emulated metadata service answers as Amazon's: what Amazon's own library makes of it."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.session import Session

from tests.support.instance_metadata import LOOPBACK, Metadata, MetadataService, metadata_service

NOTICE = "meta-data/spot/instance-action"


def asked(service: MetadataService, path: str, token: str) -> str:
    headers = {"X-aws-ec2-metadata-token": token} if token else {}
    with urlopen(Request(f"{service.url}/latest/{path}", headers=headers), timeout=5) as answer:
        return str(answer.read().decode())


def token_for(service: MetadataService, ttl: str = "60") -> str:
    headers = {"X-aws-ec2-metadata-token-ttl-seconds": ttl}
    request = Request(f"{service.url}/latest/api/token", headers=headers, method="PUT")
    with urlopen(request, timeout=5) as answer:
        return str(answer.read().decode())


def refused(service: MetadataService, path: str, token: str) -> int:
    with pytest.raises(HTTPError) as error:
        asked(service, path, token)
    return error.value.code


def test_botocore_gets_the_keys_of_the_instance_profile_from_it(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with metadata_service() as service:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url)
        service.instances[LOOPBACK] = Metadata("i-0abc", role="ray-autoscaler-v1")
        keys = Session().get_credentials()
        assert (keys.method, keys.access_key) == ("iam-role", "ASIA0ABC")


def test_a_notice_is_told_to_the_instance_from_the_moment_it_is_given():
    with metadata_service() as service:
        service.instances[LOOPBACK] = Metadata()
        token = token_for(service)
        assert refused(service, NOTICE, token) == 404
        service.instances[LOOPBACK].taken_back = ("terminate", 1_700_000_000.0)
        assert asked(service, NOTICE, token) == (
            '{"action": "terminate", "time": "2023-11-14T22:13:20Z"}'
        )
        assert service.instances[LOOPBACK].asked[NOTICE] == 2


def test_nothing_is_told_without_a_token_that_is_good():
    with metadata_service() as service:
        service.instances[LOOPBACK] = Metadata()
        token = token_for(service)
        assert refused(service, "meta-data/instance-id", "") == 401
        service.forget_tokens()
        assert refused(service, "meta-data/instance-id", token) == 401
        service.longest_ttl_s = 0
        assert refused(service, "meta-data/instance-id", token_for(service)) == 401

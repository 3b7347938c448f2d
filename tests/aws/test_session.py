"""The door to AWS: whose credentials, which region, how many calls."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from raytui.backends.aws.session import AwsSession
from raytui.backends.base import AuthError, ConfigError, TransientError
from tests.aws.emulated import REGION, Emulated


def test_calls_are_counted_with_the_repeated_ones(ec2: Emulated) -> None:
    aws = AwsSession({"region": REGION}, attempts=2)
    ec2.fail("DescribeSubnets", "InternalError", status=500, times=1)
    list(aws.pages("ec2", "describe_subnets", "Subnets"))
    aws.call("ec2", "describe_vpcs")
    assert aws.calls() == {"ec2.DescribeSubnets": 2, "ec2.DescribeVpcs": 1}


def test_without_credentials_one_sentence_says_what_was_tried(
    ec2: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        AuthError, match="no AWS credentials: profile default in us-west-2 was tried"
    ):
        AwsSession({"region": REGION}).call("ec2", "describe_vpcs")


def test_a_profile_that_is_not_there_is_named(
    ec2: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AuthError, match="nobody"):
        AwsSession({"region": REGION}).call("ec2", "describe_vpcs")


def test_the_region_is_the_files_else_the_environments(
    ec2: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert AwsSession({}).region == "eu-north-1"
    assert AwsSession({"region": REGION}).region == REGION


def test_no_region_is_said_before_any_call(ec2: Emulated) -> None:
    with pytest.raises(ConfigError, match=r"provider\.region"):
        AwsSession({}).call("ec2", "describe_vpcs")


def test_keys_of_the_cluster_file_go_first(ec2: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    keys = {"aws_access_key_id": "AKIAFILE", "aws_secret_access_key": "secret"}
    session = AwsSession({"region": REGION, "aws_credentials": keys})
    assert session.call("sts", "get_caller_identity")["Account"]


def test_nobody_there_is_transient(ec2: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match=r"127\.0\.0\.1"):
        AwsSession({"region": REGION}, attempts=1).call("ec2", "describe_vpcs")


def test_a_malformed_call_is_a_matter_of_configuration(aws: AwsSession) -> None:
    with pytest.raises(ConfigError, match="NoSuchWord"):
        aws.call("ec2", "describe_vpcs", NoSuchWord=1)


class _Portal(BaseHTTPRequestHandler):
    """A proxy that answers everything with a page for people."""

    def do_POST(self) -> None:
        page = b"<!doctype html>\n<title>Please log in</title>"
        self.send_response(500)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: tests tell what they find."""


def test_what_is_no_answer_of_amazons_is_transient(
    ec2: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), _Portal) as portal:
        thread = threading.Thread(target=portal.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{portal.server_port}")
        with pytest.raises(TransientError, match="Please log in"):
            AwsSession({"region": REGION}, attempts=1).call("ec2", "describe_vpcs")
        portal.shutdown()
        thread.join(10)

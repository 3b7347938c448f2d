"""boto3 is loaded only where AWS is used: it takes a third of a second and most clusters none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_CALL = """
import sys
from raytui.cli import main
sys.argv = ["raytui", *{argv!r}]
try:
    main()
except SystemExit:
    pass
print("loaded:", sorted({{"boto3", "botocore"}} & set(sys.modules)))
"""
FILE = """
cluster_name: here
provider: {type: fake_multinode}
max_workers: 1
available_node_types:
  ray.head.default: {resources: {CPU: 1}}
  worker: {resources: {CPU: 1}, max_workers: 1}
head_node_type: ray.head.default
"""


@pytest.mark.parametrize("argv", [["status", "FILE"], ["--help"], ["plan", "FILE"]])
def test_a_local_cluster_does_not_load_boto3(tmp_path: Path, argv: list[str]) -> None:
    file = tmp_path / "here.yaml"
    file.write_text(FILE)
    words = [str(file) if word == "FILE" else word for word in argv]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", _CALL.format(argv=words)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "loaded: []" in done.stdout, done.stdout + done.stderr


def test_the_aws_backend_itself_loads_boto3_at_the_first_call_only() -> None:
    code = (
        "import sys, raytui.backends.aws.machines as m\n"
        "from raytui.backends.aws.session import AwsSession\n"
        "session = AwsSession({'region': 'us-west-2'})\n"
        "print('boto3' in sys.modules or 'paramiko' in sys.modules)\n"
        "session._opened()\n"
        "print('boto3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "True"], done.stderr

"""What the head needs to set up workers: the cluster file as it holds there, a key, host keys.

Names and changes are Ray's (`_set_up_config_for_head_node` of `_private/commands.py`).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raytui.config.bootstrap_files import CONFIG, KEY, KNOWN_HOSTS
from raytui.model.spec import ClusterSpec

_FROM_HERE_ONLY = ("ssh_proxy_command", "ssh_proxy_use_node_id")


@contextmanager
def bootstrap_files(
    spec: ClusterSpec, *, known_hosts: str = "", no_restart: bool = False
) -> Iterator[dict[str, str]]:
    """The files as mounts (path on the head → path here), gone from here at the end of the block.

    Nobody else can read them, here or there. `known_hosts` is the text of that file, which is left
    out when it is empty. Raises OSError when the key cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="raytui-bootstrap-") as directory:
        config = Path(directory, "config.yaml")
        text = json.dumps(bootstrap_config(spec, no_restart=no_restart), ensure_ascii=False)
        mounts = {CONFIG: _private_file(config, text.encode())}
        if spec.auth.ssh_private_key:
            key = Path(spec.auth.ssh_private_key).expanduser().read_bytes()
            mounts[KEY] = _private_file(Path(directory, "key.pem"), key)
        if known_hosts:
            file = Path(directory, "known_hosts")
            mounts[KNOWN_HOSTS] = _private_file(file, known_hosts.encode())
        yield mounts


def bootstrap_config(spec: ClusterSpec, *, no_restart: bool = False) -> dict[str, Any]:
    """The cluster file for the head's eyes: paths are the head's, and so are ways to the workers.

    `setup_commands` have gone into the head's and the workers' lists; they are left out here, so
    that whoever fills the file in once more does not run them twice.
    """
    written = {key: value for key, value in spec.written.items() if key != "head_node"}
    auth = {k: v for k, v in written.get("auth", {}).items() if k not in _FROM_HERE_ONLY}
    if "ssh_private_key" in auth:
        auth["ssh_private_key"] = KEY
    metadata = written.get("metadata", {})
    ours = {**metadata.get("raytui", {}), "on_head": True}
    if spec.launch_hashes:
        ours["launch_hashes"] = spec.launch_hashes
    return {
        **written,
        "metadata": {**metadata, "raytui": ours},
        "auth": auth,
        "file_mounts": {remote: remote for remote in written.get("file_mounts", {})},
        # Ray's own autoscaler refuses a file without them.
        "cluster_synced_files": written.get("cluster_synced_files", []),
        "setup_commands": [],
        "no_restart": no_restart,
    }


def _private_file(path: Path, content: bytes) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return str(path)

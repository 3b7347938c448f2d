"""What the files are called that `up` brings to a head; the names are Ray's."""

from __future__ import annotations

CONFIG = "~/ray_bootstrap_config.yaml"
KEY = "~/ray_bootstrap_key.pem"
KNOWN_HOSTS = "~/ray_bootstrap_known_hosts"
"""Ours alone: the host keys of the workers, in OpenSSH's format, under their names in the file."""

BOOTSTRAP_FILES = (CONFIG, KEY, KNOWN_HOSTS)

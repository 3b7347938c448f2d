"""Set-up commands for cloud images without Ray, where a cluster file has none of its own.

Ray's default ones install a nightly build into the image's own Python, which images that mind
their packages refuse. These get a release into an environment of its own, unless Ray is there.
"""

from __future__ import annotations

RAY = "2.60.0"
"""What raytui is tested with. One version for all nodes, whenever they join."""

_PLACE = "$HOME/.local/share/raytui/python"
_APT = "sudo apt-get -o DPkg::Lock::Timeout=300"
"""Images update themselves when they start, and hold the lock meanwhile."""

GET_RAY = (
    f'command -v ray || python3 -m venv --clear "{_PLACE}" || '
    f"{{ {_APT} update && {_APT} install -y python3-venv && "
    f'python3 -m venv --clear "{_PLACE}"; }}',
    f'command -v ray || "{_PLACE}/bin/pip" install "ray[default]=={RAY}"',
    f"command -v ray || echo 'export PATH=\"{_PLACE}/bin:$PATH\"' >> ~/.bashrc",
)

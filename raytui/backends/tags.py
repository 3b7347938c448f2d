"""Under which names the making of a node is written down with its machine (`Machines.tag`).

The hashes have Ray's own names (`ray/autoscaler/tags.py`), so that either knows the other's nodes.
An empty value means: not known.
"""

from __future__ import annotations

LAUNCH = "ray-launch-config"
RUNTIME = "ray-runtime-config"
CONTENTS = "ray-file-mounts-contents"

STATUS = "ray-node-status"
"""How far its making is, in Ray's words: `setting-up`, `up-to-date`, `update-failed`."""

RAY_STARTED = "raytui-ray-started-at"
"""Unix seconds when the set-up was done and Ray was started for this instance. A claim that is new
on a machine that was set up before has the hashes and lacks this."""

"""Labels and annotations by which raytui's own things on Kubernetes are known."""

from __future__ import annotations

CREATED_BY = "app.kubernetes.io/created-by"
"""Label of every pod and service of a Ray cluster: who has made it."""
KUBERAY = "kuberay-operator"
OPERATOR = "raytui-operator"
"""Values of CREATED_BY; the second is the `app.kubernetes.io/name` of the operator's own pods,
too."""
APP = "app.kubernetes.io/name"

DAEMON_OF = "raytui.io/daemon-of"
"""Label of a pod that runs the autoscaler of one RayCluster: its name. The container is
`DAEMON_CONTAINER`."""
DAEMON_CONTAINER = "raytui"
"""In which raytui runs, in such pods and in the operator's."""

REQUEST = "raytui.io/request"
"""Annotation of a worker pod: the launch request that it was made for."""
TEMPLATE_HASH = "raytui.io/template-hash"
"""Annotation of a pod: of what its group said when it was made."""
MEMORY = "raytui.io/memory"
"""Annotation of a RayCluster: what its autoscaler has to remember (floors, holds, a pause)."""
SUMMARY = "raytui.io/summary"
"""Annotation of a RayCluster: how it is, for who lists many of them (summary.py)."""
FINALIZER = "raytui.io/operator"

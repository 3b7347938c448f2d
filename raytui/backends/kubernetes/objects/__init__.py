"""The Kubernetes objects of a RayCluster, each built from its resource alone: nothing is asked.

A resource is what the API server gives: with a name, a namespace and a uid.
"""

from __future__ import annotations

from raytui.backends.kubernetes.objects.gcs_storage import volume_claim
from raytui.backends.kubernetes.objects.names import WorkerName, workers_of
from raytui.backends.kubernetes.objects.pod import DOMAIN, head_pod, template_hash, worker_pod
from raytui.backends.kubernetes.objects.security import token_secret
from raytui.backends.kubernetes.objects.service import head_service, workers_service

__all__ = [
    "DOMAIN",
    "WorkerName",
    "head_pod",
    "head_service",
    "template_hash",
    "token_secret",
    "volume_claim",
    "worker_pod",
    "workers_of",
    "workers_service",
]

"""The first look at a cluster: in a pod it is waited for, at a terminal it fails at once."""

from __future__ import annotations

import logging
import os
import time

from raytui.autoscaler.daemon.log import note, start_log_on_stderr
from raytui.backends.base import ProviderError
from raytui.config.kube_address import is_address
from raytui.config.problems import ConfigErrors
from raytui.model.spec import ClusterSpec
from raytui.provisioning.target import cluster_of

_IN_POD = "KUBERNETES_SERVICE_HOST"
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0

_log = logging.getLogger(__name__)


def when_it_can_be_read(target: str) -> ClusterSpec:
    """The cluster that `target` means; raises as `cluster_of` does.

    In a pod nobody waits for an answer, and a pod that ends again and again says less than one
    whose log says what is missing: an address of Kubernetes is asked for until it is told.
    """
    if not is_address(target) or _IN_POD not in os.environ:
        return cluster_of(target)
    start_log_on_stderr()
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return cluster_of(target)
        except (ConfigErrors, ProviderError) as error:
            note(_log, logging.WARNING, "waiting for the cluster", target=target, why=str(error))
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

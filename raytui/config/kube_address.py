"""How a person names a cluster on Kubernetes: `k8s:[[CONTEXT/]NAMESPACE/]NAME`."""

from __future__ import annotations

import re

from msgspec import Struct

PREFIX = "k8s:"
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class KubeAddressError(ValueError):
    """What was written is no address; `str()` says what one looks like."""


class KubeAddress(Struct, frozen=True):
    """A RayCluster; an empty context or namespace is the one that kubectl would take."""

    name: str
    namespace: str = ""
    context: str = ""
    """May have slashes, as those that cloud tools write into kubeconfigs do."""

    def __str__(self) -> str:
        """The address; one with a context has to have its namespace, too."""
        return PREFIX + "/".join(part for part in (self.context, self.namespace, self.name) if part)


def is_address(target: str) -> bool:
    """Whether a target means a cluster on Kubernetes and not a file or a known name."""
    return target.startswith(PREFIX)


def read_address(target: str) -> KubeAddress:
    """The parts of an address; raises KubeAddressError."""
    *context, namespace, name = ["", *target.removeprefix(PREFIX).split("/")]
    for word, what in ((name, "name"), (namespace, "namespace")):
        if not _DNS_LABEL.fullmatch(word) and (word or what == "name"):
            raise KubeAddressError(
                f"{target!r} is no RayCluster: {word!r} is no {what}; write "
                "k8s:NAME, k8s:NAMESPACE/NAME or k8s:CONTEXT/NAMESPACE/NAME"
            )
    return KubeAddress(name, namespace, "/".join(part for part in context if part))

"""raytui in place of KubeRay's own autoscaler for one RayCluster, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from raytui.backends.base import ConfigError
from raytui.backends.kubernetes import pods as pod_api
from raytui.backends.kubernetes import raycluster as cluster_api
from raytui.backends.kubernetes.daemon_objects import DEFAULT_IMAGE, daemon_objects
from raytui.backends.kubernetes.errors import AlreadyExistsError, NotFoundError
from raytui.backends.kubernetes.marks import DAEMON_OF
from raytui.backends.kubernetes.session import Json, KubeSession
from raytui.backends.kubernetes.sidecar import why_it_scales

_PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Deployment": "deployments",
}
_CONTENT = ("rules", "roleRef", "subjects", "spec")
"""What objects of these kinds say besides their metadata."""


class Installation(Struct, frozen=True):
    """What is to be made and changed for a RayCluster, before anything is."""

    name: str
    namespace: str
    objects: tuple[Json, ...]
    """In the order in which they are made."""
    patch: tuple[Json, ...] = ()
    """JSON patch of the RayCluster; empty when it is as it has to be."""
    restarts: bool = False
    """The patch makes KubeRay delete all pods of the cluster, and make them anew."""
    still_scaled: str = ""
    """Why Ray's own autoscaler goes on after the patch, and what to do; empty when it does not."""


class Step(Struct, frozen=True):
    """What was done about one object."""

    what: str
    """`Deployment demo-raytui`, in Kubernetes' words."""
    outcome: str
    """`created`, `changed`, `as it is`, `deleted` or `not there`."""


def plan_of_installation(
    session: KubeSession, namespace: str, name: str, image: str = DEFAULT_IMAGE
) -> Installation:
    """What an installation would do; nothing is changed.

    Raises ProviderError; NotFoundError when there is no such RayCluster.
    """
    resource = session.get(cluster_api.path_of(namespace, name))
    is_autoscaled = bool(resource["spec"].get("enableInTreeAutoscaling"))
    strategy = resource["spec"].get("upgradeStrategy") or {}
    restarts = is_autoscaled and strategy.get("type") == "Recreate"
    return Installation(
        name=name,
        namespace=namespace,
        objects=tuple(daemon_objects(resource, image)),
        patch=_switched_off(resource) if is_autoscaled else (),
        restarts=restarts,
        still_scaled="" if restarts else _still_scaled(session, namespace, name),
    )


def apply(session: KubeSession, installation: Installation) -> list[Step]:
    """Do it; safe to be done again after it was cut off. Raises ProviderError.

    KubeRay's autoscaler is switched off last: until then it goes on, and raytui only watches.
    """
    steps = [_applied(session, one) for one in installation.objects]
    if installation.patch:
        path = cluster_api.path_of(installation.namespace, installation.name)
        session.patch(path, list(installation.patch), fieldManager=cluster_api.FIELD_MANAGER)
        steps.append(Step(f"RayCluster {installation.name}", "changed"))
    return steps


def uninstall(session: KubeSession, namespace: str, name: str) -> list[Step]:
    """Delete what an installation made; the RayCluster stays as it is. Raises ProviderError.

    Whoever wants KubeRay's autoscaler back sets `enableInTreeAutoscaling` to true after that.
    """
    stand_in: Json = {"metadata": {"name": name, "namespace": namespace, "uid": ""}}
    return [_deleted(session, one) for one in reversed(daemon_objects(stand_in))]


def _still_scaled(session: KubeSession, namespace: str, name: str) -> str:
    heads = f"{pod_api.CLUSTER}={name},{pod_api.KIND}=head"
    found = session.items(pod_api.path_of(namespace), labelSelector=heads)
    words = (why_it_scales(pod) for pod in map(pod_api.pod_of, found) if pod.is_there)
    return next(filter(None, words), "")


def _switched_off(resource: Json) -> tuple[Json, ...]:
    version = {
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": resource["metadata"]["resourceVersion"],
    }
    off = {"op": "replace", "path": "/spec/enableInTreeAutoscaling", "value": False}
    return version, off


def _applied(session: KubeSession, wanted: Json) -> Step:
    what = _words(wanted)
    try:
        session.create(_path_of(wanted), wanted)
    except AlreadyExistsError:
        there = _ours(session, wanted)
        operations = _changes(there, wanted)
        if not operations:
            return Step(what, "as it is")
        changed = session.patch(
            _path_of(wanted, wanted["metadata"]["name"]),
            operations,
            fieldManager=cluster_api.FIELD_MANAGER,
        )
        is_new = _version(changed) != _version(there)
        return Step(what, "changed" if is_new else "as it is")
    return Step(what, "created")


def _changes(there: Json, wanted: Json) -> list[Json]:
    """A patch that makes of what is there what is wanted; the server leaves out what is so."""
    found: Sequence[tuple[str, object]] = [
        ("/metadata/ownerReferences", wanted["metadata"]["ownerReferences"]),
        *((f"/{field}", wanted[field]) for field in _CONTENT if field in wanted),
    ]
    operations = [
        {"op": "add", "path": path, "value": value}
        for path, value in found
        if value != _at(there, path)
    ]
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": _version(there)}
    return [version, *operations] if operations else []


def _at(there: Json, path: str) -> object:
    found: object = there
    for key in path.strip("/").split("/"):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _deleted(session: KubeSession, one: Json) -> Step:
    try:
        there = _ours(session, one)
        session.delete(_path_of(one, one["metadata"]["name"]), uid=there["metadata"]["uid"])
    except NotFoundError:
        return Step(_words(one), "not there")
    return Step(_words(one), "deleted")


def _ours(session: KubeSession, wanted: Json) -> Json:
    """The object of this name, unless somebody else has made it."""
    there = session.get(_path_of(wanted, wanted["metadata"]["name"]))
    label = wanted["metadata"]["labels"][DAEMON_OF]
    if (there["metadata"].get("labels") or {}).get(DAEMON_OF) != label:
        raise ConfigError(
            f"there is a {_words(wanted)} that raytui has not made (no label {DAEMON_OF}={label}): "
            "rename or delete it"
        )
    return there


def _path_of(one: Json, name: str = "") -> str:
    version = one["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    path = f"{root}/namespaces/{one['metadata']['namespace']}/{_PLURALS[one['kind']]}"
    return f"{path}/{name}" if name else path


def _words(one: Json) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


def _version(one: Json) -> str:
    return str(one["metadata"]["resourceVersion"])

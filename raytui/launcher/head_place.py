"""Where the head of a cluster elsewhere is: as its file says, as was noted, or as its cloud tells.

On-premise the file names the host. In a cloud the head is an instance: `up` notes where it is, and
so does who finds it by the cluster's tags, on a machine that has the cluster file only. The note is
believed until the head does not answer; nobody asks the cloud before.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from raytui.backends.base import AuthError, ConfigError, ProviderError
from raytui.backends.cloud import Cloud
from raytui.config.durable import write_durably
from raytui.config.locations import ClusterPaths
from raytui.model.codec import decode, encode
from raytui.model.lifecycle import LEAVING
from raytui.model.spec import AuthSpec, ClusterSpec
from raytui.model.state import Instance
from raytui.provisioning.node_setup import launch_hash_of
from raytui.provisioning.registry import cloud_for, machines_for

_FILE = "head.json"
_REQUEST = "head_request"


class HeadPlace(Struct, frozen=True, omit_defaults=True):
    """A head, and how this machine reaches it."""

    instance_id: str
    """The provider's, which Ray on it has in its environment."""
    address: str
    """Name or address by which it is reached from here."""
    machine: str = ""
    """Its name in known_hosts where its address is only lent; its key is ours to learn."""
    private_key: str = ""
    """The key file that it was launched with, where the cluster file names none."""
    account: str = ""
    """Who pays for it, where it was bought."""

    def auth(self, spec: ClusterSpec) -> AuthSpec:
        """How to log in to the machines of the cluster."""
        if spec.auth.ssh_private_key or not self.private_key:
            return spec.auth
        return msgspec.structs.replace(spec.auth, ssh_private_key=self.private_key)


class HeadNotFoundError(ProviderError):
    """The cluster has no head that could be reached; `str()` says what to do."""

    def __init__(self, spec: ClusterSpec, what: str) -> None:
        again = f"raytui up {spec.source or spec.cluster_name}"
        super().__init__(f"{spec.cluster_name}: {what}. Bring it up: {again}")


def head_place(spec: ClusterSpec, paths: ClusterPaths) -> HeadPlace:
    """Where the head is; asks the cloud only when nothing was noted.

    Raises ConfigError when nothing can say it, HeadNotFoundError, and what asking raises.
    """
    return known_place(spec, paths) or find_head_place(spec, paths)


def known_place(spec: ClusterSpec, paths: ClusterPaths) -> HeadPlace | None:
    """Where the head is, as far as that is known without asking anybody."""
    return _written(spec) or noted_place(paths)


def find_head_place(spec: ClusterSpec, paths: ClusterPaths) -> HeadPlace:
    """Where the head is by the cluster's tags, noted from now on; raises as `head_place`."""
    cloud = cloud_for(spec)
    if cloud is None:
        raise ConfigError(
            f"raytui {spec.cluster_name}: provider type {spec.provider.type} cannot be launched "
            "yet; aws, local (hosts reached by SSH) and fake_multinode (real Ray nodes on this "
            "machine) can"
        )
    check_account(spec, paths, cloud)
    noted = noted_place(paths)
    heads = heads_in(machines_for(spec, paths).list_instances(), noted)
    if not heads:
        raise HeadNotFoundError(spec, "no head of it runs")
    if not heads[0].ip:
        raise HeadNotFoundError(spec, f"its head {heads[0].instance_id} has no address yet")
    key = spec.auth.ssh_private_key or cloud.key_file(heads[0].instance_id)
    return note_place(paths, place_of(heads[0], cloud, key))


def has_moved(spec: ClusterSpec, paths: ClusterPaths) -> bool:
    """Whether a head that does not answer where it was noted is elsewhere by now; noted at once.

    An instance that was stopped and started has another address. Raises HeadNotFoundError when
    there is no head any more; when the cloud cannot be asked, nothing has moved.
    """
    noted = noted_place(paths)
    if noted is None or _written(spec):
        return False
    try:
        return find_head_place(spec, paths) != noted
    except HeadNotFoundError:
        raise
    except ProviderError:
        return False


def heads_in(instances: Iterable[Instance], noted: HeadPlace | None = None) -> list[Instance]:
    """Heads that are not on their way out: the one that was noted first, then the oldest."""
    ours = noted.instance_id if noted else ""
    heads = [one for one in instances if one.is_head and one.status not in LEAVING]
    return sorted(heads, key=lambda one: (one.instance_id != ours, one.launched_at))


def is_as_written(head: Instance, made_from: str, spec: ClusterSpec) -> bool:
    """Whether a head's machine is what the cluster file wants, as far as its tags tell.

    `made_from` is its launch hash; `spec` is as a person wrote it. Ray's own heads, which have no
    request of ours, carry a hash of the file as Ray completed it, which says nothing about ours.
    """
    is_told = bool(made_from and head.request_id)
    same = not is_told or made_from == launch_hash_of(spec, spec.head)
    return head.node_type == spec.head_node_type and same


def place_of(head: Instance, cloud: Cloud, private_key: str) -> HeadPlace:
    """The place of a head that has an address."""
    key = str(Path(private_key).expanduser()) if private_key else ""
    machine = cloud.machine_of(head.instance_id)
    return HeadPlace(head.instance_id, head.ip, machine, key, cloud.account())


def check_account(spec: ClusterSpec, paths: ClusterPaths, cloud: Cloud) -> None:
    """Raises AuthError where the noted head was bought in another account.

    It would not be found, and its machines would go on unseen.
    """
    noted = noted_place(paths)
    if noted is None or not noted.account or noted.account == (account := cloud.account()):
        return
    raise AuthError(
        f"{spec.cluster_name} was launched in account {noted.account}, and {cloud.whose} is of "
        f"account {account}: use the credentials it was launched with; where nothing of it is left "
        f"there, raytui down {spec.cluster_name} --forget"
    )


def note_place(paths: ClusterPaths, place: HeadPlace) -> HeadPlace:
    """Remember where the head is, on disk for good; the place itself."""
    if noted_place(paths) != place:
        paths.make()
        write_durably(paths.dir / _FILE, encode(place))
    return place


def noted_place(paths: ClusterPaths) -> HeadPlace | None:
    """What was noted; nobody is asked."""
    try:
        return decode((paths.dir / _FILE).read_bytes(), HeadPlace)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def head_request(paths: ClusterPaths) -> Path:
    """The file with the id of the request by which a head is being bought; none at other times."""
    return paths.dir / _REQUEST


def forget_head(paths: ClusterPaths) -> None:
    """There is no head any more, and none on its way."""
    for name in (_FILE, _REQUEST):
        (paths.dir / name).unlink(missing_ok=True)


def _written(spec: ClusterSpec) -> HeadPlace | None:
    """What the cluster file says."""
    options = spec.provider.options
    if spec.provider.type != "local" or "head_ip" not in options:
        return None
    inside = str(options["head_ip"])
    return HeadPlace(inside, str(options.get("external_head_ip") or inside))

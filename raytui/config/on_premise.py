"""The node types of provider `local`: Ray's one, and pools.

Ray's is made as in ray/autoscaler/_private/local/config.py. Pools (`metadata.raytui.pools`) are
ours: each is a node type over hosts of its own.
"""

from __future__ import annotations

from raytui.config.defaults import ON_PREMISE_TYPE
from raytui.config.problems import KeyPath, Problems, quoted
from raytui.config.values import Values, own_section, provider_type

_TYPES = "available_node_types"
_POOLS: KeyPath = ("metadata", "raytui", "pools")
_OF_A_TYPE = ("labels", "idle_timeout_s", "priority")


def pools_of(values: Values) -> dict[str, Values]:
    """The pools of a file, by node type."""
    pools: dict[str, Values] = own_section(values).get("pools", {})
    return pools


def hosts_in_no_pool(values: Values) -> list[str]:
    """Those of `worker_ips` that are of Ray's one type."""
    pooled = {host for pool in pools_of(values).values() for host in pool.get("hosts", ())}
    listed = values["provider"].get("worker_ips", ()) if provider_type(values) == "local" else ()
    return [host for host in listed if host not in pooled]


def make_types(filled: Values, problems: Problems) -> None:
    """Add the node types of provider `local` to a file."""
    if ON_PREMISE_TYPE in filled.get(_TYPES, {}):
        return  # Ray or raytui has been here: the file is what was written to the head.
    if filled.get(_TYPES):
        problems.add(
            (_TYPES,),
            "is not for provider local, whose machines are all of one type",
            f"remove it; the type is called {ON_PREMISE_TYPE}; "
            "metadata.raytui.pools makes more of them",
        )
        filled[_TYPES] = {}
        return
    coordinated = "coordinator_address" in filled["provider"]
    limits = _coordinated(filled, problems) if coordinated else _listed(filled, problems)
    filled["head_node_type"] = ON_PREMISE_TYPE
    filled[_TYPES] = {
        ON_PREMISE_TYPE: {"node_config": {}, "resources": {}, **limits},
        **{name: _type_of(pool) for name, pool in pools_of(filled).items()},
    }


def check_pools(values: Values, problems: Problems) -> None:
    """Note what is wrong with pools."""
    own, provider = own_section(values), provider_type(values)
    for key in ("pools", "power"):
        path: KeyPath = ("metadata", "raytui", key)
        if key in own and provider != "local":
            problems.add(path, f"is for provider local, not for {provider}")
        elif key in own and "coordinator_address" in values["provider"]:
            problems.add(path, "does not go with provider.coordinator_address")
    if provider == "local":
        _hosts_are_named_once(values, problems)
    for name, pool in pools_of(values).items():
        if name == ON_PREMISE_TYPE:
            hint = "its hosts are those of provider.worker_ips; give the pool another name"
            problems.add((*_POOLS, name), "is the type of the hosts in no pool", hint)
        _floor_is_below_limit(name, pool, problems)


def _hosts_are_named_once(values: Values, problems: Problems) -> None:
    """A host of a pool may be in worker_ips, too, as Ray has no pools."""
    provider = values["provider"]
    lists: list[tuple[KeyPath, str, list[str]]] = [
        ((*_POOLS, name, "hosts"), f"pool {name}", pool.get("hosts", []))
        for name, pool in pools_of(values).items()
    ]
    _each_once(
        [(("provider", "worker_ips"), "worker_ips", provider.get("worker_ips", []))],
        provider.get("head_ip"),
        problems,
    )
    _each_once(lists, provider.get("head_ip"), problems)


def _each_once(
    lists: list[tuple[KeyPath, str, list[str]]], head: str | None, problems: Problems
) -> None:
    named: dict[str, str] = {}
    for path, words, hosts in lists:
        for index, host in enumerate(hosts):
            if host == head:
                hint = "the head is never a worker"
                problems.add((*path, index), f"{quoted(host)} is the head", hint)
            elif host in named:
                already = f"{quoted(host)} is already in {named[host]}"
                problems.add((*path, index), already, "name it once")
            named[host] = words


def _floor_is_below_limit(name: str, pool: Values, problems: Problems) -> None:
    hosts, floor = len(pool.get("hosts", ())), pool.get("min_workers", 0)
    path = (*_POOLS, name, "min_workers")
    if problems.touch((*_POOLS, name)):
        return
    if floor > hosts:
        problems.add(path, f"is {floor}, more than the pool has hosts ({hosts})")
    elif floor > pool.get("max_workers", hosts):
        limit = pool["max_workers"]
        problems.add(path, f"is {floor}, more than the pool's max_workers of {limit}")


def _type_of(pool: Values) -> Values:
    hosts = len(pool.get("hosts", ()))
    limit = min(pool.get("max_workers", hosts), hosts)
    return {
        "node_config": {},
        "resources": pool.get("resources", {}),
        "min_workers": min(pool.get("min_workers", 0), limit),
        "max_workers": limit,
        **{key: pool[key] for key in _OF_A_TYPE if key in pool},
    }


def _coordinated(filled: Values, problems: Problems) -> Values:
    if "max_workers" not in filled:
        if not problems.touch(("max_workers",)):
            problems.add(("max_workers",), "is required with provider.coordinator_address")
        return {}
    return {"min_workers": filled.get("min_workers", 0), "max_workers": filled["max_workers"]}


def _listed(filled: Values, problems: Problems) -> Values:
    provider = filled["provider"]
    for key in ("head_ip", "worker_ips"):
        if key not in provider and not problems.touch(("provider", key)):
            problems.add(
                ("provider", key),
                "is required for provider local",
                "give head_ip and worker_ips, or coordinator_address",
            )
    if "worker_ips" not in provider or problems.touch(("max_workers",)):
        return {}
    listed = len(hosts_in_no_pool(filled))
    machines = listed + sum(len(pool.get("hosts", ())) for pool in pools_of(filled).values())
    filled["max_workers"] = min(filled.get("max_workers", machines), machines)
    least = min(filled.get("min_workers", listed), listed)
    return {"min_workers": least, "max_workers": min(filled["max_workers"], listed)}

"""Validated values → ClusterSpec."""

from __future__ import annotations

from typing import Any

from raytui.config.defaults import ON_PREMISE_TYPE
from raytui.config.on_premise import hosts_in_no_pool, pools_of
from raytui.config.values import Values, own_section
from raytui.model.leaving import OrphanPolicy, QuietHours, RebalancePolicy, RemovalRules, Share
from raytui.model.lifecycle import Timeouts
from raytui.model.resources import Resources
from raytui.model.spec import (
    AuthSpec,
    ClusterSpec,
    DockerSpec,
    Expander,
    FilesSpec,
    HostPool,
    Market,
    MetricsSpec,
    NodeType,
    Offering,
    PowerHooks,
    ProviderSpec,
)


def build(values: Values, source: str) -> ClusterSpec:
    """The spec of a file whose values were filled in and found without problems."""
    docker = values.get("docker", {})
    head = values["head_node_type"]
    has_workers = values["available_node_types"][head]["max_workers"] > 0
    return ClusterSpec(
        cluster_name=values["cluster_name"],
        provider=ProviderSpec(values["provider"]["type"], values["provider"]),
        node_types={
            name: _node_type(name, values, is_head=name == head and not has_workers)
            for name in values["available_node_types"]
        },
        head_node_type=head,
        head_itself=_node_type(head, values, is_head=True) if has_workers else None,
        max_workers=values["max_workers"],
        upscaling_speed=values["upscaling_speed"],
        idle_timeout_s=values["idle_timeout_minutes"] * 60,
        auth=AuthSpec(**values["auth"]),
        docker=_docker(docker) if docker.get("container_name") else None,
        files=FilesSpec(
            file_mounts=values.get("file_mounts", {}),
            cluster_synced_files=tuple(values.get("cluster_synced_files", ())),
            file_mounts_sync_continuously=values.get("file_mounts_sync_continuously", False),
            rsync_exclude=tuple(values.get("rsync_exclude", ())),
            rsync_filter=tuple(values.get("rsync_filter", ())),
        ),
        head_start_ray_commands=tuple(values["head_start_ray_commands"]),
        worker_start_ray_commands=tuple(values["worker_start_ray_commands"]),
        no_restart=values.get("no_restart", False),
        metadata=values.get("metadata", {}),
        expander=_expander(values),
        budget_per_hour=_budget_per_hour(values),
        removal=_removal(values),
        orphans=OrphanPolicy(own_section(values).get("orphans", OrphanPolicy.KEEP)),
        rebalance=RebalancePolicy(own_section(values).get("rebalance", RebalancePolicy.KEEP)),
        metrics=_metrics(values),
        timeouts=_timeouts(values),
        pools=_pools(values),
        on_head=own_section(values).get("on_head", False),
        launch_hashes=own_section(values).get("launch_hashes", {}),
        source=source,
        written=values,
    )


def _node_type(name: str, values: Values, *, is_head: bool) -> NodeType:
    """A type as it holds for its workers, or for the head itself."""
    own = values["available_node_types"][name]
    docker = {**values.get("docker", {}), **own.get("docker", {})}
    return NodeType(
        name=name,
        resources=Resources.of(own.get("resources", {})),
        labels=own.get("labels", {}),
        min_workers=own["min_workers"],
        max_workers=own["max_workers"],
        idle_timeout_s=own.get("idle_timeout_s"),
        priority=own.get("priority", 0),
        offerings=_offerings(name, values),
        node_config=own.get("node_config", {}),
        docker=_docker(docker, "head" if is_head else "worker")
        if docker.get("container_name")
        else None,
        initialization_commands=_commands("initialization_commands", own, values, is_head),
        setup_commands=tuple(values["head_setup_commands"])
        if is_head
        else _commands("worker_setup_commands", own, values, is_head),
    )


def _commands(key: str, own: Values, values: Values, is_head: bool) -> tuple[str, ...]:
    """A type's own list replaces the cluster's; `ray up` sets the head up with the cluster's."""
    cluster: list[str] = values.get(key, [])
    return tuple(cluster if is_head else own.get(key, cluster))


def _docker(section: Values, kind: str = "") -> DockerSpec:
    """The section as it holds for the head, for a worker, or for neither in particular."""
    return DockerSpec(
        image=section.get(f"{kind}_image") or section.get("image", ""),
        container_name=section.get("container_name", ""),
        pull_before_run=section.get("pull_before_run", True),
        run_options=(*section.get("run_options", ()), *section.get(f"{kind}_run_options", ())),
        disable_automatic_runtime_detection=section.get(
            "disable_automatic_runtime_detection", False
        ),
        disable_shm_size_detection=section.get("disable_shm_size_detection", False),
        use_podman=section.get("use_podman", False),
    )


def _pools(values: Values) -> dict[str, HostPool]:
    """The hosts of provider `local`, by node type."""
    power = own_section(values).get("power", {})
    listed = tuple(hosts_in_no_pool(values))
    pools = {ON_PREMISE_TYPE: HostPool(listed, power=PowerHooks(**power))} if listed else {}
    for name, pool in pools_of(values).items():
        pools[name] = HostPool(
            hosts=tuple(pool["hosts"]),
            resources=Resources.of(pool.get("resources", {})),
            power=PowerHooks(**{**power, **pool.get("power", {})}),
        )
    return pools


def _removal(values: Values) -> RemovalRules:
    removal = own_section(values).get("removal", {})
    return RemovalRules(
        drain_deadline_s=removal.get("drain_deadline"),
        max_draining=_share(removal),
        max_draining_idle=_share(removal.get("idle", {})),
        max_draining_over_limit=_share(removal.get("over_limit", {})),
        quiet_hours=tuple(map(_quiet_hours, removal.get("quiet_hours", ()))),
        timezone=removal.get("timezone", "UTC"),
    )


def _share(section: Values) -> Share | None:
    most = section.get("max_draining")
    if isinstance(most, str):
        return Share(float(most.removesuffix("%")), percent=True)
    return None if most is None else Share(most)


def _quiet_hours(span: str) -> QuietHours:
    start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in span.split("-"))
    return QuietHours(start, end)


def _expander(values: Values) -> tuple[Expander, ...]:
    raytui = own_section(values)
    return tuple(map(Expander, raytui.get("expander", ()))) or (Expander.PRICE,)


def _timeouts(values: Values) -> Timeouts:
    raytui = own_section(values)
    return Timeouts(**{f"{name}_s": limit for name, limit in raytui.get("timeouts", {}).items()})


def _metrics(values: Values) -> MetricsSpec:
    raytui = own_section(values)
    return MetricsSpec(**raytui.get("metrics", {}))


def _budget_per_hour(values: Values) -> float | None:
    raytui = own_section(values)
    most = raytui.get("budget", {}).get("max_per_hour")
    return None if most is None else float(most)


def _offerings(name: str, values: Values) -> tuple[Offering, ...]:
    """The ways to buy a type: as metadata.raytui has them, or the one that node_config says."""
    raytui = own_section(values)
    priced = raytui.get("node_types", {}).get(name, {})
    price = priced.get("price_per_hour")
    written = _written_offering(values["provider"]["type"], _config(name, values), price)
    return tuple(
        Offering(
            instance_type=offering.get("instance_type", written.instance_type),
            zone=offering.get("zone", ""),
            market=Market(offering.get("market", Market.ON_DEMAND)),
            price_per_hour=offering.get("price_per_hour", price),
        )
        for offering in priced.get("offerings", ())
    ) or (written,)


def _config(name: str, values: Values) -> Values:
    config: Values = values["available_node_types"][name].get("node_config", {})
    return config


def _written_offering(provider: str, config: Values, price: float | None) -> Offering:
    instance_type: Any = ""
    market = Market.ON_DEMAND
    match provider:
        case "aws":
            instance_type = config.get("InstanceType")
            options = config.get("InstanceMarketOptions")
            if isinstance(options, dict) and options.get("MarketType") == "spot":
                market = Market.SPOT
        case "gcp":
            instance_type = config.get("machineType")
        case "azure":
            parameters = config.get("azure_arm_parameters")
            instance_type = parameters.get("vmSize") if isinstance(parameters, dict) else ""
    return Offering(
        instance_type=instance_type if isinstance(instance_type, str) else "",
        market=market,
        price_per_hour=price,
    )

"""`raytui operator`: drive the RayClusters of a Kubernetes cluster."""

from __future__ import annotations

import click


@click.command()
@click.option("--context", default="", help="A context of the kubeconfig, outside of a pod.")
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, help="Drive those of NAMESPACE (repeatable)."
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Drive all RayClusters.")
@click.option("--lease-namespace", default="", help="Where the lease of leaders is kept.")
@click.option(
    "--leader-election/--no-leader-election",
    "elects",
    default=True,
    help="Only one of several operators acts.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Serve /metrics and /healthz there."
)
def operator(
    port: int,
    context: str,
    namespaces: tuple[str, ...],
    all_namespaces: bool,
    lease_namespace: str,
    elects: bool,
) -> None:
    """Make the pods of RayClusters, scale them, and take them away (see docs/kubernetes.md).

    Without -n and -A it drives the RayClusters of its own namespace, or the context's. SIGTERM ends
    it; pods stay.
    """
    from raytui.backends.kubernetes.access import Access
    from raytui.backends.kubernetes.session import KubeSession
    from raytui.operator.process import Options, run_operator

    if all_namespaces and namespaces:
        raise click.UsageError("give either --namespace or --all-namespaces")
    access = Access(context=context)
    here = () if all_namespaces else namespaces or (KubeSession(access).namespace,)
    run_operator(Options(access, here, lease_namespace, elects, port))

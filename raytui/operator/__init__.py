"""The operator: RayCluster resources where no KubeRay runs, each with an autoscaler of its own."""

"""Ray clusters that KubeRay runs on Kubernetes."""

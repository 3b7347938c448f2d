"""Cluster YAML to ClusterSpec, user settings, and where files live."""

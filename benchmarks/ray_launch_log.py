"""A node provider for Ray's own autoscaler that writes down when it is called, and does nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ray.autoscaler.node_provider import NodeProvider
from ray.autoscaler.tags import NODE_KIND_HEAD, TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

Tags = dict[str, str]

HEAD = "head"
"""The head's node type, and its id: Ray scales only once its provider knows a running head."""


class LaunchLog(NodeProvider):  # type: ignore[misc]  # Ray has no types
    """Loaded by Ray's monitor (`provider.type: external`). `log` is where its calls are written."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self._log = Path(provider_config["log"])
        self._nodes: dict[str, Tags] = {
            HEAD: {TAG_RAY_NODE_KIND: NODE_KIND_HEAD, TAG_RAY_USER_NODE_TYPE: HEAD}
        }

    def create_node_with_resources_and_labels(
        self,
        node_config: dict[str, Any],
        tags: Tags,
        count: int,
        resources: dict[str, float],
        labels: dict[str, str],
    ) -> None:
        """The launch call: its time is what is measured."""
        called_at = time.time()
        for _ in range(count):
            self._nodes[f"made-up-{len(self._nodes)}"] = dict(tags)
        line = {"node_type": tags[TAG_RAY_USER_NODE_TYPE], "at": called_at}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def non_terminated_nodes(self, tag_filters: Tags) -> list[str]:
        """The head, and all that were asked for."""
        wanted = tag_filters.items()
        return [node for node, tags in self._nodes.items() if wanted <= tags.items()]

    def is_running(self, node_id: str) -> bool:
        """As if machines came at once; Ray on them never does."""
        return node_id in self._nodes

    def is_terminated(self, node_id: str) -> bool:
        """See is_running."""
        return node_id not in self._nodes

    def node_tags(self, node_id: str) -> Tags:
        """The tags that Ray gave."""
        return self._nodes[node_id]

    def internal_ip(self, node_id: str) -> str:
        """An address where nobody is (documentation range)."""
        return "192.0.2.1"

    def external_ip(self, node_id: str) -> str:
        """See internal_ip."""
        return "192.0.2.1"

    def set_node_tags(self, node_id: str, tags: Tags) -> None:
        """Remember more tags."""
        self._nodes[node_id].update(tags)

    def terminate_node(self, node_id: str) -> None:
        """Forget a node."""
        self._nodes.pop(node_id, None)

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """Nothing to fill in."""
        return cluster_config

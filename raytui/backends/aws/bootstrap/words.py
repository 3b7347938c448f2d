"""Whether EC2 knows the words of each `node_config`, before it is asked for anything."""

from __future__ import annotations

from raytui.backends.aws.bootstrap.parts import Draft
from raytui.backends.aws.run_words import in_ec2s_words
from raytui.backends.base import ConfigError


def read_words(draft: Draft) -> None:
    """Write numbers as text where EC2 wants text; raises ConfigError with all that is wrong."""
    wrong = []
    for name, config in draft.configs.items():
        draft.configs[name], problems = in_ec2s_words(config)
        wrong += [f"{name}: node_config.{problem}" for problem in problems]
    if wrong:
        raise ConfigError("\n".join(wrong))

"""`raytui completion`: what a shell needs to complete our words and the names of clusters."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the script that teaches SHELL to complete raytui's commands, options and clusters.

    bash: eval "$(raytui completion bash)" in ~/.bashrc; zsh likewise in ~/.zshrc; fish: raytui
    completion fish > ~/.config/fish/completions/raytui.fish.
    """
    found = get_completion_class(shell)
    assert found is not None
    from raytui.cli.program import COMPLETE, program

    click.echo(found(program, {}, "raytui", COMPLETE).source())

"""One host as one cluster sees it: claimed, asked, cleaned and given back through its runner."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence

from msgspec import Struct

from raytui.backends.base import CapacityError, CommandRunner, ProviderError, TransientError
from raytui.backends.on_premise.facts import Facts
from raytui.backends.on_premise.host_script import SCRIPT
from raytui.backends.on_premise.hosts_file import Claim
from raytui.backends.shell_script import script_argv
from raytui.model.spec import DockerSpec
from raytui.model.text import duration_text, first_line

LEASE_S = 600.0
"""A claim that was not renewed for so long, on a host without its processes, may be taken over."""

HOLD_S = 45.0
"""The patience with a host that is claimed: what runs there may have to be ended first."""
RELEASE_S = 30.0
_ASK_S = 20.0
_MADE_FOR = "raytui-instance"
"""Beside the tags in a note: for whom they hold in full, since some are an instance's own."""


class TakenError(CapacityError):
    """Another cluster has the host, with a claim or as its head."""


class Held(Struct, frozen=True):
    """What a host answers to a claim of ours."""

    ray_runs: bool
    """The node's raylet (in docker mode: its container) is there."""
    made: dict[str, str]
    """What this cluster has made of the host before; empty when another one was there since."""


class Answer(Struct, frozen=True):
    """What a host tells of itself."""

    facts: Facts
    claim: Claim | None = None
    """The one that lies there, if it is of this cluster; its tags, if they were noted for it."""


class Host:
    """Every call raises ProviderError when the host cannot be asked, within its own time."""

    def __init__(self, name: str, runner: CommandRunner, cluster: str) -> None:
        self.name = name
        self.runner = runner
        self.turn = threading.Lock()
        """Held by whoever claims or cleans, from reading what is known until that is done."""
        self._cluster = cluster

    def hold(self, claim: Claim, docker: DockerSpec | None, unclean: Sequence[str] = ()) -> Held:
        """Claim the host, or renew the claim.

        What is left there of `unclean`, and of an older claim of this cluster, is ended. Raises
        TakenError when another cluster has it, also when the head of any Ray runs there.
        """
        engine = "" if docker is None else "podman" if docker.use_podman else "docker"
        container = docker.container_name if docker is not None else ""
        held = [
            *(str(int(LEASE_S)), claim.instance_id, str(int(claim.since)), engine, container),
            *(claim.request_id, claim.node_type, *unclean),
        ]
        words = self._run("hold", held, HOLD_S)
        if "taken" in words:
            age, _, owner = words["taken"][0].partition(" ")
            ago = duration_text(float(age) if age.isdigit() else 0.0)
            raise TakenError(f"{self.name} is {owner}'s (last seen to {ago} ago)")
        if "head" in words:
            raise TakenError(
                f"{self.name} is the head of a Ray cluster (process {words['head'][0]}): "
                "end that, or take the host out of the cluster file"
            )
        if "held" not in words:
            raise self._strange(words)
        return Held(words.get("ray") == ["yes"], _made(words))

    def release(self, instance_ids: Sequence[str], *, keep_claim: bool = False) -> None:
        """End what runs there of these instances; give the host back if it is claimed for one."""
        words = self._run("release", ["yes" if keep_claim else "no", *instance_ids], RELEASE_S)
        if "released" not in words:
            raise self._strange(words)

    def note(self, claim: Claim) -> None:
        """Leave word on the host of what was made of it for this claim (its tags)."""
        made = {**claim.tags, _MADE_FOR: claim.instance_id}
        words = self._run("note", [json.dumps(made, separators=(",", ":"))], _ASK_S)
        if "noted" not in words:
            raise self._strange(words)

    def ask(self) -> Answer:
        """What the host has, and whose it is."""
        words = self._run("ask", [], _ASK_S)
        if "asked" not in words:
            raise self._strange(words)
        return Answer(_facts(words), self._claim(words))

    def _claim(self, words: Mapping[str, list[str]]) -> Claim | None:
        if words.get("owner") != [self._cluster]:
            return None
        holder, request, node_type, since = (
            words.get(name, [""])[0] for name in ("holder", "request", "type", "since")
        )
        made = _made(words)
        tags = made if made.pop(_MADE_FOR, "") == holder else {}
        return Claim(holder, node_type, request, float(since or 0), tags=tags)

    def _run(self, verb: str, arguments: Sequence[str], within_s: float) -> dict[str, list[str]]:
        argv = script_argv(SCRIPT, verb, self._cluster, *arguments)
        result = self.runner.run(argv, timeout_s=within_s)
        words: dict[str, list[str]] = {}
        for line in result.output.splitlines():
            word, _, rest = line.partition(" ")
            words.setdefault(word, []).append("".join(c for c in rest if c.isprintable()))
        if "trouble" in words:
            raise TransientError(f"{self.name}: {words['trouble'][0]}")
        if result.exit_code:
            said = first_line(result.output) or f"exit code {result.exit_code}"
            raise TransientError(f"{self.name}: {verb}: {said}", detail=result.output)
        return words

    def _strange(self, words: Mapping[str, list[str]]) -> ProviderError:
        said = "; ".join(f"{word} {' '.join(rest)}" for word, rest in words.items())
        return TransientError(f"{self.name}: an answer without sense: {said[:200] or 'nothing'}")


def _made(words: Mapping[str, list[str]]) -> dict[str, str]:
    try:
        made = json.loads(words.get("note", ["{}"])[0])
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in made.items()} if isinstance(made, dict) else {}


def _facts(words: Mapping[str, list[str]]) -> Facts:
    gpus = [line.partition(", ") for line in words.get("gpu", ())]
    return Facts(
        cpus=int(words.get("cpus", ["0"])[0]),
        memory=int(words.get("memory_kib", ["0"])[0]) * 1024,
        gpus=tuple((name, int(mib) * 2**20) for mib, _, name in gpus if mib.isdigit()),
    )

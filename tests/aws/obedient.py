"""EC2 instances that do at once, and well, whatever they are told over SSH."""

from __future__ import annotations

from collections.abc import Sequence

from raytui.backends.aws.machines import Ec2Machines
from raytui.backends.base import CommandResult, CommandRunner, NodeProvider
from raytui.provisioning.provisioner import Provisioner
from tests.aws.looped import Looped

_DONE = CommandResult(0, "")


class Obedient:
    """A CommandRunner that has always just succeeded."""

    def run(self, *_: object, **__: object) -> CommandResult:
        return _DONE

    run_shell = run

    def put(self, *_: object, **__: object) -> None:
        return

    get = put

    def stream_command(self, command: Sequence[str]) -> list[str]:
        return ["true"]

    def close(self) -> None:
        return


class ObedientMachines(Ec2Machines):
    """All of EC2 but the way to its instances."""

    def runner(self, instance_id: str) -> CommandRunner:
        return Obedient()


class SetUp(Looped):
    """A loop with the provisioner between it and EC2, whose set-ups succeed at once."""

    provider: Provisioner

    def provided(self) -> NodeProvider:
        provisioner = Provisioner(self.spec, self.machines, self.world.paths)
        provisioner.start()
        return provisioner

    def all_set_up(self) -> bool:
        workers = [i for i in self.provider.list_instances() if not i.is_head]
        return all(i.ray_started_at for i in workers)

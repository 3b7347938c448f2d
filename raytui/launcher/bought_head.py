"""The head of a cluster in a cloud: found by its tags, or bought, once, whatever is cut off."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from raytui.backends import tags
from raytui.backends.base import (
    LaunchRequest,
    Machines,
    ProviderError,
    ThrottledError,
    TransientError,
)
from raytui.backends.cloud import Cloud, State
from raytui.config.durable import write_durably
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.launcher.head_place import (
    HeadPlace,
    check_account,
    head_request,
    heads_in,
    is_as_written,
    note_place,
    noted_place,
    place_of,
)
from raytui.launcher.options import Question, UpOptions, agree
from raytui.model.lifecycle import LEAVING
from raytui.model.spec import ClusterSpec
from raytui.model.state import Instance
from raytui.model.step import LaunchError, StepSink
from raytui.model.text import duration_text, first_line
from raytui.provisioning.node_setup import with_hashes_of
from raytui.provisioning.progress import Progress, step
from raytui.provisioning.registry import machines_for

_PATIENCE_S = 180.0
"""For what passes by itself, e.g. until all of a cloud knows of a role that was just made."""
_ADDRESS_WITHIN_S = 600.0
_GONE_WITHIN_S = 600.0
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True)
class BoughtHead:
    """A head that has an address, and the cluster file filled in by what its cloud has."""

    spec: ClusterSpec
    place: HeadPlace
    is_new: bool
    """Nobody has set its machine up yet: it may boot for a while."""
    machines: Machines

    def tag(self, written: Mapping[str, str]) -> None:
        """Write down with its machine; raises ProviderError."""
        self.machines.tag(self.place.instance_id, written)


def bought_head(
    spec: ClusterSpec,
    paths: ClusterPaths,
    cloud: Cloud,
    on_step: StepSink,
    options: UpOptions,
) -> BoughtHead:
    """Make what machines need, and the head; what is there already is taken as it is.

    The cluster and the head's place are remembered. Raises LaunchError and ProviderError; after
    either, or a kill, a repeated call goes on with the same request, so that there is one head.
    """
    return _Buying(spec, paths, cloud, on_step, options).go()


class _Buying:
    """One call of `bought_head`."""

    def __init__(
        self,
        spec: ClusterSpec,
        paths: ClusterPaths,
        cloud: Cloud,
        on_step: StepSink,
        options: UpOptions,
    ) -> None:
        self._spec = spec
        self._paths = paths
        self._cloud = cloud
        self._on_step = on_step
        self._options = options
        self._request = head_request(paths)

    def go(self) -> BoughtHead:
        """See `bought_head`."""
        check_account(self._spec, self._paths, self._cloud)
        filled = self._prepared()
        machines = machines_for(filled, self._paths)
        # Where it is, too: nobody is to look for it later where other settings lead.
        remember(self._paths, msgspec.structs.replace(self._spec, provider=filled.provider))
        found = self._found(machines)
        if found is not None and not self._fits(found, machines):
            self._end(found, machines)
            found = None
        head = self._with_address(found or self._launched(machines), machines, found is None)
        if found is None:
            # By other eyes, to which what was listed before does not count.
            self._is_the_only_one(head, machines_for(filled, self._paths))
        place = place_of(head, self._cloud, filled.auth.ssh_private_key)
        note_place(self._paths, place)
        self._request.unlink(missing_ok=True)
        was_set_up = machines.tags(head.instance_id).get(tags.RUNTIME)
        return BoughtHead(filled, place, found is None or not was_set_up, machines)

    # What machines need.

    def _prepared(self) -> ClusterSpec:
        """The cluster file, filled in; its hashes stay those of what a person wrote."""
        with step(self._on_step, "look up what machines need") as progress:
            needs = self._cloud.look_up()
            missing = [part for part in needs.parts if part.state is State.TO_MAKE]
            there = len(needs.parts) - len(missing)
            progress.say(f"{there} of {len(needs.parts)} there")
        times: dict[str, int] = {}
        for part in needs.parts:
            times[part.kind] = times.get(part.kind, 0) + 1
            number = f" {times[part.kind]}" if times[part.kind] > 1 else ""
            with step(self._on_step, f"{part.kind}{number}") as progress:
                words = f"{part.name}: {part.detail}" if part.detail else part.name
                if part.state is not State.TO_MAKE:
                    progress.skip(f"{part.state} {words}")
                    continue
                progress.say(f"making {words}")
                part.make()
                progress.say(f"made {words}")
        return with_hashes_of(self._spec, needs.filled())

    # A head that is there.

    def _found(self, machines: Machines) -> Instance | None:
        with step(self._on_step, "find the head") as progress:
            heads = heads_in(machines.list_instances(), noted_place(self._paths))
            if not heads:
                progress.skip("there is none")
                return None
            words = f"{heads[0].instance_id} {heads[0].instance_type} {heads[0].zone}"
            if others := [one.instance_id for one in heads[1:]]:
                words = f"{words}; {', '.join(others)} of the same name, too: see raytui orphans"
            progress.say(words)
            return heads[0]

    def _fits(self, head: Instance, machines: Machines) -> bool:
        """Whether it is taken as it is; raises LaunchError when nobody wants it or another."""
        made_from = machines.tags(head.instance_id).get(tags.LAUNCH, "")
        if is_as_written(head, made_from, self._spec):
            return True
        name = self._spec.cluster_name
        other = f"{head.instance_id} was made from another node_config or auth than the file's"
        relaunch, why = self._question_about(head)
        if relaunch is None:
            with step(self._on_step, "compare the head with the file") as progress:
                progress.skip(f"{other}; it is left as it is, {why}")
            return True
        if not relaunch(
            f"The head of {name}, {other}. Its machine ends with all jobs and all that is on it, "
            "and another one is launched."
        ):
            raise LaunchError(f"{name} was left as it was")
        return False

    def _question_about(self, head: Instance) -> tuple[Question | None, str]:
        """Who is asked for another head; None, and why, where nobody may be."""
        relaunch = self._options.relaunch
        if self._options.restarts.no_restart:
            return None, "as --no-restart says"
        if relaunch is None:
            return None, "since nobody can be asked"
        noted = noted_place(self._paths)
        if relaunch is agree and (noted is None or noted.instance_id != head.instance_id):
            # It may be another person's, of the same name: all that is known of it is its tags.
            return None, "since this machine does not know it: without -y you are asked"
        return relaunch, ""

    def _end(self, head: Instance, machines: Machines) -> None:
        with step(self._on_step, "end the old head") as progress:
            progress.say(head.instance_id)
            machines.terminate([head.instance_id])
            end = time.monotonic() + _GONE_WITHIN_S
            while any(i.instance_id == head.instance_id for i in machines.list_instances()):
                if time.monotonic() > end:
                    raise LaunchError(
                        f"{head.instance_id} did not end in {duration_text(_GONE_WITHIN_S)}"
                    )
                time.sleep(_LOOK_EVERY_S)

    # A new one.

    def _launched(self, machines: Machines) -> Instance:
        request = LaunchRequest(
            self._request_id(), self._spec.head_node_type, count=1, is_head=True
        )
        with step(self._on_step, "launch the head") as progress:
            try:
                head = self._patiently(machines, request, progress)
            except (TransientError, ThrottledError):
                raise  # The next `up` asks again, with the same words.
            except ProviderError:
                self._request.unlink(missing_ok=True)
                raise
            bought = (head.instance_id, head.instance_type, head.zone, head.market.value)
            progress.say(" ".join(word for word in bought if word))
            return head

    def _request_id(self) -> str:
        """Of the request under way, or of a new one: on disk before anybody is asked."""
        try:
            if known := self._request.read_text().strip():
                return known
        except FileNotFoundError:
            pass
        name = f"head-{uuid.uuid4().hex[:16]}"
        write_durably(self._request, name.encode())
        return name

    def _patiently(
        self, machines: Machines, request: LaunchRequest, progress: Progress
    ) -> Instance:
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return machines.launch(request)[0]
            except (TransientError, ThrottledError) as error:
                if time.monotonic() + _LOOK_EVERY_S > end:
                    raise
                progress.say(f"{first_line(str(error))}; once more")
                time.sleep(_LOOK_EVERY_S)

    def _is_the_only_one(self, head: Instance, machines: Machines) -> None:
        """Of two who launch from different machines at the same time, the later gives way.

        Both do where nobody can tell who was first: the clock of launches has whole seconds.
        """
        for one in heads_in(machines.list_instances()):
            if one.instance_id != head.instance_id and one.launched_at <= head.launched_at:
                machines.terminate([head.instance_id])
                self._request.unlink(missing_ok=True)
                raise LaunchError(
                    f"another head, {one.instance_id}, was launched at the same time from "
                    f"elsewhere, so {head.instance_id} was ended; try again"
                )

    def _with_address(self, head: Instance, machines: Machines, is_new: bool) -> Instance:
        """It as soon as it is listed with an address; raises LaunchError when it ends instead."""
        if head.ip and not is_new:
            return head
        with step(self._on_step, "wait for the head's address") as progress:
            end = time.monotonic() + _ADDRESS_WITHIN_S
            while time.monotonic() < end:
                listed = {one.instance_id: one for one in machines.list_instances()}
                now = listed.get(head.instance_id)
                if now is None or now.status in LEAVING:
                    self._request.unlink(missing_ok=True)
                    why = f": {now.detail}" if now and now.detail else ""
                    raise LaunchError(f"the head {head.instance_id} ended{why}; try again")
                if now.ip:
                    progress.say(now.ip)
                    return now
                time.sleep(_LOOK_EVERY_S)
        raise LaunchError(
            f"the head {head.instance_id} has no address after {duration_text(_ADDRESS_WITHIN_S)}; "
            "if its subnet gives no public ones, say use_internal_ips in the provider section"
        )

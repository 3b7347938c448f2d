"""`raytui orphans`: what no cluster owns, what it costs, and ending exactly what was named."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raytui.backends.aws import tags
from raytui.backends.aws.session import AwsSession
from raytui.cli.program import run
from raytui.config.launched import remember
from raytui.config.locations import ClusterPaths
from raytui.model.spec import ClusterSpec, NodeType, ProviderSpec
from tests.aws.emulated import REGION, Emulated
from tests.aws.price_server import PriceServer, price_server, product
from tests.aws.world import IMAGE, A

DOCS = Path(__file__).parents[2] / "docs" / "aws.md"
EU = "eu-west-1"
GP3 = json.dumps(
    {
        "product": {
            "productFamily": "Storage",
            "attributes": {"volumeApiName": "gp3", "regionCode": REGION},
        },
        "terms": {
            "OnDemand": {
                "t": {"priceDimensions": {"d": {"unit": "GB-Mo", "pricePerUnit": {"USD": "0.073"}}}}
            }
        },
    }
)
"""100 GiB of it are a cent an hour."""


@pytest.fixture(autouse=True)
def told(ec2: Emulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceServer]:
    """A cache of one's own, a default region, and prices in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with price_server() as told:
        told.products = [product("m5.large", 0.5, regionCode=REGION), GP3]
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", told.url)
        yield told


@pytest.fixture
def aws(ec2: Emulated, opened: AwsSession) -> AwsSession:
    """The door of the test itself; the program opens its own."""
    return opened


def new(aws: AwsSession, kind: str, cluster: str = "mine", image: str = IMAGE, **more: Any) -> str:
    """An instance with the tags of a cluster's head or worker."""
    words = {tags.CLUSTER: cluster, tags.KIND: kind, tags.TYPE: f"ray.{kind}"}
    made = aws.call(
        "ec2",
        "run_instances",
        ImageId=image,
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tags.specification(["instance"], words),
        **more,
    )
    return str(made["Instances"][0]["InstanceId"])


def new_volume(aws: AwsSession, cluster: str = "mine") -> str:
    made = aws.call(
        "ec2",
        "create_volume",
        AvailabilityZone=A,
        Size=100,
        VolumeType="gp3",
        TagSpecifications=tags.specification(["volume"], {tags.CLUSTER: cluster}),
    )
    return str(made["VolumeId"])


def change(aws: AwsSession, operation: str, *names: str) -> None:
    aws.call("ec2", f"{operation}_instances", InstanceIds=list(names))


def states(aws: AwsSession) -> dict[str, str]:
    reservations = aws.pages("ec2", "describe_instances", "Reservations")
    return {i["InstanceId"]: i["State"]["Name"] for r in reservations for i in r["Instances"]}


def volumes(aws: AwsSession) -> list[str]:
    found = aws.pages("ec2", "describe_volumes", "Volumes")
    return [one["VolumeId"] for one in found if not one["Attachments"]]


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    """What `--json` tells, by id."""
    assert run(["orphans", "--json", *words]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


class Terminal:
    """A person's: what they type, and what happens while they think."""

    def __init__(self, typed: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._typed = typed
        self._meanwhile = meanwhile

    def isatty(self) -> bool:
        return True

    def readline(self, _size: int = -1) -> str:
        self._meanwhile()
        return self._typed


# What is an orphan.


def test_a_cluster_with_its_head_owns_its_running_and_stopped_instances(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    new(aws, "head")
    change(aws, "stop", new(aws, "worker"))
    new(aws, "worker")
    aws.call("ec2", "run_instances", ImageId=IMAGE, MinCount=1, MaxCount=1)
    assert listed(capsys) == {}


def test_without_a_head_all_that_is_left_is_orphaned(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    head, worker, stopped = new(aws, "head"), new(aws, "worker"), new(aws, "worker")
    change(aws, "terminate", head)
    change(aws, "stop", stopped)
    found = listed(capsys)
    assert {name: (row["why"], row["state"]) for name, row in found.items()} == {
        worker: ("no head", "running"),
        stopped: ("no head", "stopped"),
    }


def test_stopped_instances_wait_with_their_stopped_head_but_running_ones_do_not(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    head, worker, stopped = new(aws, "head"), new(aws, "worker"), new(aws, "worker")
    change(aws, "stop", head, stopped)
    found = listed(capsys)
    assert {name: row["why"] for name, row in found.items()} == {worker: "head is stopped"}


def test_of_several_heads_all_are_named_while_nobody_knows_the_right_one(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = {new(aws, "head"), new(aws, "head")}
    new(aws, "worker")
    found = listed(capsys)
    assert {row["why"] for row in found.values()} == {"one of several heads"}
    assert set(found) == heads


def test_the_head_that_this_machine_goes_by_is_no_orphan(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    from raytui.launcher.head_place import HeadPlace, note_place

    right, other = new(aws, "head"), new(aws, "head")
    note_place(ClusterPaths("mine").make(), HeadPlace(right, "192.0.2.1"))
    assert set(listed(capsys)) == {other}


def test_clusters_of_one_name_in_two_regions_are_two(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    there = aws.in_region(EU)
    worker = new(there, "worker", image=an_image(there))
    new(aws, "head")
    assert set(listed(capsys, "--all-regions")) == {worker}


def test_a_volume_that_no_instance_has_is_one(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    new(aws, "head")
    volume = new_volume(aws)
    aws.call("ec2", "create_volume", AvailabilityZone=A, Size=1)
    (row,) = listed(capsys).values()
    assert (row["id"], row["kind"], row["size_gib"]) == (volume, "volume", 100)
    assert (row["why"], row["price_per_hour"]) == ("unattached", pytest.approx(0.01))


def an_image(aws: AwsSession) -> str:
    return str(aws.call("ec2", "describe_images", Owners=["amazon"])["Images"][0]["ImageId"])


# What it costs, and how it is told.


def test_a_price_is_told_with_what_it_came_to_and_stopped_ones_have_none(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    running, stopped = new(aws, "worker"), new(aws, "worker")
    change(aws, "stop", stopped)
    found = listed(capsys)
    row = found[running]
    assert row["price_per_hour"] == 0.5
    assert row["usd_since"] == pytest.approx(0.5 * row["age_s"] / 3600)
    assert found[stopped]["price_per_hour"] is None


def test_what_nobody_tells_the_price_of_is_unknown_with_the_reason(
    aws: AwsSession, told: PriceServer, capsys: pytest.CaptureFixture[str]
) -> None:
    told.refuses = "AccessDeniedException"
    new(aws, "worker")
    new_volume(aws)
    assert run(["orphans", "--json"]) == 0
    out, err = capsys.readouterr()
    assert {row["price_per_hour"] for row in json.loads(out)} == {None}
    assert f"prices in {REGION}: on-demand prices: AccessDeniedException" in err


def test_json_is_as_documented(aws: AwsSession, capsys: pytest.CaptureFixture[str]) -> None:
    new(aws, "worker")
    (row,) = listed(capsys).values()
    section = DOCS.read_text().partition("`raytui orphans --json`")[2]
    assert list(row) == re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_stdout_is_the_list_and_stderr_its_sum_and_the_command_that_ends_it(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    worker, volume = new(aws, "worker"), new_volume(aws)
    assert run(["orphans"]) == 0
    told = capsys.readouterr()
    titles, *rows = (re.split(r" {2,}", line.strip()) for line in told.out.splitlines())
    assert titles[:3] == ["cluster", "id", "type"]
    assert [row[1:5] for row in rows] == [
        [worker, "m5.large", f"{REGION}a", "running"],
        [volume, "gp3 100 GiB", A, "available"],
    ]
    assert told.err.splitlines() == [
        "2 orphans, $0.51/h",
        f"mine: raytui orphans --region {REGION} --end {worker} {volume}",
    ]


def test_of_several_heads_no_command_ends_all(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = [new(aws, "head"), new(aws, "head")]
    assert run(["orphans"]) == 0
    err = capsys.readouterr().err
    assert f"all but yours: raytui orphans --region {REGION} --end ID…" in err
    assert not any(head in err for head in heads)


def test_nothing_is_told_with_where_it_was_looked_for(
    ec2: Emulated, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["orphans"]) == 0
    assert capsys.readouterr() == ("", f"no orphans in {REGION}\n")


# Where it looks.


def test_it_looks_where_known_clusters_are(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = new(aws.in_region(EU), "worker", image=an_image(aws.in_region(EU)))
    assert listed(capsys) == {}
    assert set(listed(capsys, "--region", EU)) == {worker}
    provider = ProviderSpec("aws", {"type": "aws", "region": EU})
    known = ClusterSpec("known", provider, {"head": NodeType("head")}, "head")
    remember(ClusterPaths("known"), known)
    assert listed(capsys)[worker]["region"] == EU


def test_each_region_is_asked_twice_however_much_is_there(
    ec2: Emulated, aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        new(aws, "worker")
    ec2.calls.clear()
    assert len(listed(capsys)) == 5
    assert (ec2.calls["DescribeInstances"], ec2.calls["DescribeVolumes"]) == (1, 1)


def test_a_region_that_does_not_answer_is_told_beside_those_that_do(
    ec2: Emulated, aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = new(aws, "worker")
    ec2.fail("DescribeVolumes", "UnauthorizedOperation", status=403, times=1)
    assert run(["orphans", "--region", EU, "--region", REGION]) == 1
    told = capsys.readouterr()
    assert "could not be asked: UnauthorizedOperation" in told.err
    assert (worker in told.out) == (f"{EU} could not" in told.err)


def test_without_credentials_one_sentence_names_profile_and_region(
    ec2: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert run(["orphans"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"raytui: no AWS credentials: profile default in {REGION} was tried;")
    assert err.count("\n") == 1


def test_the_credentials_may_be_those_of_a_profile(
    aws: AwsSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    worker = new(aws, "worker")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    text = "[team]\naws_access_key_id = AKIATEAM\naws_secret_access_key = secret\n"
    (tmp_path / "no-aws-credentials").write_text(text)
    assert set(listed(capsys, "--profile", "team")) == {worker}
    assert run(["orphans", "--profile", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


# Ending them.


def test_what_is_named_is_ended_and_nothing_else(aws: AwsSession) -> None:
    one, other = new(aws, "worker"), new(aws, "worker")
    volume, other_volume = new_volume(aws), new_volume(aws)
    assert run(["orphans", "--end", "-y", one, volume]) == 0
    assert states(aws) == {one: "terminated", other: "running"}
    assert volumes(aws) == [other_volume]


@pytest.mark.parametrize("lost", ["i-0123456789abcdef0", "vol-1", "mine"])
def test_with_one_that_is_no_orphan_nothing_is_ended(
    lost: str, aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    one = new(aws, "worker")
    assert run(["orphans", "--end", "-y", one, lost]) == 1
    assert f"no orphan: {lost}; nothing was ended" in capsys.readouterr().err
    assert states(aws) == {one: "running"}


def test_what_a_cluster_owns_is_refused(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = new(aws, "worker")
    head, worker = new(aws, "head", "theirs"), new(aws, "worker", "theirs")
    for name in (head, worker):
        assert run(["orphans", "--end", "-y", orphan, name]) == 1
        assert f"{name} belongs to a cluster that has its head" in capsys.readouterr().err
    assert set(states(aws).values()) == {"running"}


def test_the_last_head_of_a_cluster_is_left(
    aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = [new(aws, "head"), new(aws, "head")]
    assert run(["orphans", "--end", "-y", *heads]) == 1
    assert "these are all heads of mine" in capsys.readouterr().err
    assert run(["orphans", "--end", "-y", heads[0]]) == 0
    assert states(aws) == {heads[0]: "terminated", heads[1]: "running"}


def test_without_a_terminal_it_does_not_end_unasked(aws: AwsSession) -> None:
    one = new(aws, "worker")
    assert run(["orphans", "--end", one]) == 2
    assert run(["orphans", "--end"]) == 2
    assert states(aws) == {one: "running"}


@pytest.mark.parametrize(("typed", "state"), [("y\n", "terminated"), ("\n", "running")])
def test_a_person_sees_them_and_agrees(
    typed: str,
    state: str,
    aws: AwsSession,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = new(aws, "worker")
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert run(["orphans", "--end", one]) == (0 if state == "terminated" else 130)
    assert "m5.large" in capsys.readouterr().err
    assert states(aws) == {one: state}


@pytest.mark.parametrize(("typed", "state"), [("4\n", "terminated"), ("y\n", "running")])
def test_for_more_than_three_their_number_is_typed(
    typed: str, state: str, aws: AwsSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [new(aws, "worker") for _ in range(4)]
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert run(["orphans", "--end", *names]) == (0 if state == "terminated" else 130)
    assert set(states(aws).values()) == {state}


def test_what_got_its_head_while_a_person_thought_is_not_ended(
    aws: AwsSession, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = new(aws, "worker")

    monkeypatch.setattr(sys, "stdin", Terminal("y\n", meanwhile=lambda: new(aws, "head")))
    assert run(["orphans", "--end", one]) == 1
    assert "belongs to a cluster that has its head" in capsys.readouterr().err
    assert set(states(aws).values()) == {"running"}


def test_a_refusal_of_ec2_is_told_in_its_words(
    ec2: Emulated, aws: AwsSession, capsys: pytest.CaptureFixture[str]
) -> None:
    ec2.fail("TerminateInstances", "OperationNotPermitted", message="it is protected")
    assert run(["orphans", "--end", "-y", new(aws, "worker")]) == 1
    assert "it is protected" in capsys.readouterr().err


def test_who_forgets_a_cluster_is_told_where_to_look(
    ec2: Emulated, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = ProviderSpec("aws", {"type": "aws", "region": EU})
    known = ClusterSpec("known", provider, {"head": NodeType("head")}, "head")
    remember(ClusterPaths("known"), known)
    assert run(["down", "known", "--forget"]) == 0
    assert f"raytui orphans --region {EU}\n" in capsys.readouterr().err

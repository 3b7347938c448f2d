"""`raytui catalog` and `raytui catalog refresh`, against moto's EC2 and AWS's form of prices."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from raytui.backends.aws.catalog import InstanceType, load, packaged_table, refreshed_table, save
from raytui.cli.program import run
from tests.aws.emulated import Emulated
from tests.aws.price_server import PriceServer, price_server, product

DOCS = Path(__file__).parents[2] / "docs" / "catalog.md"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def told(ec2: Emulated, monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceServer]:
    with price_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.url)
        yield server


def test_it_prints_what_fits(capsys: pytest.CaptureFixture[str]):
    assert run(["catalog", "p5.", "gpu=8"]) == 0
    told = capsys.readouterr()
    titles, row = (re.split(r" {2,}", line.strip()) for line in told.out.splitlines())
    assert titles == ["type", "vCPU", "memory", "accelerator", "Gbit/s", "NVMe", "cpu", "$/h"]
    assert row[:7] == (
        ["p5.48xlarge", "192", "2048 GiB", "8 × H100 80 GiB", "3200", "30,400 GB", "x86"]
    )


def test_stdout_is_the_list_and_stderr_the_age_of_its_prices(capsys: pytest.CaptureFixture[str]):
    one = InstanceType("zz1.large", 2, 8 * 2**30, price_per_hour=0.1, priced_on="2026-01-02")
    save([one], refreshed_table())
    assert run(["catalog", "zz1", "--sort", "cpu"]) == 0
    told = capsys.readouterr()
    assert [line.split()[-2:] for line in told.out.splitlines()] == (
        [["$/h", "$/vCPU"], ["0.1000", "0.0500"]]
    )
    assert told.err == "1 price, on demand in us-east-1, of 2026-01-02\n"


def test_an_unknown_price_is_a_dash_and_null(capsys: pytest.CaptureFixture[str]):
    save([InstanceType("zz1.large", 2, 8 * 2**30)], refreshed_table())
    assert run(["catalog", "zz1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "–"
    assert run(["catalog", "zz1", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["price_per_hour"], row["priced_on"]) == (None, None)


def test_json_is_as_documented(capsys: pytest.CaptureFixture[str]):
    assert run(["catalog", "p4d.", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["successor"], row["accelerators"]) == ("p4d.24xlarge", "p5", 8)
    documented = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE)
    assert list(row) == documented


def test_nothing_that_fits_is_a_failure_but_no_broken_json(capsys: pytest.CaptureFixture[str]):
    assert run(["catalog", "q99"]) == 1
    assert capsys.readouterr().err == "raytui: no instance type fits q99\n"
    assert run(["catalog", "q99", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_bad_filter_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    assert run(["catalog", "weight>3"]) == 2
    assert "weight>3: one of cpu, memory" in capsys.readouterr().err


def test_refresh_asks_ec2_and_the_pricing_api(
    ec2: Emulated, told: PriceServer, capsys: pytest.CaptureFixture[str]
):
    told.products = [product("m5.large", 0.123), product("m5.large", 9.0, tenancy="Dedicated")]
    assert run(["catalog", "refresh"]) == 0
    assert capsys.readouterr().err == ""
    m5 = load()["m5.large"]
    assert (m5.price_per_hour, m5.priced_on) == (0.123, datetime.now(UTC).date().isoformat())
    assert ec2.calls["DescribeInstanceTypes"] == 1


def test_refresh_without_the_right_to_ask_for_prices_keeps_those_there_are(
    ec2: Emulated, told: PriceServer, capsys: pytest.CaptureFixture[str]
):
    told.refuses = "AccessDeniedException"
    assert run(["catalog", "refresh"]) == 0
    err = capsys.readouterr().err
    assert err == "prices stay as they were: AccessDeniedException: refused\n"
    assert load()["c5.large"].price_per_hour is not None


def test_refresh_that_ec2_refuses_changes_nothing(
    ec2: Emulated, capsys: pytest.CaptureFixture[str]
):
    ec2.fail("DescribeInstanceTypes", "UnauthorizedOperation", message="not you", status=403)
    assert run(["catalog", "refresh"]) == 1
    assert "UnauthorizedOperation: not you" in capsys.readouterr().err
    assert not refreshed_table().exists()


def test_refresh_without_credentials_says_so_in_one_sentence(
    ec2: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert run(["catalog", "refresh"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("raytui: no AWS credentials: profile default in us-east-1 was tried;")
    assert err.count("\n") == 1


def test_the_packaged_table_is_what_refresh_makes_offline(tmp_path: Path):
    """With the moto of constraints.txt; a newer one is a reason to make the table anew."""
    out = tmp_path / "aws.csv"
    assert run(["catalog", "refresh", "--offline", "--output", str(out)]) == 0
    assert out.read_text() == packaged_table().read_text()


def test_prices_of_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    prices = tmp_path / "prices.csv"
    prices.write_text("instance_type,usd_per_hour,priced_on\nm5.large,0.07,2026-05-01\n")
    assert run(["catalog", "refresh", "--offline", "--prices", str(prices)]) == 0
    m5 = load()["m5.large"]
    assert (m5.price_per_hour, m5.priced_on) == (0.07, "2026-05-01")
    assert "of 2025-03-02 to 2026-05-01" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("m5.large,free,2026-05-01", "line 2: needs instance_type, usd_per_hour, priced_on"),
        ("m5.large,0.1,yesterday", "line 2: needs instance_type, usd_per_hour, priced_on"),
        ("m5.large,0.1", "line 2: needs instance_type, usd_per_hour, priced_on"),
        ("m5.large,0,2026-05-01", "line 2: 0.0 is no price"),
        ("m5.large,inf,2026-05-01", "line 2: inf is no price"),
    ],
)
def test_a_bad_price_file_is_told_by_line(
    line: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    prices = tmp_path / "prices.csv"
    prices.write_text(f"instance_type,usd_per_hour,priced_on\n{line}\n")
    assert run(["catalog", "refresh", "--offline", "--prices", str(prices)]) == 2
    assert complaint in capsys.readouterr().err
    assert not refreshed_table().exists()


def test_listing_loads_no_boto3():
    import subprocess
    import sys

    code = (
        "import sys; from raytui.cli.program import run; run(['catalog', 'p5']); "
        "sys.exit(any(m in sys.modules for m in ('boto3', 'botocore', 'moto', 'textual', 'ray')))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0

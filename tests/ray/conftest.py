from collections.abc import Iterator

import pytest

from tests.support.local_cluster import LocalCluster, running


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A real head without CPUs and one worker `small-0` with 2, shared by this room's tests."""
    with running("ray-tests", tmp_path_factory.mktemp("state")) as started:
        started.start("small")
        yield started

from collections.abc import Iterator

import pytest

from tests.support.local_cluster import LocalCluster, running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A real head; started once for all tests of a module, which leave no nodes behind."""
    with running("backend-tests", tmp_path_factory.mktemp("state")) as started:
        yield started

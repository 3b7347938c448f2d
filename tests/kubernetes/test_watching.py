"""Lists that are kept true: watches of a real API server, and of one that fails."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from raytui.backends.base import AuthError
from raytui.backends.kubernetes.access import Access
from raytui.backends.kubernetes.errors import GoneError
from raytui.backends.kubernetes.informer import Informer, key_of
from raytui.backends.kubernetes.session import Json, KubeSession
from tests.kubernetes.conftest import USER
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.waiting import until

pytestmark = pytest.mark.kubernetes


def _maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def _map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _colour(thing: Json) -> str:
    return str((thing.get("data") or {}).get("colour", ""))


def _paint(colour: str) -> list[Json]:
    return [{"op": "add", "path": "/data", "value": {"colour": colour}}]


def test_watch_tells_what_happens_after_a_version(admin: KubeSession, namespace: str) -> None:
    version = admin.get(_maps(namespace))["metadata"]["resourceVersion"]
    admin.create(_maps(namespace), _map("one", colour="red"))
    admin.patch(_maps(namespace, "one"), _paint("blue"))
    admin.delete(_maps(namespace, "one"))

    with admin.watch(_maps(namespace), version=version, timeoutSeconds=1) as watch:
        told = [(change.type, _colour(change.object)) for change in watch]

    assert [one for one in told if one[0] != "BOOKMARK"] == [
        ("ADDED", "red"),
        ("MODIFIED", "blue"),
        ("DELETED", "blue"),
    ]
    assert admin.calls()["WATCH configmaps"] == 1


def test_watch_that_is_closed_by_another_thread_ends_at_once(
    admin: KubeSession, namespace: str
) -> None:
    watch = admin.watch(_maps(namespace), version="0")
    closing = threading.Timer(0.3, watch.close)
    closing.start()
    began = time.monotonic()

    assert [change.type for change in watch if change.type != "BOOKMARK"] == []
    assert time.monotonic() - began < 10


def test_watch_of_a_version_that_is_long_gone_is_a_gone_error(
    admin: KubeSession, namespace: str
) -> None:
    # This server has known RayClusters for a shorter time than other resources.
    clusters = f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters"

    with pytest.raises(GoneError), admin.watch(clusters, version="1", timeoutSeconds=5) as watch:
        list(watch)


def test_informer_holds_what_is_there_and_follows_it(admin: KubeSession, namespace: str) -> None:
    admin.create(_maps(namespace), _map("one", colour="red"))
    with Informer(admin, _maps(namespace), keep=_colour) as held:
        assert held.wait(10)
        assert held.all() == {f"{namespace}/one": "red"}

        admin.create(_maps(namespace), _map("two", colour="green"))
        admin.patch(_maps(namespace, "one"), _paint("blue"))
        until(
            lambda: held.all() == {f"{namespace}/one": "blue", f"{namespace}/two": "green"},
            "both are as they are now",
        )
        admin.delete(_maps(namespace, "one"))
        until(lambda: held.get(f"{namespace}/one") is None, "what was deleted is gone")
        assert held.error is None
    assert admin.calls()["WATCH configmaps"] == 1


def test_listener_hears_of_many_changes_once(admin: KubeSession, namespace: str) -> None:
    heard: list[int] = []
    with Informer(
        admin, _maps(namespace), keep=_colour, on_change=lambda: heard.append(len(held.all()))
    ) as held:
        held.wait(10)
        for number in range(40):
            admin.create(_maps(namespace), _map(f"map-{number}"))
        until(lambda: heard and heard[-1] == 40, "the last change is told")
    assert len(heard) < 40


def test_own_change_is_held_at_once_and_older_news_do_not_undo_it(
    admin: KubeSession, namespace: str
) -> None:
    first = admin.create(_maps(namespace), _map("one", colour="red"))
    with Informer(admin, _maps(namespace), keep=_colour) as held:
        assert held.wait(10)
        newer = admin.patch(_maps(namespace, "one"), _paint("blue"))
        held.put(newer)
        assert held.get(key_of(newer)) == "blue"
        held.put(first)
        assert held.get(key_of(newer)) == "blue"


def test_late_answer_does_not_bring_back_what_is_gone(admin: KubeSession, namespace: str) -> None:
    with Informer(admin, _maps(namespace), keep=_colour) as held:
        assert held.wait(10)
        late = admin.create(_maps(namespace), _map("one", colour="red"))
        until(lambda: held.get(key_of(late)), "it has come")
        admin.delete(_maps(namespace, "one"))
        until(lambda: held.get(key_of(late)) is None, "it has gone")
        held.put(late)
        assert held.all() == {}


def test_what_was_forgotten_does_not_come_back_by_old_news(
    admin: KubeSession, namespace: str
) -> None:
    seen: list[str] = []
    with Informer(
        admin, _maps(namespace), keep=_colour, on_change=lambda: seen.extend(held.all())
    ) as held:
        assert held.wait(10)
        made = admin.create(_maps(namespace), _map("one"))
        admin.delete(_maps(namespace, "one"))
        held.forget(made)
        seen.clear()
        admin.create(_maps(namespace), _map("two"))
        until(lambda: held.get(f"{namespace}/two") is not None, "later news have come")
    assert f"{namespace}/one" not in seen


def test_informer_without_the_right_to_list_says_so_and_goes_on_once_it_may(
    plane: ControlPlane, admin: KubeSession, namespace: str, tmp_path: Path
) -> None:
    config = plane.kubeconfig(tmp_path / "user", user=USER, namespace=namespace)
    session = KubeSession(Access(kubeconfig=str(config)))
    with Informer(session, _maps(namespace), keep=_colour) as held:
        error = until(lambda: held.error, "the refusal is told")
        assert isinstance(error, AuthError)
        assert f'User "{USER}" cannot list resource "configmaps"' in str(error)

        _allow(admin, namespace, "list", "watch")
        until(lambda: held.synced and held.error is None, "it goes on", 30)


def _allow(admin: KubeSession, namespace: str, *verbs: str) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}]
    version = "rbac.authorization.k8s.io/v1"
    admin.create(
        f"{rbac}/roles",
        {"apiVersion": version, "kind": "Role", "metadata": {"name": "r"}, "rules": rules},
    )
    admin.create(
        f"{rbac}/rolebindings",
        {
            "apiVersion": version,
            "kind": "RoleBinding",
            "metadata": {"name": "r"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER},
            ],
        },
    )

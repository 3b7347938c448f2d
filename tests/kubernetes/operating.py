"""`raytui operator` as a process, which a test may kill and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raytui.autoscaler.daemon.control import greet
from raytui.config.locations import ClusterPaths


class Operator:
    """One operator's process; its log is `log`."""

    def __init__(self, kubeconfig: Path, folder: Path, *options: str) -> None:
        self.log = folder / "operator.log"
        self._kubeconfig = kubeconfig
        self._options = options or ("--no-leader-election",)
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        command = [sys.executable, "-m", "raytui", "operator", *self._options]
        env = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def socket(self, namespace: str, name: str) -> Path | None:
        """Where this process is asked about a cluster; None when it is not."""
        path = ClusterPaths(f"{namespace}.{name}").socket
        hello = greet(path)
        return path if hello is not None and hello.pid == self.process.pid else None

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextmanager
def operator(kubeconfig: Path, folder: Path, *options: str) -> Iterator[Operator]:
    """An operator that runs while the block does; when that fails, its log is shown."""
    running = Operator(kubeconfig, folder, *options)
    try:
        yield running
    except BaseException:
        print(running.log.read_text()[-20_000:])
        raise
    finally:
        if running.process.poll() is None:
            running.kill()

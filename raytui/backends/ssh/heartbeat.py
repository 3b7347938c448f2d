"""Asks a host again and again whether it is still there, and gives up one that fell silent."""

from __future__ import annotations

import threading

import paramiko


class Heartbeat:
    """Closes a transport when the other side has not answered for `silence_s` seconds.

    A stopped sshd or a cut network leaves TCP alone for a quarter of an hour, and paramiko's own
    keepalive asks for no answer.
    """

    def __init__(self, transport: paramiko.Transport, beat_s: float, silence_s: float) -> None:
        self._transport = transport
        self._beat_s = beat_s
        self._silence_s = silence_s
        self._stopped = threading.Event()
        self.fell_silent = False
        threading.Thread(target=self._beat, name="ssh-heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()

    def _beat(self) -> None:
        while not self._stopped.wait(self._beat_s) and self._transport.is_active():
            patience = threading.Timer(self._silence_s, self._give_up)
            patience.daemon = True
            patience.start()
            try:
                self._transport.global_request("keepalive@openssh.com", wait=True)
            except (paramiko.SSHException, EOFError, OSError):
                self._give_up()
            finally:
                patience.cancel()

    def _give_up(self) -> None:
        self.fell_silent = not self._stopped.is_set()
        self._transport.close()

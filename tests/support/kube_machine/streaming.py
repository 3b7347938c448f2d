"""A kubelet's websocket streams: commands in containers, and ports of pods.

The protocol is Kubernetes' `v4.channel.k8s.io`: the first byte of each message is its channel.
`v5.channel.k8s.io` adds channel 255, which closes another one.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import socket
import struct
import termios
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.kube_machine.network import PodNetwork
from tests.support.kube_machine.process import ContainerProcess, program_in_path

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_BLOCK = 1 << 16
Json = dict[str, Any]


async def run_command(
    ws: web.WebSocketResponse,
    process: ContainerProcess,
    command: Sequence[str],
    *,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
) -> None:
    """Run a command in a container, with its streams on the channels."""
    await ws.send_bytes(bytes([_STDOUT if stdout else _ERROR]))
    if not program_in_path(command):
        said = f'exec: "{command[0]}": executable file not found in $PATH: unknown'
        await _end(ws, {"status": "Failure", "reason": "InternalError", "message": said})
        return
    argv = await asyncio.to_thread(process.exec_argv, command)
    if tty:
        code = await _in_terminal(ws, process, argv)
    else:
        code = await _with_pipes(ws, process, argv, stdin=stdin, stdout=stdout, stderr=stderr)
    if code == 0:
        await _end(ws, {"status": "Success"})
        return
    code = code if code > 0 else 128 - code
    cause = {"reason": "ExitCode", "message": str(code)}
    said = f"command terminated with non-zero exit code: command terminated with exit code {code}"
    failed = {"status": "Failure", "reason": "NonZeroExitCode", "message": said}
    await _end(ws, {**failed, "details": {"causes": [cause]}})


async def forward_ports(
    ws: web.WebSocketResponse, network: PodNetwork, ports: Sequence[int], pod: str
) -> None:
    """Join each port, as the pod sees it, with its two channels: data and error."""
    writers: list[asyncio.StreamWriter | None] = []
    readers: list[asyncio.Task[None]] = []
    for index, port in enumerate(ports):
        for channel in (2 * index, 2 * index + 1):
            await ws.send_bytes(bytes([channel]) + struct.pack("<H", port))
        try:
            opened: socket.socket = await asyncio.to_thread(network.connect, port)
        except OSError as error:
            said = f"error forwarding port {port} to pod {pod}: dial tcp4 127.0.0.1:{port}: {error}"
            await ws.send_bytes(bytes([2 * index + 1]) + said.encode())
            writers.append(None)
            continue
        opened.settimeout(None)
        reader, writer = await asyncio.open_connection(sock=opened)
        writers.append(writer)
        readers.append(asyncio.ensure_future(_pump(ws, 2 * index, reader)))
    if not readers:
        await ws.close()
        return
    taker = asyncio.ensure_future(_to_ports(ws, writers))
    await asyncio.wait([taker, asyncio.gather(*readers)], return_when=asyncio.FIRST_COMPLETED)
    await _stopped(taker, *readers)
    for writer in writers:
        if writer:
            writer.close()
    await ws.close()


async def _with_pipes(
    ws: web.WebSocketResponse,
    process: ContainerProcess,
    argv: Sequence[str],
    *,
    stdin: bool,
    stdout: bool,
    stderr: bool,
) -> int:
    pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    started = await asyncio.create_subprocess_exec(
        *argv,
        stdin=pipe if stdin else none,
        stdout=pipe if stdout else none,
        stderr=pipe if stderr else none,
        env=process.env,
    )
    taker = asyncio.ensure_future(_to_stdin(ws, started.stdin))
    wanted = ((_STDOUT, started.stdout), (_STDERR, started.stderr))
    try:
        await asyncio.gather(*(_pump(ws, channel, one) for channel, one in wanted if one))
        return await started.wait()
    finally:
        await _stopped(taker)
        if started.stdin:
            started.stdin.close()


async def _in_terminal(
    ws: web.WebSocketResponse, process: ContainerProcess, argv: Sequence[str]
) -> int:
    ours, theirs = pty.openpty()
    started = await asyncio.create_subprocess_exec(
        *("setsid", "--ctty", "--wait", *argv),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={"TERM": "xterm", **process.env},
    )
    os.close(theirs)
    taker = asyncio.ensure_future(_to_terminal(ws, ours))
    reader = asyncio.StreamReader()
    opened = os.fdopen(os.dup(ours), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), opened
    )
    try:
        await _pump(ws, _STDOUT, reader)
        return await started.wait()
    finally:
        await _stopped(taker)
        transport.close()
        os.close(ours)


async def _stopped(*tasks: asyncio.Future[None]) -> None:
    """End them; a connection is not closed while one still reads it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(ws: web.WebSocketResponse, channel: int, reader: asyncio.StreamReader) -> None:
    """All that comes, until its end; a terminal ends with an error."""
    try:
        while block := await reader.read(_BLOCK):
            await ws.send_bytes(bytes([channel]) + block)
    except OSError:
        return


async def _to_stdin(ws: web.WebSocketResponse, stdin: asyncio.StreamWriter | None) -> None:
    """What comes for it; it ends when the connection does, or when told (v5)."""
    try:
        async for channel, data in _received(ws):
            if not stdin:
                continue
            if channel == _STDIN:
                stdin.write(data)
                await stdin.drain()
            elif channel == _CLOSE and data[:1] == bytes([_STDIN]):
                stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return
    if stdin:
        stdin.close()


async def _to_terminal(ws: web.WebSocketResponse, terminal: int) -> None:
    async for channel, data in _received(ws):
        if channel == _STDIN:
            os.write(terminal, data)
        elif channel == _RESIZE:
            size = json.loads(data)
            rows = struct.pack("HHHH", size["Height"], size["Width"], 0, 0)
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, rows)


async def _to_ports(
    ws: web.WebSocketResponse, writers: Sequence[asyncio.StreamWriter | None]
) -> None:
    async for channel, data in _received(ws):
        index, is_error = divmod(channel, 2)
        writer = writers[index] if index < len(writers) else None
        if writer and not is_error:
            writer.write(data)
            await writer.drain()


async def _received(ws: web.WebSocketResponse) -> AsyncIterator[tuple[int, bytes]]:
    """Channels and what comes on them; a kubelet takes text as well as bytes."""
    async for message in ws:
        if message.type in (WSMsgType.BINARY, WSMsgType.TEXT) and message.data:
            data = message.data
            block = data.encode() if isinstance(data, str) else bytes(data)
            yield block[0], block[1:]


async def _end(ws: web.WebSocketResponse, status: Json) -> None:
    await ws.send_bytes(bytes([_ERROR]) + json.dumps({"metadata": {}, **status}).encode())
    await ws.close()

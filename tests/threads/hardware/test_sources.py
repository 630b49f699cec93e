"""Asking the tools, by stand-ins that print what the real ones do."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from swapper.hardware import sources
from swapper.hardware.sources import Lact, NvidiaLoop, SourceError, open_source

Install = Callable[[str, str], None]

NVIDIA = """\
case "$*" in
  *compute-apps*) echo "77, 100";;
  *--loop*) while true; do echo "0, A, u0, 40, 5, 10, 100, 30, 60"; read _ <fifo; done;;
  *) echo "0, A, u0, 39, 5, 10, 100, 30, 60"; echo "1, B, u1, 1, 1, 1, 1, 1, 1";;
esac
"""
ROCM = """\
echo "device,GUID,VRAM Total Memory (B),VRAM Total Used Memory (B)"
echo "card3,g,2097152,1048576"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a script into a PATH that has nothing but it and a shell."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.delenv("LACT_DAEMON_SOCKET_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "fifo")

    def put(name: str, text: str) -> None:
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
        script.chmod(0o755)

    return put


def test_without_any_tool_there_is_no_source(
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources.NvidiaLibrary, "__init__", _refuse)
    assert open_source(5.0) is None


def test_nvidia_smi_prints_by_itself(install: Install) -> None:
    install("nvidia-smi", NVIDIA)
    source = NvidiaLoop(5.0)
    try:
        readings = [*source.poll()]
        assert [(r.id, r.temp_c) for r in readings[:2]] == [(0, 39), (1, 1)]
        while len(readings) < 3:  # the first line of the loop
            readings += source.poll()
        assert (readings[2].id, readings[2].temp_c) == (0, 40)
        assert source.process_bytes() == {77: 100 << 20}
        children = psutil.Process().children()
    finally:
        source.close()
    assert not any(child.is_running() for child in children if child.pid > 0)


def test_nvidia_smi_that_ends_is_a_source_that_fails(install: Install) -> None:
    install(
        "nvidia-smi", 'case "$*" in *--loop*) exit 9;; esac; echo 0,A,u,1,1,1,1,1,1'
    )
    source = NvidiaLoop(5.0)
    try:
        with pytest.raises(SourceError, match="ended with status 9"):
            _poll_until_it_fails(source)
    finally:
        source.close()


@pytest.mark.parametrize("text", ["exit 1", "echo No devices were found"])
def test_nvidia_smi_without_a_gpu(install: Install, text: str) -> None:
    install("nvidia-smi", text)
    with pytest.raises(SourceError):
        NvidiaLoop(5.0)


def test_rocm_smi_is_asked_each_time(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources.NvidiaLibrary, "__init__", _refuse)
    install("rocm-smi", ROCM)
    source = open_source(5.0)
    assert source is not None
    assert source.name == "rocm-smi"
    assert [(r.id, r.mem_total_mb, r.mem_used_mb) for r in source.poll()] == [(3, 2, 1)]
    assert source.process_bytes() == {}
    source.close()


@pytest.fixture
def lact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Be a LACT daemon; the list is what it was asked."""
    path = tmp_path / "lactd.sock"
    monkeypatch.setenv("LACT_DAEMON_SOCKET_PATH", str(path))
    asked: list[object] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as wire:
                for line in wire:
                    question = json.loads(line)
                    asked.append(question)
                    data: object = [{"id": "dev-a", "name": "RX"}, {"id": "dev-b"}]
                    if question["command"] == "device_stats":
                        total = 1 << 30 if question["args"]["id"] == "dev-a" else 0
                        data = {"vram": {"total": total, "used": 1 << 20}}
                    answer = {"status": "ok", "data": data}
                    wire.write(json.dumps(answer).encode() + b"\n")
                    wire.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    yield asked
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_lact_is_asked_for_devices_and_each_ones_figures(lact: list[object]) -> None:
    source = Lact()
    assert [(r.id, r.uuid, r.mem_total_mb) for r in source.poll()] == [
        (0, "dev-a", 1024)
    ]
    assert lact[:2] == [
        {"command": "list_devices"},
        {"command": "device_stats", "args": {"id": "dev-a"}},
    ]


def _poll_until_it_fails(source: NvidiaLoop) -> None:
    while True:
        source.poll()


def _refuse(_self: object) -> None:
    raise SourceError("not here")

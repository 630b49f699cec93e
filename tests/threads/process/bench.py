"""A bench: supervisors over real processes, with everything they tell recorded."""

import shlex
import socket
import sys
import threading
from pathlib import Path
from typing import Any, TypeVar

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId, RunId
from swapper.core.states import ProcessState
from swapper.logs import Monitor
from swapper.process import (
    Exited,
    ProcessFact,
    ProcessHost,
    ProcessSupervisor,
    Started,
    Stopped,
)
from swapper.process.proctable import read_entry
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait_until

FAKE_MODEL = Path(__file__).with_name("fake_model.py")
LIMIT_S = 15.0

F = TypeVar("F", Started, Exited, Stopped)


def is_alive(pid: int) -> bool:
    """A zombie is dead."""
    return read_entry(pid) is not None


def python(*words: object) -> str:
    return shlex.join([sys.executable, "-I", "-S", *map(str, words)])


def pid_in(path: Path) -> int:
    wait_until(lambda: path.exists() and path.read_text(encoding="ascii").strip())
    return int(path.read_text(encoding="ascii"))


class Recorder:
    """What one supervisor told, in order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.facts: list[ProcessFact] = []

    def __call__(self, fact: ProcessFact) -> None:
        with self._changed:
            self.facts.append(fact)
            self._changed.notify_all()

    def wait_for(self, kind: type[F], run: int, limit_s: float = LIMIT_S) -> F:
        def found() -> F | None:
            for fact in self.facts:
                if isinstance(fact, kind) and fact.run == run:
                    return fact
            return None

        with self._changed:
            fact = self._changed.wait_for(found, limit_s)
            assert fact, f"no {kind.__name__} of run {run} in {self.facts}"
            return fact

    def of(self, run: int) -> list[type]:
        with self._changed:
            return [type(fact) for fact in self.facts if fact.run == run]


class Subject:
    """One supervisor under test."""

    def __init__(self, config: ModelConfig, host: ProcessHost) -> None:
        self.config = config
        self.told = Recorder()
        self.monitor = Monitor()
        self.supervisor = ProcessSupervisor(
            config.id, notify=self.told, monitor=self.monitor, host=host
        )

    def ensure_ready(self, run: int) -> None:
        self.supervisor.ensure_ready(RunId(run), self.config)

    def stop(self, run: int, grace_s: float = 5.0) -> None:
        self.supervisor.stop(RunId(run), grace_s)

    def started(self, run: int) -> Started:
        return self.told.wait_for(Started, run)

    def stopped(self, run: int) -> Stopped:
        return self.told.wait_for(Stopped, run)

    def run_until_ready(self, run: int) -> int:
        """Return the pid."""
        self.ensure_ready(run)
        started = self.started(run)
        assert started.error is None, started.error
        pid = self.supervisor.snapshot.pid
        assert pid is not None
        return pid

    def tell_to_exit(self) -> None:
        """Have a ready fake model end by itself."""
        port = int(self.config.proxy.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as sock:
            sock.sendall(b"GET /exit HTTP/1.1\r\n\r\n")
            while sock.recv(4096):
                pass

    def state(self) -> ProcessState:
        return self.supervisor.snapshot.state

    def text(self) -> str:
        return self.monitor.history().decode()


class Bench:
    def __init__(self) -> None:
        self.host = ProcessHost("bench")
        self.subjects: list[Subject] = []

    def model(self, *words: object, **settings: Any) -> Subject:
        """A supervisor of the fake model on a free port, which is also its address."""
        port = free_port()
        return self.command(
            python(FAKE_MODEL, "--port", port, *words),
            proxy=f"http://127.0.0.1:{port}",
            **settings,
        )

    def command(self, cmd: str, **settings: Any) -> Subject:
        settings.setdefault("proxy", f"http://127.0.0.1:{free_port()}")
        name = ModelId(f"m{len(self.subjects)}")
        config = ModelConfig(id=name, cmd=cmd, **settings)
        subject = Subject(config, self.host)
        self.subjects.append(subject)
        return subject

    def close(self) -> None:
        for subject in self.subjects:
            subject.supervisor.shutdown(0.0)
        for subject in self.subjects:
            assert subject.supervisor.join(LIMIT_S), subject.config.id
        self.host.close()


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def own_threads() -> list[str]:
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("process:", "output"))
    ]

"""A stand-in for swapper: runs some models until it is killed.

``swapper_program.py INSTANCE COMMAND...``; prints the pids of models and guard.
"""

import json
import sys
import threading

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId, RunId
from swapper.logs import Monitor
from swapper.process import ProcessFact, ProcessHost, ProcessSupervisor, Started


def main() -> None:
    instance, *commands = sys.argv[1:]
    host = ProcessHost(instance)
    supervisors = [start(host, f"m{n}", cmd) for n, cmd in enumerate(commands)]
    pids = [supervisor.snapshot.pid for supervisor in supervisors]
    sys.stdout.write(json.dumps({"models": pids, "guard": host.guard_pid}) + "\n")
    sys.stdout.flush()
    if sys.stdin.read() == "end\n":
        for supervisor in supervisors:
            supervisor.shutdown(1.0)
            supervisor.join(10.0)
        host.close()


def start(host: ProcessHost, name: str, cmd: str) -> ProcessSupervisor:
    ready = threading.Event()

    def listen(fact: ProcessFact) -> None:
        if isinstance(fact, Started):
            ready.set()

    config = ModelConfig(
        id=ModelId(name), cmd=cmd, proxy="http://127.0.0.1:1", check_endpoint="none"
    )
    supervisor = ProcessSupervisor(
        config.id, notify=listen, monitor=Monitor(), host=host
    )
    supervisor.ensure_ready(RunId(1), config)
    ready.wait(10.0)
    return supervisor


if __name__ == "__main__":
    main()

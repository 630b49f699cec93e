"""Reloading the configuration of the whole program (config.md section 20)."""

import http.client
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import psutil
import pytest

from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.ports import free_ports
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live

TOGETHER = "groups: {g: {swap: false, members: [%s]}}"
STREAM = "/upstream/%s/x?tokens=3&hold=%s&hold_at=1&framing=chunked&slice=100"
RELOADED = "configuration reloaded"


BUDGET = """
routing:
  router:
    use: budget
    settings: {budget: {resources: {ram: 900MiB}}}
"""


class Reloaded(SwapperProgram):
    """A program whose configuration the test rewrites."""

    def __init__(self, folder: Path, models: dict[str, str], *flags: str) -> None:
        self.start_port = free_ports(8)
        self._connections: list[http.client.HTTPConnection] = []
        super().__init__(folder, self.text(models), *flags)

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the streams and stop it."""
        for connection in self._connections:
            connection.close()
        super().__exit__(type_, error, traceback)

    def text(self, models: dict[str, str], extra: str = "") -> str:
        """Return a configuration of models that may all run together."""
        groups = TOGETHER % ", ".join(models)
        return config_text(
            models, f"unloadTimeout: 5\n{groups}\n{extra}", start_port=self.start_port
        )

    def rewrite(self, text: str) -> None:
        """Put a new file in the place of the old one."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.config)

    def reload(self, text: str, count: int = 1) -> None:
        """Rewrite, send SIGHUP, and wait for the *count*th reload of the run."""
        self.rewrite(text)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_log(rf"(?s)({RELOADED}.*){{{count}}}")

    def pid_of(self, model: str) -> int:
        """Return the process id that a ready model has."""
        [process] = own_processes(self, model)
        return int(process.pid)

    def hold_stream(self, model: str, key: str) -> http.client.HTTPResponse:
        """Open a stream that stays open until *key* is released."""
        host = self.url.partition("//")[2]
        connection = http.client.HTTPConnection(host, timeout=60)
        self._connections.append(connection)
        connection.request("GET", STREAM % (model, key))
        answer = connection.getresponse()
        assert answer.status == 200
        return answer

    def address_of(self, model: str) -> str:
        """Return where a running model listens."""
        rows = self.call("/running").json()["running"]
        return next(str(row["proxy"]) for row in rows if row["model"] == model)


def test_unchanged_models_keep_process_port_log_and_streams(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"b": "", "d": ""}) as program:
        stream = program.hold_stream("b", "k")
        address, pid = program.address_of("b"), program.pid_of("b")
        log = program.call("/logs").body
        # "a" sorts before "b" and would have taken its port
        program.reload(program.text({"a": "", "b": "", "c": ""}))

        assert program.address_of("b") == address
        assert program.pid_of("b") == pid
        assert program.chat("a").status == program.chat("c").status == 200
        assert program.chat("d").status == 404
        fake_release(address, "k")
        assert len(stream.read()) > 0
        assert log in program.call("/logs").body
        listing = program.call("/v1/models").json()["data"]
        assert [record["id"] for record in listing] == ["a", "b", "c"]


def test_a_changed_model_finishes_its_stream_before_it_starts_anew(
    tmp_path: Path,
) -> None:
    with Reloaded(tmp_path, {"a": ""}) as program, ThreadPoolExecutor(1) as pool:
        stream = program.hold_stream("a", "k")
        address, pid = program.address_of("a"), program.pid_of("a")
        program.reload(program.text({"a": "--default tokens=4"}))
        assert program.running() == {"a": "stopping"}
        waiting = pool.submit(program.chat, "a")
        fake_state(address, min_held=1)
        fake_release(address, "k")

        assert len(stream.read()) > 0
        assert waiting.result().status == 200
        assert program.pid_of("a") != pid
        assert len(own_processes(program, "a")) == 1


@pytest.mark.parametrize("after", [{"b": ""}, {"a": "--default tokens=4", "b": ""}])
def test_what_still_serves_is_shown_as_it_was_started(
    tmp_path: Path, after: dict[str, str]
) -> None:
    """http-api.md 19.2: every process that lives; removed or replaced, until it ends."""

    def row() -> object:
        rows = program.call("/running").json()["running"]
        return next((row for row in rows if row["model"] == "a"), None)

    with Reloaded(tmp_path, {"a": "", "b": ""}) as program:
        stream = program.hold_stream("a", "k")
        address, before = program.address_of("a"), row()
        assert isinstance(before, dict)
        program.reload(program.text(after))
        assert row() == {**before, "state": "stopping"}

        fake_release(address, "k")
        assert len(stream.read()) > 0
        assert program.chat("b").status == 200  # starts when a is gone
        assert row() is None


def test_a_removed_model_stops_when_its_grace_is_over(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": "", "b": ""}) as program:
        stream = program.hold_stream("a", "k")
        began = time.monotonic()
        program.reload(program.text({"b": ""}))
        with pytest.raises((http.client.IncompleteRead, ConnectionError)), stream:
            stream.read()

        assert time.monotonic() - began >= 4
        assert program.chat("b").status == 200
        assert program.running() == {"b": "ready"}


def test_rld_1_and_2_watched_file_breaks_and_is_mended(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": ""}, "--watch-config") as program:
        program.chat("a")
        pid = program.pid_of("a")
        program.rewrite("models: [")
        program.wait_for_log("not reloaded, it is not valid")

        assert program.chat("a").status == 200
        assert program.pid_of("a") == pid

        program.rewrite(program.text({"a": "", "b": ""}))
        program.wait_for_log(RELOADED)

        assert program.chat("b").status == 200
        assert program.pid_of("a") == pid


def test_rld_3_a_touched_file_is_reloaded_and_stops_nothing(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": ""}, "--watch-config") as program:
        program.chat("a")
        pid = program.pid_of("a")
        os.utime(program.config, (1, 1))
        program.wait_for_log(f"{RELOADED}.*added=none removed=none restarted=none")

        assert program.pid_of("a") == pid


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("models: [", "not valid YAML"),
        ("groups: {g: {members: [zz]}}", "zz is neither a model nor an alias"),
        ("", "it is empty"),
        ("  \n# nothing\n", "it is empty"),
        ("models: {m: {cmd: serve}}", "needs a port"),
    ],
    ids=["RLD-8", "RLD-5", "empty", "blank", "no port"],
)
def test_a_bad_file_changes_nothing_and_says_why(
    tmp_path: Path, text: str, why: str
) -> None:
    with Reloaded(tmp_path, {"a": ""}) as program:
        program.chat("a")
        program.rewrite(text)
        program.process.send_signal(signal.SIGHUP)
        program.wait_for_log(why)

        assert program.running() == {"a": "ready"}
        assert program.chat("a").status == 200
        assert program.call("/health").body == b"OK"


def test_rld_7_without_watching_only_sighup_reloads(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": ""}) as program:
        program.rewrite(program.text({"a": "", "b": ""}))
        assert program.chat("b").status == 404

        program.process.send_signal(signal.SIGHUP)
        program.wait_for_log(RELOADED)
        assert program.chat("b").status == 200


def test_rld_9_11_files_of_a_directory_come_and_go(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    port = free_ports(3)
    (folder / "a.yaml").write_text(
        config_text({"a": ""}, start_port=port), encoding="utf-8"
    )
    with SwapperProgram(
        tmp_path, "logLevel: info\n", "--config-dir", str(folder)
    ) as program:

        def add(name: str, model: str) -> None:
            lines = config_text({model: ""}).splitlines()
            start = lines.index("models:")
            text = "\n".join(lines[start:])
            (folder / name).write_text(text, encoding="utf-8")
            program.process.send_signal(signal.SIGHUP)

        add("b.yml", "b")
        program.wait_for_log(f"{RELOADED} models=2 added=b")
        assert program.chat("b").status == 200

        add("c.yml", "a")  # a duplicate id
        program.wait_for_log("not reloaded, it is not valid")
        assert program.chat("b").status == 200

        (folder / "c.yml").unlink()
        (folder / "b.yml").unlink()
        program.process.send_signal(signal.SIGHUP)
        program.wait_for_log(f"{RELOADED} models=1 added=none removed=b")
        assert program.chat("b").status == 404


def test_settings_apply_without_a_restart(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": ""}) as program:
        program.chat("a")
        pid = program.pid_of("a")
        text = program.text({"a": ""}, "logTimeFormat: rfc3339\nlogLevel: debug")
        program.reload(text.replace("  a:\n", "  a:\n    aliases: [al]\n"))

        assert program.chat("al").status == 200
        assert program.pid_of("a") == pid
        program.wait_for_log(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?[^ ]* \[DEBUG\] router")


def test_rld_6_keys_count_from_the_next_request_on(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": ""}) as program:
        assert program.chat("a").status == 200
        program.rewrite(program.text({"a": ""}, "apiKeys: [k]"))
        program.process.send_signal(signal.SIGHUP)
        program.wait_for_line(RELOADED)

        assert program.chat("a").status == 401
        assert program.call("/health").status == 200


def test_preload_after_a_reload_loads_what_is_new_in_the_list(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": "", "b": ""}) as program:
        program.reload(
            program.text({"a": "", "b": ""}, "hooks: {on_startup: {preload: [b]}}")
        )
        program.wait_for_log("model ready model=b")
        # the line may be there before the router has published the state
        wait_until(lambda: program.running() == {"b": "ready"})


def test_twenty_rewrites_in_two_seconds_break_nothing(tmp_path: Path) -> None:
    """No second process for any model, no broken stream, the last version wins."""
    models = {"a": "", "b": "", "c": ""}
    with Reloaded(tmp_path, models, "--watch-config") as program:
        streams = {m: program.hold_stream(m, f"k{m}") for m in "ab"}
        before = {m: (program.address_of(m), program.pid_of(m)) for m in "ab"}
        most: dict[str, int] = {}
        for number in range(20):
            changing = {**models, "c": f"--default tokens={number}"}
            if number % 2:
                changing["x"] = ""
            program.rewrite(program.text(changing, f"globalTTL: {1000 + number}"))
            program.process.send_signal(signal.SIGHUP)
            for model in "ab":
                count = len(own_processes(program, model))
                most[model] = max(most.get(model, 0), count)
        program.rewrite(program.text({**models, "z": ""}))
        program.process.send_signal(signal.SIGHUP)
        program.wait_for_log(f"{RELOADED}.* added=(\\S+,)?z ")

        assert most == {"a": 1, "b": 1}
        assert program.chat("z").status == 200
        for model, stream in streams.items():
            address, pid = before[model]
            assert program.address_of(model) == address
            assert program.pid_of(model) == pid
            fake_release(address, f"k{model}")
            assert len(stream.read()) > 0


def own_processes(program: SwapperProgram, model: str) -> list[psutil.Process]:
    """Return the processes of *model* that belong to this program."""
    children = psutil.Process(program.process.pid).children(recursive=True)
    found = []
    for child in children:
        try:
            if child.status() != psutil.STATUS_ZOMBIE and model in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found


def test_the_active_profile_survives_while_it_is_configured(tmp_path: Path) -> None:
    with Reloaded(tmp_path, {"a": ""}) as program:

        def reload(count: int, pins: str) -> object:
            text = program.text({"a": ""}, f"profiles: {{{pins}: {{pins: {{x: a}}}}}}")
            program.reload(text, count)
            return program.call("/api/profiles").json()["active"]

        reload(1, "p")
        program.call("/api/profiles/active", '{"name":"p"}', method="PUT")

        assert reload(2, "p") == "p"
        assert program.chat("x").status == 200
        assert reload(3, "q") is None
        assert program.chat("x").status == 404


def test_requests_of_a_selector_are_counted_until_they_end(tmp_path: Path) -> None:
    """Also those that began before a reload: the held one keeps its target busy."""
    models = dict.fromkeys(("a", "b"), "--default echo=1")
    selector = "selectors: {s: {strategy: spillover, targets: [a, b]}}"
    with Reloaded(tmp_path, models) as program, ThreadPoolExecutor(1) as pool:
        ended = 0

        def ask() -> str:
            """Return who answered, once swapper knows that it is over."""
            nonlocal ended
            name = str(program.call("/props?model=s").json()["name"])
            ended += 1
            program.wait_for_log(rf'(?s)("GET /props .*){{{ended}}}')
            return name

        program.reload(program.text(models, selector))
        held = pool.submit(program.call, "/props?model=s&hold=k")
        address = program.upstream_url("a")
        fake_state(address, min_held=1)
        assert [ask(), ask(), ask()] == ["b", "b", "b"]

        program.reload(program.text(models, f"{selector}\nlogLevel: debug"), 2)
        assert [ask(), ask()] == ["b", "b"]

        fake_release(address, "k")
        assert held.result().json()["name"] == "a"
        ended += 1
        program.wait_for_log(rf'(?s)("GET /props .*){{{ended}}}')
        assert {ask(), ask()} == {"a", "b"}


def test_what_runs_already_is_measured_once_that_matters(tmp_path: Path) -> None:
    models = {"a": "", "b": ""}
    with Reloaded(tmp_path, models) as program:
        assert program.chat("a").status == program.chat("b").status == 200

        program.reload(config_text(models, BUDGET, start_port=program.start_port))

        program.wait_for_log("(?s)model=a why=holds.*model=b why=holds")
        assert program.chat("a").status == program.chat("b").status == 200
        assert program.running() == {"a": "ready", "b": "ready"}
        assert "stop model" not in program.wait_for_log("model=b why=holds")

"""What a client is told when things go wrong."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live


def test_a_crash_while_starting_tells_code_and_last_words(tmp_path: Path) -> None:
    """R9: what failed, exit code, last lines, how long it took, OpenAI-shaped."""
    config = config_text({"a": "--exit-after 0 --exit-code 3 --say no_such_weights"})
    with SwapperProgram(tmp_path, config) as program:
        answer = program.chat("a")

    error = answer.json()["error"]
    assert answer.status == 500
    assert "upstream command exited prematurely" in error["message"]
    assert "no_such_weights" in error["message"]
    assert error["detail"]["exit_code"] == 3
    assert error["detail"]["model"] == "a"
    assert "no_such_weights" in "\n".join(error["detail"]["log_tail"])
    assert error["detail"]["duration_s"] > 0


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    config = "models: {a: {cmd: 'no-such-program-at-all --port ${PORT}'}}"
    with SwapperProgram(tmp_path, config) as program:
        answer = program.chat("a")

    assert answer.status == 500
    assert "no-such-program-at-all" in answer.json()["error"]["message"]


def test_a_port_in_use_names_who_has_it(tmp_path: Path) -> None:
    with (
        SwapperProgram(tmp_path, config_text({"a": ""})) as first,
        ThreadPoolExecutor(1),
    ):
        first.chat("a")
        taken = first.upstream_url("a").rpartition(":")[2]
        other = tmp_path / "other"
        other.mkdir()
        config = config_text({"b": ""}, start_port=int(taken))
        with SwapperProgram(other, config) as second:
            error = second.chat("b").json()["error"]

    assert error["code"] == "port_in_use"
    assert "pid" in error["message"]


def test_an_upstream_that_breaks_before_its_head_is_a_named_502(
    tmp_path: Path,
) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        answer = program.call("/upstream/a/v1/chat/completions?drop=head", b"{}")

    assert answer.status == 502
    assert answer.json()["error"]["code"] == "bad_gateway"
    assert "model a" in answer.json()["error"]["message"]


def test_a_truncated_answer_is_passed_on_as_truncated(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        with pytest.raises(Exception, match=r"IncompleteRead|incomplete"):
            program.call("/upstream/a/x?size=100000&drop=500&framing=chunked")

        assert program.chat("a").status == 200


def test_a_busy_port_ends_the_program_with_status_1(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        second = SwapperProgram(
            tmp_path, config_text({"a": ""}), "--listen", program.url.split("//")[1]
        )
        with pytest.raises(TimeoutError, match="cannot listen"):
            second.__enter__()

        assert second.process.returncode == 1
        assert program.chat("a").status == 200

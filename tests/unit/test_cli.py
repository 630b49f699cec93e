"""The command line as values and as exit codes (config.md section 1, cases CLI-*)."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from swapper import __version__
from swapper.cli import Options, UsageError, main, parse_flags


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "c.yaml"],
        ["-config", "c.yaml"],
        ["--config=c.yaml"],
        ["-config=c.yaml"],
        ["--config", "x", "--config", "c.yaml"],
        ["--config", "c.yaml", "extra", "--listen", ":9"],
        ["--config", "c.yaml", "--", "--listen", ":9"],
        ["--config", "c.yaml", "-", "--listen", ":9"],
    ],
)
def test_cli_9_cli_10_both_dash_styles_last_wins_rest_ignored(words: list[str]) -> None:
    assert parse_flags(words) == Options(config="c.yaml")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("--watch-config", True),
        ("-watch-config=T", True),
        ("--watch-config=1", True),
        ("--watch-config=false", False),
        ("--watch-config=0", False),
    ],
)
def test_booleans_take_a_value_only_with_an_equals_sign(
    word: str, *, value: bool
) -> None:
    assert parse_flags([word, "--listen", ":1"]).watch_config is value


def test_cli_8_a_word_after_a_boolean_ends_the_parsing() -> None:
    parsed = parse_flags(["--watch-config", "true", "--config", "c.yaml"])

    assert parsed == Options(watch_config=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bogus"], "bogus"),
        (["--version", "--config"], "needs an argument: -config"),
        (["--watch-config=maybe"], "'maybe'"),
        (["--watch-config="], "''"),
        (["--tls_cert_file", "x"], "tls_cert_file"),
        (["---config", "x"], "-config"),
    ],
)
def test_cli_4_6_7_bad_flags(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_flags(words)


@pytest.mark.parametrize(
    ("words", "status", "out", "err"),
    [
        ([], 1, "", "--config"),
        (["--version"], 0, f"version: {__version__}", ""),
        (["--config", "missing.yaml", "--version"], 0, "version: ", ""),
        (["--version", "--config"], 2, "", "Usage"),
        (["--print-schema"], 0, "json-schema.org/draft-07", ""),
        (["--print-schema=false"], 1, "", "--config"),
        (["--help"], 0, "", "Usage"),
        (["-h"], 0, "", "Usage"),
        (["--bogus"], 2, "", "Usage"),
        (["--watch-config=maybe", "--config", "c.yaml"], 2, "", "maybe"),
        (["--watch-config", "true", "--config", "c.yaml"], 1, "", "--config"),
        (["--config", ""], 1, "", "--config"),
        (["--config", "c.yaml", "--tls-cert-file", "f"], 1, "", "both"),
        (["--config", "no/such/file.yaml"], 1, "", "no/such/file.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_cli_1_to_12_exit_codes(
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    status: int,
    out: str,
    err: str,
) -> None:
    assert main(words) == status
    told = capsys.readouterr()

    assert out in told.out
    assert err in told.err


def test_check_config_tells_models_and_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "models: {a: {cmd: 'x ${PORT}', aliases: [b], ttll: 1}}", encoding="utf-8"
    )

    assert main(["--config", str(config), "--check-config"]) == 0
    told = capsys.readouterr().out
    assert "a (also b)" in told
    assert "proxy   http://localhost:5800" in told
    assert "did you mean `ttl`" in told


def test_check_config_shows_no_secret(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SWAPPER_TEST_TOKEN", "hush hush")
    config = tmp_path / "c.yaml"
    config.write_text(
        "apiKeys: [client-key]\n"
        "peers: {p: {proxy: 'http://me:pass@h:1', models: [m], apiKey: peer-key}}\n"
        "models:\n  a:\n"
        "    cmd: x ${PORT} --key client-key --token ${env.SWAPPER_TEST_TOKEN}\n"
        "    env: ['TOKEN=in-the-file', 'OTHER=${env.SWAPPER_TEST_TOKEN}']\n"
        "    ${env.SWAPPER_TEST_TOKEN}: 1\n",
        encoding="utf-8",
    )

    assert main(["--config", str(config), "--check-config"]) == 0
    told = capsys.readouterr().out
    assert "--key '***' --token '${env.SWAPPER_TEST_TOKEN}'" in told
    assert "env     TOKEN, OTHER" in told
    assert "http://***@h:1 (with a key)" in told
    assert "clients need one of 1 keys" in told
    for secret in ("hush", "client-key", "peer-key", "in-the-file", "pass"):
        assert secret not in told


def test_error_of_the_configuration_shows_no_environment_value(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SWAPPER_TEST_TOKEN", "hush hush")
    config = tmp_path / "c.yaml"
    config.write_text("globalTTL: ${env.SWAPPER_TEST_TOKEN}\n", encoding="utf-8")

    assert main(["--config", str(config), "--check-config"]) == 1
    told = capsys.readouterr().err
    assert 'not the text "${env.SWAPPER_TEST_TOKEN}"' in told


def test_print_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-print-schema"]) == 0

    assert "models" in json.loads(capsys.readouterr().out)["properties"]


def test_check_config_names_file_line_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "models:\n  a:\n    cmd: x ${PORT}\n    ttl: soon\n", encoding="utf-8"
    )

    assert main(["--config", str(config), "--check-config"]) == 1
    told = capsys.readouterr().err
    assert f"{config}:4: models.a.ttl" in told
    assert "soon" in told


def test_cli_13_tls_files_that_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", minimal(tmp_path), "--listen", "127.0.0.1:0"]
    files = ["--tls-cert-file", "no/cert.pem", "--tls-key-file", "no/key.pem"]

    assert main([*words, *files]) == 1
    told = capsys.readouterr().err
    assert "cannot listen" in told
    assert "no/cert.pem" in told


@pytest.mark.parametrize("where", ["on", "99999", ""])
def test_cpus_that_are_not_there_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    words = ["--config", minimal(tmp_path), "--cpu-affinity", where]

    assert main(words) == 1
    assert f"--cpu-affinity '{where}'" in capsys.readouterr().err


def test_cli_14_an_address_without_a_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", minimal(tmp_path), "--listen", "9090"]) == 1
    assert "9090" in capsys.readouterr().err


def test_cli_15_an_address_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        assert main(["--config", minimal(tmp_path), "--listen", address]) == 1
    assert address in capsys.readouterr().err


def minimal(folder: Path) -> str:
    """Return the path of a configuration."""
    path = folder / "c.yaml"
    path.write_text("models: {a: {cmd: 'x ${PORT}'}}", encoding="utf-8")
    return str(path)


def test_a_reader_that_has_seen_enough_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "swapper", "--print-schema"],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)

    assert ended.returncode == 1
    assert ended.stderr == b""

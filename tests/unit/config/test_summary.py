import pytest

from swapper.config import parse_config, summary

TEXT = """
apiKeys: [first-key, second-key]
models:
  small: {cmd: "serve ${PORT} 'two words'", aliases: [s, t], cmdStop: "kill ${PID}"}
  large: {cmd: run, proxy: "http://h:1", unlisted: true, ttl: 60, env: [A=1, B, A=2]}
  broken: {cmd: "# nothing", proxy: ""}
groups: {g: {persistent: true, swap: false, members: [small]}}
routing: {scheduler: {settings: {fifo: {priority: {s: 4}}}}}
peers: {p: {proxy: "http://h:2", models: [m, large]}, q: {proxy: "http://h:3", models: [m]}}
selectors:
  warm: {strategy: warm, targets: [small, large], unlisted: true}
  over: {strategy: spillover, targets: [small, p/m], settings: {spillover: 3}}
profiles: {night: {pins: {small: large, x: ~}}}
hooks: {on_startup: {preload: [t]}}
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return summary(parse_config(TEXT, environ={}), {}).splitlines()


@pytest.mark.parametrize(
    "block",
    [
        "  small (also s, t)\n    cmd     serve 5800 'two words'\n"
        "    cmdStop kill '${PID}'\n    proxy   http://localhost:5800\n"
        "    port    5800\n    ttl     0, never unloaded for idling",
        "  large (unlisted)\n    cmd     run\n    proxy   http://h:1\n"
        "    ttl     60 s\n    env     A, B",
        "  broken\n    cmd     none\n    proxy   none\n",
        "router group:\n  g: small (together; stops other groups; persistent)\n"
        "  (default): broken, large (one at a time; stops other groups)",
        "scheduler fifo:\n  small: priority 4",
        "peers:\n  p: http://h:2\n    p/m\n    p/large\n  q: http://h:3\n    q/m\n",
        "selectors:\n  warm: small, large (warm; unlisted)\n"
        "  over: small, p/m (spillover at 3)",
        "profiles:\n  night: small -> large, x -> off",
        "preload:\n  small\nclients need one of 2 keys",
    ],
    ids=lambda block: block.split(maxsplit=1)[0],
)
def test_summary_tells(lines: list[str], block: str) -> None:
    assert block in "\n".join(lines)


def test_summary_ends_with_the_verdict(lines: list[str]) -> None:
    assert lines[-1] == "3 models, configuration is valid"
    assert lines[0].startswith("warning: ")


def test_summary_leaves_out_what_is_not_there() -> None:
    text = summary(parse_config("models: {}", environ={}), {})

    assert text == "clients need no key\n0 models, configuration is valid"


def test_name_cannot_drive_the_terminal() -> None:
    text = summary(parse_config('models: {"a\\e[2J": {cmd: "x ${PORT}"}}'), {})

    assert "\x1b" not in text
    assert r"a\x1b[2J" in text


def test_the_sets_of_a_matrix_and_what_evicting_costs() -> None:
    config = parse_config(
        """
models:
  a: {cmd: x, proxy: "http://h"}
  b: {cmd: x, proxy: "http://h"}
matrix:
  evict_costs: {b: 7}
  sets: {one: "a | b", two: "(a | b) & b & +one"}
""",
        environ={},
    )

    text = summary(config, {})
    assert "router matrix:\n  one: a | b\n  two: (a | b) & b & +one\n" in text
    assert "  evicting costs 1, but: b 7" in text


def test_budgets_and_what_each_model_takes() -> None:
    config = parse_config(
        """
models:
  a: {cmd: x, proxy: "http://h", resources: {gpu: 14GiB, slots: 1}, pin: true}
  b: {cmd: x, proxy: "http://h", resources: {}}
routing:
  router: {use: budget, settings: {budget: {resources: {gpu: 24GiB, slots: 2}}}}
""",
        environ={},
    )

    assert (
        "router budget:\n  there is gpu 24 GiB, slots 2\n"
        "  a: gpu 14 GiB, slots 1 (pinned)\n  b: nothing\n"
    ) in summary(config, {})

"""The page on monitoring and the dashboard speak of metrics that exist, and of all."""

import json
import re
from pathlib import Path

from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.hardware import GpuReading, ProcessMemory, host_families
from swapper.hardware.samples import sample_system
from swapper.record.counters import RequestCounters
from swapper.router import RouterCounts, state_family
from swapper.scheduler import StopReason
from swapper.web.routes.metrics import by_model, memory_families
from tests.fakes.finished import finished

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
DASHBOARD = json.loads((ROOT / "examples/grafana/swapper.json").read_text("utf-8"))


def existing() -> dict[str, str]:
    """Return the kind of every family there can be, by name."""
    model, counts, counters = ModelId("m"), RouterCounts(), RequestCounters()
    counters.keep(finished())
    counts.started(model)
    counts.loaded(model, 1.0)
    counts.failed(model)
    counts.died(model)
    counts.stopped(model, StopReason.SWAP)
    text = "".join(
        [
            *host_families(sample_system(), [GpuReading(id=0)]),
            *counters.families(),
            *counts.families(),
            state_family({model: ProcessState.READY}),
            by_model("queued", "", {"m": 1}),
            by_model("in_flight", "", {"m": 1}),
            *memory_families({"m": ProcessMemory(1, 1)}),
        ]
    )
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def test_the_page_lists_every_family_and_no_other() -> None:
    rows = re.findall(
        r"^\| `((?:swapper|llamaswap)_\w+)` \| (\w+) \|", PAGE, re.MULTILINE
    )
    expected = existing()
    if "llamaswap_network_bytes_total" not in expected:  # a machine without a network
        expected["llamaswap_network_bytes_total"] = "counter"

    assert dict(rows) == expected
    assert len(rows) == len(expected)


def test_the_dashboard_asks_for_what_there_is() -> None:
    listed = set(re.findall(r"`((?:swapper|llamaswap)_\w+)`", PAGE))
    asked = {
        re.sub("_(bucket|sum|count)$", "", name)
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in re.findall(r"(?:swapper|llamaswap)_\w+", target["expr"])
    }
    assert asked
    assert asked <= listed


def test_the_dashboard_can_be_imported() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert [given["name"] for given in DASHBOARD["__inputs"]] == ["DS_PROMETHEUS"]
    assert {p["datasource"]["uid"] for p in DASHBOARD["panels"]} == {"${DS_PROMETHEUS}"}

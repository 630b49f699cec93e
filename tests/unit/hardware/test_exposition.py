"""Samples as Prometheus text, read back by its own client library."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from swapper.hardware import GpuReading, SystemSample, host_families
from swapper.hardware.samples import NetSample

SYSTEM = SystemSample(
    taken_s=1.0,
    cpu_percent=(12.5, 0.0),
    mem_total_mb=24105,
    mem_used_mb=2125,
    mem_free_mb=18742,
    swap_total_mb=0,
    swap_used_mb=0,
    load=(0.5, 0.4, 0.3),
    net=(NetSample(name="eth0", bytes_recv=10, bytes_sent=20),),
)
GPUS = [
    GpuReading(
        id=0, name='a "b" \\ c\nd', uuid="u", mem_used_mb=512, mem_total_mb=2048
    ),
    GpuReading(id=1, name="e"),
]


def test_without_a_sample_there_is_nothing() -> None:
    assert list(host_families(None, [])) == []


def test_families_come_in_the_order_of_the_reference() -> None:
    text = "".join(host_families(SYSTEM, GPUS))
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    host = ["memory_total_bytes", "memory_used_bytes", "memory_free_bytes"]
    host += ["swap_total_bytes", "swap_used_bytes", "load_average"]
    gpu = ["temperature_celsius", "vram_temperature_celsius", "util_percent"]
    gpu += ["memory_util_percent", "memory_used_bytes", "memory_total_bytes"]
    gpu += ["fan_speed_percent", "power_draw_watts"]
    assert names == [
        "llamaswap_cpu_util_percent",
        *(f"llamaswap_{name}" for name in host),
        "llamaswap_network_bytes_total",
        *(f"llamaswap_gpu_{name}" for name in gpu),
    ]


def test_the_client_library_reads_it() -> None:
    text = "".join(host_families(SYSTEM, GPUS))
    read = {f.name: f.samples for f in text_string_to_metric_families(text)}

    assert [s.value for s in read["llamaswap_cpu_util_percent"]] == [12.5, 0]
    assert read["llamaswap_memory_total_bytes"][0].value == 24105 << 20
    (recv, sent) = read["llamaswap_network_bytes"]
    assert (recv.labels, recv.value) == ({"interface": "eth0", "direction": "recv"}, 10)
    assert sent.value == 20
    first, second = read["llamaswap_gpu_memory_util_percent"]
    assert first.labels == {"id": "0", "name": 'a "b" \\ c\nd', "uuid": "u"}
    assert first.value == 25
    assert second.labels == {"id": "1", "name": "e"}


def test_without_interfaces_the_family_is_left_out() -> None:

    lonely = replace(SYSTEM, net=())
    assert "network" not in "".join(host_families(lonely, []))

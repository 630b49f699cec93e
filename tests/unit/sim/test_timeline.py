"""Pictures of a simulation."""

from xml.etree import ElementTree as ET

from swapper.core.ids import ModelId
from swapper.sim import History, Phase, Request
from swapper.sim.timeline import ascii_timeline, svg_timelines

A, B, UNUSED = ModelId("a<b"), ModelId("b"), ModelId("unused")

HISTORY = History(
    requests=[
        Request("x", A, 0.0, 10.0, 30.0),
        Request("y", B, 10.0, 50.0, 60.0),
    ],
    phases={
        A: [
            (0.0, Phase.LOADING),
            (10.0, Phase.READY),
            (30.0, Phase.STOPPING),
            (40.0, Phase.STOPPED),
        ],
        B: [(40.0, Phase.LOADING), (50.0, Phase.READY)],
        UNUSED: [],
    },
    loads=2,
    end_s=60.0,
)


def test_ascii_shows_each_model_that_was_asked_for() -> None:
    lines = ascii_timeline(HISTORY, width=12).splitlines()

    assert lines[0] == r"a<b |//####\\    |"
    assert lines[1] == r"b   |  ......//##|"
    assert lines[2].split() == ["0", "s", "60.0", "s"]
    assert "/ loading" in lines[3]


def test_short_service_is_not_hidden_by_long_loads() -> None:
    assert ascii_timeline(HISTORY, width=2).splitlines()[0] == "a<b |# |"


def test_ascii_of_nothing() -> None:
    assert ascii_timeline(History()).splitlines()[0].split() == ["0", "s", "0.0", "s"]


def test_svg_is_well_formed_and_has_a_bar_per_span() -> None:
    root = ET.fromstring(svg_timelines({"fifo": HISTORY, "other": HISTORY}))  # noqa: S314 - our own text
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    titles = [
        element.text for element in root.iter("{http://www.w3.org/2000/svg}title")
    ]

    assert texts.count("a<b") == 2
    assert "unused" not in texts
    assert "fifo: 60.0 s, 2 loads" in texts
    assert titles.count("serving, 10.00 s to 30.00 s") == 2
    assert len(titles) == 2 * (3 + 3)

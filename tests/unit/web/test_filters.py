"""Filters on whole requests (http-api.md section 11, config.md section 10)."""

import json
from typing import Any

import pytest

from swapper.config import FilterConfig, parse_config
from swapper.core.errors import FilterError
from swapper.core.ids import ModelId
from swapper.web.filters import BodyFilters
from swapper.web.model_name import ModelRequest, find_model
from tests.fakes.requests import make_request

JSON = {"Content-Type": "application/json; charset=utf-8"}


def find(raw: bytes, **headers: str) -> ModelRequest:
    request = make_request("POST", "/v1/x", body=raw, headers={**JSON, **headers})
    return find_model(request)


def filtered(
    raw: str,
    *,
    use_model_name: str = "",
    requested: str | None = None,
    **filters: Any,
) -> str:
    wanted = find(raw.encode())
    filters_ = BodyFilters(FilterConfig(**filters), use_model_name)
    filters_.apply(wanted, requested or wanted.name)
    assert isinstance(wanted.body, bytes)
    assert wanted.length == len(wanted.body)
    return wanted.body.decode()


SPEC: dict[str, Any] = {
    "use_model_name": "real-upstream",
    "strip_params": ("a.b", "temperature"),
    "set_params": {"nested.x": [1], "top_p": 0.5},
    "set_params_by_id": {"variant": {"reasoning": "high", "top_p": 0.9}},
}


def test_f1_existing_keys_keep_their_place() -> None:
    raw = '{"model":"author/model","temperature":1,"a":{"b":2,"c":3},"top_p":9,"s":"é"}'
    assert filtered(raw, **SPEC) == (
        '{"model":"real-upstream","a":{"c":3},"top_p":0.5,"s":"é","nested":{"x":[1]}}'
    )


def test_f2_settings_by_name_win() -> None:
    assert filtered('{"model":"variant","temperature":1}', **SPEC) == (
        '{"model":"real-upstream","nested":{"x":[1]},"top_p":0.9,"reasoning":"high"}'
    )


def test_f4_a_peer_has_filters_and_no_model_name() -> None:
    wanted = find(b'{"model":"p1/pm","z":1}')
    wanted.rename("pm")
    BodyFilters(FilterConfig(set_params={"px": 1})).apply(wanted, "p1/pm")

    assert wanted.body == b'{"model":"pm","z":1,"px":1}'


CONFIG = """\
models:
  a:
    cmd: serve --port ${PORT}
    useModelName: real
    filters:
      stripParams: "temperature, x.y, model"
      setParams: {top_k: 5, "n.est": 1, f: 1.0, model: x}
      setParamsByID: {"a:hi": {top_k: 9}}
"""


@pytest.mark.parametrize(
    ("name", "top_k"),
    [pytest.param("a:hi", 9, id="FIL-7"), pytest.param("a", 5, id="FIL-8")],
)
def test_the_order_of_edits(name: str, top_k: int) -> None:
    model = parse_config(CONFIG).models[ModelId("a")]
    wanted = find(
        json.dumps({"model": name, "temperature": 1, "x": {"y": 1, "z": 2}}).encode()
    )
    BodyFilters(model.filters, model.use_model_name).apply(wanted, wanted.name)

    assert isinstance(wanted.body, bytes)
    assert wanted.body.decode().replace(" ", "") == (
        f'{{"model":"real","x":{{"z":2}},"f":1,"n":{{"est":1}},"top_k":{top_k}}}'
    )
    assert wanted.name == name


def test_fil_6_the_model_cannot_be_set() -> None:
    config = parse_config(
        "models: {a: {cmd: x, proxy: 'http://h', filters: {setParams: {model: x, t: 1}}}}"
    )
    filters = config.models[ModelId("a")].filters
    wanted = find(b'{"model":"a"}')
    BodyFilters(filters).apply(wanted, "a")

    assert wanted.body == b'{"model":"a","t":1}'


def test_what_was_stripped_can_be_set_again() -> None:
    after = filtered(
        '{"model":"m","t":1,"u":2}', strip_params=("t",), set_params={"t": 3}
    )
    assert after == '{"model":"m","u":2,"t":3}'


def test_a_parameter_written_twice_is_no_way_around_a_filter() -> None:
    raw = '{"model":"m","t":1,"u":1,"\\u0074":2,"u":2}'
    after = filtered(raw, strip_params=("t",), set_params={"u": 3})

    assert after == '{"model":"m","u":3,"u":3}'


@pytest.mark.parametrize("name", ["te*", "t?", "a|b", "a.#", "@this"])
def test_a_parameter_with_wildcards_cannot_be_stripped(name: str) -> None:
    with pytest.raises(FilterError) as caught:
        filtered('{"model":"m"}', strip_params=(name,))

    message = str(caught.value)
    assert message.startswith(f"error stripping parameter {name} from request")
    assert caught.value.status == 500


def test_a_parameter_that_cannot_be_set() -> None:
    with pytest.raises(
        FilterError, match=r"error setting parameter stop\.x in request"
    ):
        filtered('{"model":"m","stop":["a"]}', set_params={"stop.x": 1})


def test_without_filters_the_body_is_the_same_object() -> None:
    wanted = find(b'{"model":"m"}')
    before = wanted.body
    BodyFilters(FilterConfig(set_params_by_id={"n": {"x": 1}})).apply(wanted, "m")

    assert wanted.body is before


def test_what_came_chunked_goes_chunked() -> None:
    wanted = find(b'{"model":"m"}', **{"Transfer-Encoding": "chunked"})
    BodyFilters(FilterConfig(set_params={"x": 1})).apply(wanted, "m")

    assert wanted.length is None
    assert wanted.body is not None
    assert not isinstance(wanted.body, bytes)
    assert wanted.body.read1(100) == b'{"model":"m","x":1}'


def test_f3_a_form_gets_only_the_model_name() -> None:
    raw = (
        b'--Q\r\nContent-Disposition: form-data; name="temperature"\r\n\r\n1\r\n'
        b'--Q\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--Q--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=Q"}
    request = make_request("POST", "/v1/x", body=raw, headers=kind)
    wanted = find_model(request)
    filters = FilterConfig(strip_params=("temperature",), set_params={"x": 1})
    BodyFilters(filters, "real").apply(wanted, "m")

    assert wanted.body is not None
    assert not isinstance(wanted.body, bytes)
    assert wanted.body.read1(1000) == raw.replace(b"\r\nm\r\n", b"\r\nreal\r\n")
    for close in request.closers:
        close()


def test_urlencoded_bodies_and_queries_are_left_alone() -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    filters = FilterConfig(set_params={"x": 1})
    form = find_model(make_request("POST", "/v1/x", body=b"model=m&t=1", headers=kind))
    query = find_model(make_request("GET", "/props?model=m", headers=JSON))
    edits = BodyFilters(filters, "real")
    edits.apply(form, "m")
    edits.apply(query, "m")

    assert form.body == b"model=m&t=1"
    assert query.body is None

"""The environment of a model."""

from swapper.process.spawn import environment


def test_items_are_put_on_top_and_the_last_of_a_name_wins() -> None:
    items = ("A=1", "B=x=y", "A=2", "C=")

    assert environment({"A": "0", "PATH": "/bin"}, items) == {
        "A": "2",
        "B": "x=y",
        "C": "",
        "PATH": "/bin",
    }


def test_items_of_another_form_are_left_out() -> None:
    assert environment({}, ("FOO", "=x", "")) == {}

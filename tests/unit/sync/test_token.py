"""Cancel tokens and their bindings."""

from swapper.sync import CancelToken


def test_cancel_runs_each_binding_once() -> None:
    token, calls = CancelToken(), list[int]()
    token.bind(lambda: calls.append(1))
    token.bind(lambda: calls.append(2))

    token.cancel()
    token.cancel()

    assert calls == [1, 2]
    assert token.cancelled


def test_binding_to_a_cancelled_token_fires_at_once() -> None:
    token, calls = CancelToken(), list[int]()
    token.cancel()
    binding = token.bind(lambda: calls.append(1))

    assert calls == [1]
    assert not binding.release()


def test_a_released_binding_never_fires() -> None:
    token, calls = CancelToken(), list[int]()
    binding = token.bind(lambda: calls.append(1))

    assert binding.release()
    assert not binding.release()
    token.cancel()
    assert calls == []


def test_release_tells_that_the_callback_has_run() -> None:
    token = CancelToken()
    binding = token.bind(lambda: None)
    token.cancel()

    assert not binding.release()

"""Runs llama.cpp's own HTTP server out of the package ``xllamacpp``.

``python -m swapper.demo.llama_server --model FILE --port N [--embeddings]``
"""

import argparse
import importlib
import signal
from collections.abc import Sequence
from typing import Final

CONTEXT_TOKENS: Final = 512
THREADS: Final = 2

QUESTION_TEMPLATE: Final = "{{ 'Question: ' + messages[-1]['content'] + '\\nAnswer:' }}"
"""The model continues text and was never taught to chat; so it is given this start."""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="swapper.demo.llama_server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--embeddings", action="store_true")
    options = parser.parse_args(argv)
    engine = importlib.import_module("xllamacpp")  # optional, so not imported above
    params = engine.CommonParams()
    params.model.path = options.model
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_ctx = CONTEXT_TOKENS
    params.cpuparams.n_threads = THREADS
    params.offline = True
    if options.embeddings:
        params.embedding = True
        params.pooling_type = engine.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    else:
        params.chat_template = QUESTION_TEMPLATE
    server = engine.Server(params)
    print(f"listening on {server.listening_address}", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()

"""swapper inside a WSGI server of your choice.

    gunicorn --worker-class gthread --workers 1 --threads 64 examples.embed:app
    waitress-serve --threads 64 --channel-request-lookahead 1 \
        --no-clear-untrusted-proxy-headers examples.embed:app

One worker process, many threads: the worker owns the models, and a request that
waits for a model or streams holds a thread. The look-ahead lets waitress notice a
client that hangs up; websockets need a server that gives its socket away (gunicorn
does, waitress does not).
"""

import os

import swapper

app = swapper.create_app(os.environ.get("SWAPPER_CONFIG", "examples/minimal.yaml"))

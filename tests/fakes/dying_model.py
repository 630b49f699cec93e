"""A model server that dies when it is needed; run as a model's command.

    dying_model.py PORT MODE FOLDER

With MODE ``at-grant`` it closes its address before it says that it is healthy, so that
the first request finds nobody, and ends soon after; with ``at-request`` it ends once
it has read a request. So many times as there are files in FOLDER, one of which it
removes each time; then it serves.
"""

import os
import select
import socket
import sys
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def main() -> None:
    port, mode, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    left = sorted(folder.iterdir())
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        conn, _ = listener.accept()
        request = conn.recv(65536)
        is_health = request.startswith(b"GET /health")
        if is_health and left and mode == "at-grant":
            listener.close()
            conn.sendall(OK)
            conn.close()
            select.select([], [], [], 0.3)  # alive, but nobody is at home
            die(left[0])
        if request and not is_health and left and mode == "at-request":
            die(left[0])
        if request:
            conn.sendall(OK)
        conn.close()


def die(mark: Path) -> None:
    mark.unlink()
    sys.stdout.write("CUDA error: out of memory\n")
    sys.stdout.flush()
    os._exit(7)


if __name__ == "__main__":
    main()

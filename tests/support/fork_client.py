"""`toolfunnel` for a shell: has the fork server run the command, with the streams, directory and environment it has.

Arguments: the number of the fork server's socket, and the command. Signals go to the command, and it ends as that does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main() -> None:
    """Run the command; end with its exit code, or by the signal that ended it."""
    told, telling = os.pipe()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        job = {"arguments": sys.argv[2:], "directory": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(control, [json.dumps(job).encode()], [0, 1, 2, telling])
    os.close(telling)
    with os.fdopen(told) as answers:
        pid = int(answers.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        code = int(answers.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()

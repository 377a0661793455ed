"""Python imports this at its start where this folder is on PYTHONPATH: names resolve as a file of the test says.

$NAMES is that file, read anew for each lookup: {"provider.test": {"address": "127.0.0.1", "delay_s": 0}}; without an
address the name does not exist. Other names resolve as ever.
"""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

_lookup = socket.getaddrinfo
_names = Path(os.environ["NAMES"])


def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
    """Look a name up."""
    known = json.loads(_names.read_text(encoding="utf-8"))
    if host not in known:
        return _lookup(host, *arguments, **options)
    time.sleep(known[host].get("delay_s", 0))
    if "address" not in known[host]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _lookup(known[host]["address"], *arguments, **options)


socket.getaddrinfo = getaddrinfo

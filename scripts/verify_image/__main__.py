"""Build the image without Docker, run it, look at what holds. `scripts/verify-image` starts this, in new namespaces."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from scripts.verify_image import build, context, dockerfile
from scripts.verify_image.build import Built
from scripts.verify_image.sandbox import Process, Sandbox, leave_network
from scripts.verify_image.upstream import Upstream

_ROOT = Path(__file__).parents[2]
_URL = "http://127.0.0.1:8000"
_KEY = "verify-image"
_TOOL = {
    "type": "function",
    "function": {
        "name": "weather_forecast",
        "description": "Weather forecast of the next days for a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
_UNPROVEN = """\
Not proven by this:
- the base image itself: Debian's packages and Debian's Python stand in for it
- that it can be pulled, that its tag or digest is what it should be
- layers, labels and metadata of an image file; what BuildKit does otherwise than this reader of Dockerfiles
- an engine's own runtime: seccomp, AppArmor, user namespaces, cgroup limits, networks, published ports, restarts
- other machines than this one ({machine})"""


class Failed(Exception):
    """Something that should hold does not."""


def main() -> None:
    """Build, run, tell."""
    options = _options()
    began = time.monotonic()
    built = _build(options.work, options.cache or options.work)
    leave_network()
    _prove(built, options.work)
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"All of it holds; {time.monotonic() - began:.0f} s.\n\n{_UNPROVEN.format(machine=machine)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/verify-image", description="Prove the Dockerfile without Docker.")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep the Debian root in this folder for the next run"
    )
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cache:
        options.cache.mkdir(parents=True, exist_ok=True)
    return options


def _build(work: Path, cache: Path) -> Built:
    """Carry out every stage; give the last one."""
    stages = dockerfile.stages((_ROOT / "Dockerfile").read_text(encoding="utf-8"))
    count = context.stage(_ROOT, work / "context")
    print(f"Dockerfile: {len(stages)} stages; build context: {count} files, {_size(work / 'context')}")
    made: dict[str, Built] = {}
    for stage in stages:
        began = time.monotonic()
        base = build.bootstrap(build.suite_of(stage.base), cache) if stage.base not in made else Path()
        print(f"FROM {stage.base}\n  {time.monotonic() - began:6.1f} s  Debian root, {_size(base)}", flush=True)
        made[stage.name] = build.build(stage, made, base, work / "context", work / f"root-{stage.name}")
    last = made[stages[-1].name]
    python = last.root / "opt/toolfunnel"
    print(f"image: {_size(last.root)}, of it {_size(python)} in /opt/toolfunnel\n")
    return last


def _prove(built: Built, work: Path) -> None:
    """Run the image and look at everything that is promised of it."""
    (work / "volumes").mkdir()
    upstream, sandbox = Upstream(), Sandbox(built, work / "volumes")
    settings = {"TOOLFUNNEL_ADMIN__KEY": _KEY, "TOOLFUNNEL_UPSTREAM__BASE_URL": upstream.url}
    began = time.monotonic()
    process = sandbox.start(built.config.entrypoint + built.config.cmd, settings, work / "log")
    with _log_on_failure(work / "log"):
        _wait_until_ready(process)
        print(f"ready after {time.monotonic() - began:.1f} s, without any network but the loopback")
        _look_at_rights(process, built)
        _ask(upstream)
        _look_at_files(sandbox)
        checked = sandbox.run(built.config.healthcheck)
        _expect(checked.returncode == 0, f"HEALTHCHECK of the image: exit code {checked.returncode}")
        began = time.monotonic()
        code = process.tell(built.config.stop_signal)
        _expect(code == 0, f"{built.config.stop_signal}: exit code {code} after {time.monotonic() - began:.1f} s")


def _look_at_rights(process: Process, built: Built) -> None:
    status = process.status()
    told = {
        name: status[name] for name in ("NSpid", "Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs")
    }
    print("  " + ", ".join(f"{name} {value or '-'}" for name, value in told.items()))
    _expect(set(status["Uid"].split()) == {built.config.user.partition(":")[0]}, f"runs as {built.config.user}")
    rights = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    _expect(not any(rights) and status["NoNewPrivs"] == "1", "no capabilities, and no way to gain any")


def _ask(upstream: Upstream) -> None:
    put = {"tool": _TOOL, "tags": ["weather"]}
    _call("PUT", "/admin/tools/weather_forecast", put, _KEY)
    question = {"model": "m", "messages": [{"role": "user", "content": "What is the weather in Kyoto tomorrow?"}]}
    answer = _wait_for_tools(question)
    sent = [tool["function"]["name"] for tool in upstream.requests[-1].get("tools", [])]
    print(f"  asked: {question['messages']}\n  answer: {answer['choices'][0]['message']['content']}")
    _expect(sent == ["weather_forecast"], "a chat request is answered; the provider was sent the registered tool")


def _look_at_files(sandbox: Sandbox) -> None:
    for place in ("/", "/opt/toolfunnel", "/etc/toolfunnel", "/usr/bin"):
        done = sandbox.run_as_root(("touch", f"{place}/written"))
        _expect("Read-only file system" in done.stderr, f"writing to {place}, even as root: {done.stderr.strip()}")
    done = sandbox.run(("touch", "/opt/toolfunnel/written"))
    _expect(done.returncode != 0, f"writing as the user of the image: {done.stderr.strip()}")
    for place in ("/tmp", *sandbox.config.volumes):
        done = sandbox.run(("touch", f"{place}/written"))
        _expect(done.returncode == 0, f"{place} can be written")


def _wait_until_ready(process: Process) -> None:
    for _ in range(600):
        if not process.running():
            raise Failed("the gateway ended")
        try:
            if _call("GET", "/readyz")["ready"]:
                return
        except URLError:
            time.sleep(0.1)
    raise Failed("the gateway is not ready after a minute")


def _wait_for_tools(question: dict[str, Any]) -> Any:
    """Ask until the new tool is in use, which takes a moment."""
    for _ in range(50):
        answer = _call("POST", "/v1/chat/completions", question)
        if "weather_forecast" in answer["choices"][0]["message"]["content"]:
            break
        time.sleep(0.1)
    return answer


def _call(method: str, path: str, body: object = None, key: str = "provider-key") -> Any:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{_URL}{path}", data, headers, method=method)
    with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def _expect(holds: bool, what: str) -> None:
    print(f"{'ok  ' if holds else 'NOT '}{what}", flush=True)
    if not holds:
        raise Failed(what)


@contextmanager
def _log_on_failure(log: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        print(log.read_text(encoding="utf-8", errors="replace"), file=sys.stderr)
        raise


def _size(folder: Path) -> str:
    if not folder.parts:
        return "made above"
    done = subprocess.run(["du", "-sxm", str(folder)], capture_output=True, text=True, check=True)
    return f"{done.stdout.split()[0]} MB"


if __name__ == "__main__":
    try:
        main()
    except (Failed, build.StepFailed, dockerfile.NotUnderstood, subprocess.CalledProcessError) as error:
        sys.exit(f"verify-image: {error}")

"""Fixtures that start what tests talk to: one provider and one server of a kind per session, as starts are slow."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path

import openai
import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support import tools
from tests.support.gateway import GatewayProcess
from tests.support.log_check import Announced
from tests.support.postgres import Postgres
from tests.support.upstream import Upstream

MODELS = "tests/unit/router/embed"
_WITH_TORCH = (
    MODELS,
    "tests/cli/test_encoder.py",
    "tests/unit/app/encoders/test_make.py",
)  # importing it takes each process as long as the longest tests
# They take longest, so they begin first: at the end no process is left alone with a file that takes minutes.
LONGEST = (
    "tests/quality/test_recall.py",
    MODELS,
    "tests/cli/test_encoder.py",
    "tests/unit/app/encoders/test_make.py",
    "tests/cli/test_tools.py",
    "tests/admin/test_durability.py",
    "tests/operations/test_reload.py",
    "tests/operations/test_metrics.py",
    "tests/cli/test_document.py",
    "tests/faults/test_upstream_faults.py",
    "tests/edge/test_deadlines.py",
    "tests/cli/test_eval.py",
    "tests/cli/test_demo.py",
    "tests/unit/router/test_pipeline_laws.py",
    "tests/admin",
    "tests/operations",
    "tests/durability",
)


class _LongestFirst(LoadScopeScheduling):
    """Gives each process a file at a time; those that share torch and a model are one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return MODELS if file.startswith(_WITH_TORCH) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _LongestFirst | None:
    """Distribute files in the order in which they were collected."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return _LongestFirst(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest begin first."""
    last = len(LONGEST)
    items.sort(key=lambda item: next((n for n, path in enumerate(LONGEST) if item.nodeid.startswith(path)), last))


# How fast a machine is does not decide whether a law holds. `make test LARGE=1` looks longer.
settings.register_profile("suite", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("suite"), max_examples=1_000)
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background: what tests start would ignore it, too
    signal.signal(signal.SIGINT, signal.default_int_handler)

StartGateway = Callable[..., GatewayProcess]
# Time enough to route on a busy machine: whether it is fast enough is not what most tests ask.
UNHURRIED = {"SELECT__BUDGET_MS": "3000"}

MakeClient = Callable[..., openai.OpenAI]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test in whose servers something went wrong that it did not announce."""
    result = yield
    Announced(item).check(wait=True)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """The same with what went wrong while its servers ended."""
    result = yield
    Announced(item).check(wait=False)
    return result


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[Upstream]:
    """The provider, for the whole session."""
    upstream = Upstream().start()
    yield upstream
    upstream.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, for the whole session. Nobody stops it."""
    server = Postgres.started()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _new_provider(request: pytest.FixtureRequest) -> None:
    """Let no test find what the one before it has told the provider to answer."""
    if "running_upstream" in request.fixturenames:
        request.getfixturevalue("running_upstream").reset()


@pytest.fixture
def upstream(running_upstream: Upstream) -> Upstream:
    """The provider as if it were new: no requests seen, default answers."""
    return running_upstream


@pytest.fixture(scope="session")
def shared_gateway(running_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartGateway]:
    """Give a server with these settings (`TOOLS__SOURCE="request"`), one a session for equal settings."""
    running: dict[tuple[tuple[str, str], ...], GatewayProcess] = {}

    def get(**settings: str) -> GatewayProcess:
        key = tuple(sorted(settings.items()))
        if key not in running:
            values = {"UPSTREAM__BASE_URL": running_upstream.base_url, **UNHURRIED, **settings}
            running[key] = GatewayProcess.start(tmp_path_factory.mktemp("gateway"), values)
        return running[key]

    yield get
    for process in running.values():
        process.stop()


@pytest.fixture
def start_gateway(running_upstream: Upstream, tmp_path: Path) -> Iterator[StartGateway]:
    """Start servers with settings of their own, for one test."""
    running: list[GatewayProcess] = []
    numbers = count()

    def start(**settings: str) -> GatewayProcess:
        values = {"UPSTREAM__BASE_URL": running_upstream.base_url, **UNHURRIED, **settings}
        running.append(GatewayProcess.start(tmp_path / f"gateway-{next(numbers)}", values))
        return running[-1]

    yield start
    for process in running:
        process.stop()


@pytest.fixture(scope="session")
def bare_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server without registered tools. Nobody registers any."""
    return shared_gateway()


@pytest.fixture(scope="session")
def stocked_gateway(shared_gateway: StartGateway) -> GatewayProcess:
    """A server with 300 registered tools, `tools.distinct(300)`, each tagged with the thing that it is about."""
    gateway = shared_gateway(LOG__FORMAT="json")
    gateway.register([tools.record(tool, tags=[tools.thing_of(tool)]) for tool in tools.distinct(300)])
    return gateway


@pytest.fixture
def client_of() -> Iterator[MakeClient]:
    """Make official clients of a server, without retries unless told otherwise."""
    made: list[openai.OpenAI] = []

    def make(gateway: GatewayProcess, *, api_key: str = "sk-of-the-caller", max_retries: int = 0) -> openai.OpenAI:
        made.append(openai.OpenAI(base_url=gateway.base_url, api_key=api_key, max_retries=max_retries))
        return made[-1]

    yield make
    for client in made:
        client.close()

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import net as networks  # noqa: E402


@pytest.fixture
def net():
    """Four validators, running; gone after the test."""
    network = networks.Net(gateways=0)
    try:
        yield network.start()
    finally:
        network.close()


@pytest.fixture
def still_net():
    """The same, not started."""
    network = networks.Net(gateways=0)
    try:
        yield network
    finally:
        network.close()


@pytest.fixture(scope="module")
def shared_net():
    """One running network for tests that change nothing the others rely on."""
    network = networks.Net(gateways=0)
    try:
        yield network.start()
    finally:
        network.close()


MARKERS = {
    "long": "a storm of its own: only in `make check-long`",
    "storm": "runs in `make check` and, for longer (E2E_LONG=1), in `make check-long`",
    "peers": "beside another implementation, which `make deps-peers` installs: only in `make check-peers`",
}
TEST_S = 3600  # no wait for an event lasts that long: a test that does hangs, and fails where it stands
# Networks that took long to lay out: their tests run one after the other where the network is.
TOGETHER = ("worked_net",)


def pytest_configure(config):
    for name, what in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {what}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def late(*_):
        pytest.fail(f"not done after {TEST_S} s")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(TEST_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pytest_collection_modifyitems(items):
    for item in items:
        for fixture in TOGETHER:
            if fixture in item.fixturenames:
                item.add_marker(pytest.mark.xdist_group(fixture))

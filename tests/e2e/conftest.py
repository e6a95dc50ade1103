import pathlib
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

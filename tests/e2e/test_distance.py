"""Validators far from each other: packets take 50 ms, or some are lost. How fast that is `tests/bench/bench_validators` says."""
import contextlib
import time

import pytest

import namespaces
from distance import DistantNet
from envelopes import Author, Client
from net import wait_for

pytestmark = pytest.mark.storm

DELAY_MS = 50
DELAYS = 3  # of messages, from a proposal to a final block
LIFETIME_MS = 600000


@contextlib.contextmanager
def distant(validators, delay_ms, lost=0):
    why = namespaces.why_not()
    if why:
        pytest.skip(why)
    network = DistantNet(validators, delay_ms, lost)
    try:
        network.start()
        wait_for("all links up", lambda: all(peer["up"] for node in network.validators for peer in node.status()["peers"]))
        yield network
    finally:
        network.close()


def finalize(network, count):
    """One transaction after the other, each at another validator. Gives how long each took, in milliseconds."""
    author, took = Author(network), []
    for i in range(count):
        node = network.validators[i % len(network.validators)]
        with namespaces.inside(node.namespace):
            client = Client(node)
            envelope = author.large(100, int(time.time() * 1000) + LIFETIME_MS)
            begun = time.monotonic()
            status, answer = client.post(envelope)
            took.append((time.monotonic() - begun) * 1000)
            client.close()
        assert status == 200, answer
    return took


def test_seven_validators_fifty_milliseconds_apart_make_transactions_final():
    with distant(7, DELAY_MS) as network:
        took = finalize(network, 14)
        assert min(took) >= DELAYS * DELAY_MS, took  # or the packets are not on their way for as long as they should be


def test_lost_packets_lose_no_transaction():
    with distant(4, 20, lost=50) as network:
        finalize(network, 20)
        height = max(node.height() for node in network.validators)
        wait_for("all at one height", lambda: all(node.height() >= height for node in network.validators))

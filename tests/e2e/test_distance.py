"""Validators far from each other: packets take 50 ms, or some are lost. How fast that is `tests/bench/bench_validators` says."""
import contextlib
import re
import time

import pytest

import namespaces
from distance import DistantNet
from envelopes import Author, Client
from net import figure, wait_for

pytestmark = pytest.mark.storm

DELAY_MS = 50
DELAYS = 3  # of messages, from a proposal to a final block
LIFETIME_MS = 600000
HEADERS = 14 + 20 + 32  # of a packet: Ethernet, IPv4, TCP with time stamps
SENT = re.compile(r'^assay_sent_bytes_total\{kind="(\w+)"\} (\d+)$', re.MULTILINE)


@contextlib.contextmanager
def distant(validators, delay_ms, lost=0):
    why = namespaces.why_not()
    if why:
        pytest.skip(why)
    try:
        network = DistantNet(validators, delay_ms, lost)
    except OSError as error:  # a machine without tun devices
        pytest.skip(str(error))
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
            envelope = author.small(int(time.time() * 1000) + LIFETIME_MS)
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


def interface(node):
    """Bytes and packets that left it."""
    with namespaces.inside(node.namespace), open("/proc/thread-self/net/dev", encoding="ascii") as file:
        fields = next(line for line in file if line.strip().startswith("eth0:")).split()
    return int(fields[9]), int(fields[10])


def sent(node):
    return {kind: int(count) for kind, count in SENT.findall(node.get_bytes("/metrics").decode())}


def test_bytes_by_kind_are_all_that_leaves_the_interface():
    with distant(4, 1) as network:
        node = network.validators[1]

        def counted():
            kinds, (octets, packets) = sent(node), interface(node)
            return kinds, octets - HEADERS * packets
        kinds_before, left_before = counted()
        finalize(network, 200)

        def adds_up():  # metrics are a moment behind
            kinds, left = counted()
            kinds = {kind: count - kinds_before[kind] for kind, count in kinds.items()}
            return kinds if abs(sum(kinds.values()) - left + left_before) <= (left - left_before) / 100 else None
        kinds = wait_for("the bytes to add up", adds_up)
        figure("a validator sends for a transaction: " + ", ".join(f"{kind} {n / 200:.0f} B" for kind, n in kinds.items() if n))
        assert kinds["certificates"] <= sum(kinds.values()) / 100  # the votes have gone to everybody

"""Views without end: validators that agree on no block while full ones pile up, and the moment when they agree again.

Here each has a clock of its own, all too far from each other's for anybody's proposal to be voted for; so every view ends
with a nullification and leaves a block of up to 2 MiB with everybody. Then the clocks are put right.
"""
import threading
import time

import pytest

from clocks import Clock, ClockedNet
from envelopes import Author, post_all
from net import LONG, figure, wait_for

APART_S = 100  # more than clock_ahead_ms and clock_behind_ms
VIEWS = 40 if LONG else 6  # full blocks of 32 views fill the 64 MiB of candidates
VIEW_S = 12  # at the end: timeouts double up to 10 s
LARGE, COUNT = 62_000, 100  # bytes, and how many transactions wait meanwhile: enough for three full blocks
RSS_MB = 400  # candidates 64 MiB, mempool, and queues of three peers 16 MiB each

pytestmark = pytest.mark.storm


class OwnClocksNet(ClockedNet):
    """Each node has a clock of its own."""

    def __init__(self):
        super().__init__(gateways=0)
        self.clocks = {node.name: Clock(self.root / f"clock-{node.name}") for node in self.nodes}

    def clock_of(self, node):
        return self.clocks[node.name]

    def part_clocks(self):
        for i, clock in enumerate(self.clocks.values()):
            clock.set(i * APART_S)

    def join_clocks(self):
        """All go by the one that is furthest ahead: none goes back."""
        latest = max(clock.ahead_s for clock in self.clocks.values())
        for clock in self.clocks.values():
            clock.set(latest)


@pytest.fixture
def apart_net():
    net = OwnClocksNet()
    try:
        yield net.start()
    finally:
        net.close()


class Watch:
    """The most memory that each node used, looked at all the time."""

    def __init__(self, nodes):
        self.nodes, self.most = nodes, [0.0] * len(nodes)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.stopped.wait(0.2):
            self.most = [max(most, node.rss_mb()) for most, node in zip(self.most, self.nodes)]

    def stop(self):
        self.stopped.set()
        self.thread.join()
        return self.most


def test_after_views_full_of_blocks_that_nobody_voted_for_the_chain_goes_on(apart_net):
    net = apart_net
    net.publish(net.image("a.bin", b"a" * 1000))
    author = Author(net)
    net.part_clocks()
    large = [author.large(LARGE, int(1000 * time.time()) + 3_600_000) for _ in range(COUNT)]
    for node in net.validators:
        assert all(status == 202 for _, status, _ in post_all(node, large))
    net.wait_equal()
    before, first_view = net.validators[0].height(), net.validators[0].status()["view"]
    watch = Watch(net.validators)
    begun = time.monotonic()
    for view in range(first_view + 1, first_view + VIEWS + 1):
        wait_for(f"view {view}", lambda v=view: all(n.status()["view"] >= v for n in net.validators), VIEW_S, every=0.5)
    assert {node.height() for node in net.validators} == {before}, "something became final"
    lasted = time.monotonic() - begun

    net.join_clocks()
    joined = time.monotonic()
    wait_for("all move", lambda: all(node.height() > before for node in net.validators), 30, every=0.1)
    moved = time.monotonic() - joined
    wait_for("what waited is final", lambda: all(node.status()["pending"] == 0 for node in net.validators), 60, every=0.2)
    took, most = time.monotonic() - joined, watch.stop()
    net.wait_equal()
    net.blocks_agree()
    for envelope in large:
        assert net.validators[0].get(f"/v1/txs/{envelope.id}")["height"] > before
    figure(f"outage: {VIEWS} views in {lasted:.0f} s with full blocks and nothing final; then all moved in {moved:.2f} s, "
           f"{COUNT} transactions of {LARGE} bytes were final in {took:.2f} s; at most {max(most):.0f} MB a node")
    assert max(most) < RSS_MB

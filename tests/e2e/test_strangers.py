"""Strangers at the peer ports, from four processes against every validator at once, while transactions go on.

What must hold: transactions become final, `/livez` answers, a validator that is killed meanwhile links again, and afterwards
descriptors and memory are as they were. In `make check-long` each flood lasts a minute.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

import pytest

from envelopes import Author, Client, field
from net import LONG, PATIENCE, Net, figure, wait_for

SECONDS = 60 if LONG else 4
PROCESSES = 4
LINKED_S = 2
MORE_MB = 24


def work(net):
    """As much as goes on during a flood: what a ledger takes for that is not the strangers' doing."""
    author, client, end = Author(net), Client(net.validators[0]), time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert client.post(author.envelope("device", "register", field(1, 1), int(time.time() * 1000) + 60_000))[0] == 200
    client.close()


@pytest.fixture(scope="module")
def site():
    net = Net(gateways=0)
    try:
        net.start()
        work(net)
        yield net
    finally:
        net.close()


def descriptors(node):
    return len(os.listdir(f"/proc/{node.pid()}/fd"))


def peers_up(node):
    status = node.status()
    return sum(peer["up"] for peer in status["peers"]) if status else 0


def is_alive(node):
    return node.get_bytes("/livez", timeout=10).strip() != b""


def attack(net, kind):
    status = net.validators[0].get("/v1/status")
    nodes = net.validators[0].get("/v1/nodes")["nodes"]
    links = {int(n["peer"].rsplit(":", 1)[1]): n["link_key"] for n in nodes if n.get("peer")}
    targets = [f"{node.peer_port}:{links[node.peer_port]}" for node in net.validators]
    return [subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("stranger.py")), kind, str(SECONDS), str(seed), *targets,
                              status["chain_id"]], stdout=subprocess.PIPE, text=True) for seed in range(PROCESSES)]


@pytest.mark.storm
@pytest.mark.parametrize("kind", ["wrong-code", "half-open", "noise", "initiation"])
def test_strangers_hold_nobody_up(site, kind):
    author, client = Author(site), Client(site.validators[0])
    victim = site.validators[3]
    wait_for("links", lambda: all(peers_up(node) == 3 for node in site.validators))
    before = [(descriptors(node), node.rss_mb()) for node in site.validators]
    attackers = attack(site, kind)
    took, linked = [], None
    while linked is None or any(process.poll() is None for process in attackers):
        envelope = author.envelope("device", "register", field(1, 1), int(time.time() * 1000) + 60_000)
        begun = time.monotonic()
        status, _ = client.post(envelope)
        took.append((time.monotonic() - begun) * 1000)
        assert status == 200
        assert all(is_alive(node) for node in site.validators[:3])
        if linked is None and len(took) == 20:
            victim.kill()
            victim.start()
            begun = time.monotonic()
            wait_for("a validator to link again", lambda: peers_up(victim) == 3, 30)
            linked = time.monotonic() - begun
            assert linked <= PATIENCE * LINKED_S
    made = sum(int(process.communicate()[0]) for process in attackers)
    took.sort()
    figure(f"{kind}: {made} connections in {SECONDS} s, {len(took)} transactions, p50 {statistics.median(took):.0f} ms, "
           f"p99 {took[int(len(took) * 0.99)]:.0f} ms, a restarted validator linked in {linked:.1f} s")
    for node, (fds, rss) in zip(site.validators[:3], before):
        wait_for("descriptors to come back", lambda node=node, fds=fds: descriptors(node) <= fds + 8, 30)
        assert node.rss_mb() <= rss + MORE_MB
    wait_for("links", lambda: all(peers_up(node) == 3 for node in site.validators))

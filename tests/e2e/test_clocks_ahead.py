"""A ledger whose clocks were once ahead (faketime): it goes on while real time catches up, says so, and blames nobody.

Only the wall clock is false, and it is set while the nodes run, from a file that all of them read: timers count as they should.
"""
import json
import os
import shutil
import subprocess
import time
import urllib.error

import pytest

import net as networks
from net import BIN, CLASS, assay_json, wait_for
from test_clocks import LIBRARIES
from test_device import Device

HOUR_S = 3600
WINDOW_MS = 60_000
LATE_MS = 2_000  # how late a window may end once its time has come

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="faketime is not installed")


class AheadNode(networks.Node):
    """A node that shares its wall clock with all others of its network."""

    def start(self, wait=True):
        env = dict(os.environ, LD_PRELOAD=LIBRARIES[0], FAKETIME_TIMESTAMP_FILE=str(self.net.clock), FAKETIME_NO_CACHE="1",
                   FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(self.home)], env=env, stdout=subprocess.PIPE,
                                            stderr=log)
        if wait:
            self.wait_ready()

    def health(self):
        """(status, text or error)"""
        try:
            return 200, self.get_bytes("/healthz").decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["error"]

    def says(self, alarm):
        status = self.status()
        return status is not None and status["alarm"].startswith(alarm + ":") and status


class AheadNet(networks.Net):
    node_class = AheadNode

    def __init__(self, **options):
        super().__init__(**options)
        self.clock = self.root / "clock"
        self.set_clocks(0)

    def set_clocks(self, ahead_s):
        """Of all nodes, running or not, this far from the true time."""
        fresh = self.root / "clock.fresh"
        fresh.write_text(f"{ahead_s:+.3f}\n")
        os.replace(fresh, self.clock)

    def published(self, version, node=None):
        return self.publish(self.image(f"{version}.bin", version.encode() * 1000), version, node=node)

    def outcome(self, update):
        return assay_json("update", "show", update["update_id"], "--node", self.validators[0].url)["counts"]


def now_ms():
    return time.time() * 1000


def all_blame_nobody(nodes):
    return all("name=clock-differs" not in node.log() for node in nodes)


def an_expiry(net, update):
    """What ended the device's window by itself, from the update's history; None while nothing did."""
    history = assay_json("update", "show", update["update_id"], "--history", "--node", net.validators[0].url)["history"]
    return next((entry for entry in history if entry["action"] == "expire"), None)


def blocks_creep(node, first):
    """From `first` on each block's time is its parent's and one millisecond; gives how many there were."""
    last = node.height()
    times = [node.get(f"/v1/blocks/{height}")["time_ms"] for height in range(first, last + 1)]
    assert all(b == a + 1 for a, b in zip(times, times[1:])), times
    return len(times)


def what_all_say(net, head_ms):
    """The alarm, by how much, that nothing falls due, and that they are healthy all the same."""
    for node in net.nodes:
        clock = wait_for(f"{node.name} says it", lambda n=node: n.says("chain-ahead"), 10)["clock"]
        assert abs(clock["ahead_ms"] - (head_ms - now_ms())) < 30_000 and clock["due_stands_still"], clock
        code, text = node.health()
        assert code == 200 and text.startswith("healthy; chain-ahead: the last block is 1 h 5"), (code, text)
    for node in net.validators:
        assert "name=chain-ahead" in node.log()


def test_a_ledger_two_hours_ahead_goes_on_while_real_time_catches_up():
    net = AheadNet(gateways=1)
    try:
        net.set_clocks(2 * HOUR_S)
        net.start()
        first = net.published("1.0.0")
        head_ms = net.validators[0].status()["last_block_time_ms"]
        assert head_ms > now_ms() + 1.9 * HOUR_S * 1000
        net.set_clocks(0)
        for node in (net.validators[3], net.gateways[0]):  # setting a clock often takes a restart
            assert node.stop() == 0
            node.start()

        # A default client's transactions and a gateway's statements become final.
        update = net.push(first["release_id"], device=net.device_id())
        device = Device(net)
        device.until(lambda s: s["sequence"] == first["sequence"], "the new image runs")
        wait_for("the report on the ledger", lambda: net.outcome(update)["installed"] == 1)
        what_all_say(net, head_ms)

        # A window neither ends with the clocks, which pass its length, nor stops anything.
        second = net.published("2.0.0")
        silent = net.push(second["release_id"], device=net.device_id(), window=f"{WINDOW_MS}ms")
        due_ms = net.validators[0].get(f"/v1/blocks/{silent['height']}")["time_ms"] + WINDOW_MS
        net.set_clocks(HOUR_S)
        third = net.published("3.0.0")
        assert an_expiry(net, silent) is None
        creeping = blocks_creep(net.validators[1], first["height"] + 1)
        assert net.outcome(silent)["expired"] == 0

        # Real time has nearly caught up with its end.
        net.set_clocks((due_ms - 3000) / 1000 - time.time())
        expiry = wait_for("the window's end", lambda: an_expiry(net, silent), 20)
        late_ms = expiry["time_ms"] - due_ms
        assert 0 <= late_ms <= LATE_MS, late_ms
        wait_for("all links", lambda: all(peer["up"] for node in net.validators for peer in node.status()["peers"] if peer["address"]))
        for node in net.nodes:
            wait_for(f"{node.name}'s clock", lambda n=node: not n.status()["clock"]["due_stands_still"], 10)
        assert net.published("4.0.0")["height"] > third["height"]
        net.wait_equal()
        assert all_blame_nobody(net.nodes)
        print(f"{creeping} blocks a millisecond apart; the window ended {late_ms} ms late")
    finally:
        net.close()


def test_a_lone_validator_years_ahead_says_so_and_has_a_way_out():
    net = AheadNet(validators=1, gateways=1)  # a gateway has the device; it never runs
    try:
        node = net.validators[0]
        net.set_clocks(5 * 365 * 24 * HOUR_S)
        node.start()
        published = net.published("1.0.0")
        net.set_clocks(0)
        wait_for("the alarm", lambda: node.says("chain-far-ahead"), 10)
        code, error = node.health()
        assert code == 503 and error["code"] == "ALARM" and "4 years 364 days ahead" in error["message"], error
        assert net.push(published["release_id"])["height"] > published["height"]  # it goes on
        assert node.stop() == 0

        begin_ms = int(now_ms())
        new = net.root / "new"
        made = assay_json("node", "export", "--home", node.home, "--out", new, "--begin", begin_ms)
        assert "after the last block" in networks.refused("node", "export", "--home", node.home, "--out", net.root / "late",
                                                          "--begin", "2999-01-01")
        (node.home / "data").rename(node.home / "data.ahead")
        for name in ("genesis.json", "predecessor.records"):
            shutil.copy(new / name, node.home / name)
        node.start()
        assert node.status()["chain_id"] == made["chain_id"] and node.health() == (200, "healthy")
        assert assay_json("release", "latest", "--node", node.url, "--class", CLASS)["release_id"] == published["release_id"]
        # And windows end again.
        update = net.push(published["release_id"], device=net.device_id(), window="1s")
        wait_for("the window's end", lambda: an_expiry(net, update), 10)
        assert abs(node.status()["last_block_time_ms"] - now_ms()) < 30_000
        assert node.health() == (200, "healthy")
    finally:
        net.close()

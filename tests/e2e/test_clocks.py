"""Validators whose clocks are an hour off (faketime): the others go on, block time stays true, and somebody says so.

Only the wall clock is false: timers count as they should, as on a machine set to the wrong hour.
"""
import glob
import os
import subprocess
import time

import pytest

import net as networks
from net import BIN, PATIENCE, figure, wait_for
from test_faults import Load

LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
AHEAD_S, BEHIND_S = 2, 30  # ledger.clock_ahead_ms, ledger.clock_behind_ms
BLOCKS = 20
WATCHED_S = 6

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="faketime is not installed")


class ClockNode(networks.Node):
    """A node whose wall clock may be off."""

    skew = ""

    def start(self, wait=True):
        env = dict(os.environ)
        if self.skew:
            env.update(LD_PRELOAD=LIBRARIES[0], FAKETIME=self.skew, FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(self.home)], env=env, stdout=subprocess.PIPE,
                                            stderr=log)
        if wait:
            self.wait_ready()

    def alarmed(self):
        return "clock-differs" in self.status()["alarm"] and "name=clock-differs" in self.log()


class ClockNet(networks.Net):
    node_class = ClockNode


def latest(node):
    block = node.get("/v1/blocks/latest")
    return block["height"], block["time_ms"] / 1000


def watch(node, seconds):
    """Follows the head; gives how many blocks there were, and how far their times were ahead of and behind the true one."""
    begun = time.monotonic()
    first = height = latest(node)[0]
    ahead = behind = 0.0
    while time.monotonic() < begun + seconds or height < first + BLOCKS:
        assert time.monotonic() < begun + seconds + PATIENCE * 60, f"only {height - first} blocks"
        asked = time.time()
        now_height, stamp = latest(node)
        answered = time.time()
        if now_height > height:
            height = now_height
            ahead = max(ahead, stamp - answered)
            behind = max(behind, asked - stamp)
        time.sleep(0.05)
    return height - first, ahead, behind


def go_on(validators, skews):
    """Runs `validators` of which those in `skews` have false clocks."""
    net = ClockNet(validators=validators, gateways=0)
    load = None
    try:
        for place, skew in skews.items():
            net.validators[place].skew = skew
        net.start()
        true = [node for i, node in enumerate(net.validators) if i not in skews]
        false = [net.validators[i] for i in skews]
        net.publish(net.image("a.bin", b"a"))
        load = Load(net, true[0], 180)
        wait_for("transactions final", lambda: len(load.final()) >= 10, 60)
        blocks, ahead, behind = watch(true[1], WATCHED_S)
        assert ahead <= AHEAD_S, f"a block {ahead:.1f} s ahead of the true time"
        assert behind <= BEHIND_S, f"a block {behind:.1f} s behind the true time"
        for node in false:
            index = net.validators.index(node)
            about = f"validator {index} keeps proposing times"
            wait_for(f"the alarm on {node.name} or about it",
                     lambda n=node, text=about: n.alarmed() or any(t.alarmed() and text in t.log() for t in true), 60)
        load.stop()
        final = load.final()
        top = max(height for _, height in final)
        net.wait_height(top, seconds=40)
        net.wait_equal(seconds=40)
        net.blocks_agree()
        for tx_id, height in final:
            assert false[0].get(f"/v1/txs/{tx_id}")["height"] == height
        figure(f"clocks: {blocks} blocks, at most {max(ahead, 0):.2f} s ahead and {behind:.2f} s behind; {len(final)} transactions final; "
               f"alarmed: {', '.join(node.name for node in net.validators if 'name=clock-differs' in node.log())}")
    finally:
        if load is not None:
            load.stop()
        net.close()


@pytest.mark.parametrize("skew", ["+1h", "-1h"])
def test_of_four_one_is_an_hour_off(skew):
    go_on(4, {2: skew})


def test_of_seven_one_is_an_hour_ahead_and_one_behind():
    go_on(7, {2: "+1h", 5: "-1h"})

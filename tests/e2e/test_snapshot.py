"""A node that joins by state snapshot instead of executing every block."""
import random
import re
import time

import pytest

from net import LONG, assay_json, wait_for
from test_faults import Load
from test_membership import Consortium, key_of


def settings(node, **keys):
    """Sets keys of a node's assay.conf; each stands there once."""
    path = node.home / "assay.conf"
    text = path.read_text()
    for name, value in keys.items():
        text, count = re.subn(rf"(?m)^{name}\s*=.*$", f"{name} = {value}", text)
        assert count == 1, name
    path.write_text(text)


KILLS = 50 if LONG else 5


@pytest.fixture
def consortium():
    net = Consortium()
    try:
        for node in net.validators:
            settings(node, interval_blocks=0)  # made when somebody asks: one, which stays
        net.start(net.validators)
        yield net
    finally:
        net.close()


@pytest.mark.storm
def test_a_joining_node_killed_again_and_again_ends_with_the_same_state(consortium):
    net = consortium
    load = Load(net, net.validators[0], 120)
    wait_for("a chain worth a snapshot", lambda: net.validators[0].height() >= 300, 60)
    member = net.new_node()  # the snapshot carries an epoch change too
    member.start()
    net.decide("add-validator", member.key)
    net.validators.append(member)
    net.epoch(1)
    wait_for("snapshots", lambda: net.validators[0].get("/v1/snapshots")["snapshots"], 60)
    snapshot = net.validators[0].get("/v1/snapshots")["snapshots"][0]["height"]
    joiner = net.new_node()
    for _ in range(KILLS):
        joiner.start(wait=False)
        time.sleep(random.uniform(0.02, 0.3))  # wherever it is by then
        joiner.kill()
    joiner.start()
    # It may have been killed between the change of places and the line about it; whoever did not join begins at 0.
    assert int(re.search(r"node\.ready .*height=(\d+)", joiner.log())[1]) > 0, joiner.log()
    net.wait_height(net.validators[0].height(), [joiner])
    net.epoch(1)
    load.stop()
    reported = load.final()
    net.wait_height(max(height for _, height in reported), net.nodes)
    net.wait_equal(net.nodes)
    for tx_id, height in reported:  # those of the last day are there, others' blocks or not
        if height > snapshot:
            assert joiner.get(f"/v1/txs/{tx_id}")["height"] == height
    # It is a full member: it serves proofs that lead from the genesis, and can be voted in.
    net.decide("replace-validator", key_of(net, net.validators[2]), joiner.key)
    net.epoch(2)
    net.wait_equal(net.nodes)
    assay_json("node", "verify", "--home", joiner.home)  # fails on the first thing that is wrong

"""Real partitions: validators in network namespaces, links cut by the kernel, load all the time.

A cut lasts 8 s, in `make check-long` 60 s. Whatever happens: no fork, nothing that was reported final is lost, and all are equal
within HEALED_S after the links are back.
"""
import time

import pytest

import namespaces
from net import LONG, figure, wait_for

CUT_S = 60 if LONG else 8
SETTLE_S = 2  # what was under way at the cut arrives or does not
HEALED_S = 20  # links are found again, and what was missed is caught up with, under load

pytestmark = pytest.mark.storm


@pytest.fixture(scope="module")
def far_net():
    why = namespaces.why_not()
    if why:
        pytest.skip(why)
    network = namespaces.FarNet()
    try:
        network.start()
        wait_for("all links up", lambda: all(peer["up"] for node in network.validators for peer in node.status()["peers"]))
        first = network.validators[0]
        image = network.image("a.bin", b"a" * 1000)
        with namespaces.inside(first.namespace):
            network.publish(image)
        yield network
    finally:
        network.close()


def pass_time(seconds):
    """The cut itself: nothing is waited for, time is what is tested."""
    time.sleep(seconds)


def through_a_cut(net, cut, moving):
    """Loads validators 0 and 3, cuts, watches, heals. `moving` are the validators that go on meanwhile. Gives figures."""
    loads = [namespaces.FarLoad(net, net.validators[i], CUT_S + SETTLE_S + 2 * HEALED_S + 60) for i in (0, 3)]
    try:
        wait_for("transactions final at both", lambda: all(load.final_so_far() >= 5 for load in loads), 30)
        cut()
        pass_time(SETTLE_S)
        before = [node.height() for node in net.validators]
        final_before = [len(load.final()) for load in loads]
        begun = time.monotonic()
        pass_time(CUT_S)
        for node in moving:  # the cut stays until they have moved: a busy machine is slow, not parted
            wanted = before[net.validators.index(node)] + CUT_S // 2
            wait_for(f"{node.name} to go on", lambda n=node, h=wanted: n.height() >= h, HEALED_S)
        for load, was in zip(loads, final_before):
            if load.node in moving:
                wait_for(f"answers at {load.node.name}", lambda a=load, n=was: len(a.final()) > n, HEALED_S)
        after = [node.height() for node in net.validators]
        during = [len(load.final()) - was for load, was in zip(loads, final_before)]
        lasted = time.monotonic() - begun
        net.heal()
        healed = time.monotonic()
        if not moving:
            assert max(after) == max(before), f"something became final: {before} -> {after}"
        for load, count in zip(loads, during):
            assert (count > 0) == (load.node in moving), f"{load.node.name} reported {count} final"
        marks = [len(load.final()) for load in loads]
        top = max(after)
        wait_for("all moving again", lambda: all(node.height() > top for node in net.validators), HEALED_S)
        moved = time.monotonic() - healed
        wait_for("clients answered again", lambda: all(load.final_so_far() > mark for load, mark in zip(loads, marks)), HEALED_S)
        answered = time.monotonic() - healed
        assert all(load.running() for load in loads)
    finally:
        net.heal()
        for load in loads:
            load.stop()
    net.wait_equal(seconds=HEALED_S)
    net.blocks_agree()
    final = [each for load in loads for each in load.final()]
    lost = [tx_id for node in net.validators for tx_id, height in final if node.get(f"/v1/txs/{tx_id}")["height"] != height]
    assert not lost, f"{len(lost)} of {len(final)} are elsewhere"
    figure(f"cut: {len(final)} final, {sum(during)} of them during the cut of {lasted:.0f} s; after it all moved in {moved:.2f} s, "
           f"clients were answered in {answered:.2f} s")


def test_two_against_two_stands_and_goes_on(far_net):
    a, b, c, d = far_net.validators
    through_a_cut(far_net, lambda: far_net.part([a, b], [c, d]), [])


def test_three_go_on_without_the_fourth(far_net):
    a, b, c, d = far_net.validators
    through_a_cut(far_net, lambda: far_net.part([a, b, c], [d]), [a, b, c])


def test_one_way_between_halves_stands_and_goes_on(far_net):
    a, b, c, d = far_net.validators
    through_a_cut(far_net, lambda: far_net.cut([c, d], [a, b]), [])


def test_one_that_hears_and_is_not_heard_holds_nobody_up(far_net):
    a, b, c, d = far_net.validators
    through_a_cut(far_net, lambda: far_net.cut([d], [a, b, c]), [a, b, c])

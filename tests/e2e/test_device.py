"""A device and its gateway: updates arrive, and what must not be installed is not."""
import hashlib
import os
import random

import pytest

from net import CLASS, Net, assay, assay_json, run, wait_for


@pytest.fixture
def net():
    """Four validators and a gateway."""
    network = Net()
    try:
        yield network.start()
    finally:
        network.close()


class Device:
    def __init__(self, net, name="device", key="device-1", url=None):
        self.net = net
        self.home = net.root / name
        self.url = url or net.gateways[0].url
        run("assay-device", "--home", self.home, "--gateway", self.url, "init", "--genesis", net.genesis, "--key", net.key(key),
            "--class", CLASS)

    def once(self, *extra, timeout=60):
        """(exit status, last line of stderr)"""
        status, _, err = run("assay-device", "--home", self.home, "--gateway", self.url, "once", *extra, check=False, timeout=timeout)
        lines = err.strip().splitlines()
        return status, lines[-1] if lines else ""

    def status(self):
        import json
        return json.loads(run("assay-device", "--home", self.home, "--gateway", self.url, "status", "--json")[1])

    def until(self, condition, what, seconds=30):
        """Polls the gateway as a device does until its state is as wanted."""
        def polled():
            self.once()
            return condition(self.status())
        return wait_for(what, polled, seconds, every=0.1)


def image_of(size, seed):
    return random.Random(seed).randbytes(size)


def pushed(net, image, version, **push):
    published = net.publish(net.image(f"{version}.bin", image), version)
    update = net.push(published["release_id"], device=net.device_id(), **push)
    return published, update


def test_sanitized_a_device_updates_itself_and_the_ledger_knows(net):
    device = Device(net)
    image = image_of(200_000, 1)
    published, update = pushed(net, image, "1.0.0")
    device.until(lambda s: s["sequence"] == published["sequence"], "the new image runs")
    assert device.status()["digest"] == hashlib.sha256(image).hexdigest()

    def reported():
        shown = assay_json("update", "show", update["update_id"], "--node", net.validators[0].url)
        return shown["counts"]["installed"] == 1
    wait_for("the report on the ledger", reported)
    history = assay_json("update", "show", update["update_id"], "--history", "--node", net.validators[0].url)["history"]
    assert len(history) >= 3


def test_an_update_to_the_whole_class(net):
    device = Device(net)
    published = net.publish(net.image("c.bin", image_of(50_000, 2)), "1.0.0")
    net.push(published["release_id"])
    device.until(lambda s: s["sequence"] == published["sequence"], "the new image runs")


def test_a_failed_trial_goes_back_to_the_old_image(net):
    device = Device(net)
    first = image_of(40_000, 3)
    published, _ = pushed(net, first, "1.0.0")
    device.until(lambda s: s["sequence"] == published["sequence"], "the first image runs")
    second, update = pushed(net, image_of(40_000, 4), "1.1.0")

    def rolled_back():
        device.once("--fail-trial")
        shown = assay_json("update", "show", update["update_id"], "--node", net.validators[0].url)
        return shown["counts"]["rolled_back"] == 1
    wait_for("the roll-back on the ledger", rolled_back, 40, every=0.1)
    assert device.status()["digest"] == hashlib.sha256(first).hexdigest()
    assert second["sequence"] > published["sequence"]


def test_a_window_that_has_passed_installs_nothing(net):
    device = Device(net)
    published, update = pushed(net, image_of(1000, 5), "1.0.0", window="1s")

    def expired():
        shown = assay_json("update", "show", update["update_id"], "--node", net.validators[0].url)
        return shown["counts"]["expired"] == 1
    wait_for("expiry without anyone sending anything", expired, 20)
    device.once()
    assert device.status()["sequence"] < published["sequence"]


def test_three_mismatches_then_even_the_right_digest_is_refused(net):
    image = image_of(1000, 6)
    published, update = pushed(net, image, "1.0.0")
    node = net.validators[0].url
    for turn in range(3):
        out = assay_json("update", "verify", "--node", node, "--key", net.key("device-1"), "--update", update["update_id"],
                         "--digest", "00" * 32)
        assert "MISMATCH" in str(out).upper(), out
    out = assay_json("update", "verify", "--node", node, "--key", net.key("device-1"), "--update", update["update_id"],
                     "--digest", hashlib.sha256(image).hexdigest())
    assert "EXHAUSTED" in str(out).upper(), out
    shown = assay_json("update", "show", update["update_id"], "--node", node)
    assert shown["devices"][0]["failed_attempts"] == 3


def test_a_device_survives_power_cuts(net):
    device = Device(net)
    published, _ = pushed(net, image_of(30_000, 8), "1.0.0", window="10m")

    def cut():
        status, out, err = run("assay-device", "--home", device.home, "--gateway", device.url, "power-cut-test", check=False, timeout=120)
        assert status == 0 or "offers no update to cut" in err, out + err
        return status == 0
    wait_for("the offer, and every cut of it survived", cut, 120, every=0.1)


def test_a_gateway_that_restarts_loses_nothing(net):
    device = Device(net)
    published, update = pushed(net, image_of(60_000, 9), "1.0.0")
    device.once()
    net.gateways[0].kill()
    net.gateways[0].start()
    device.until(lambda s: s["sequence"] == published["sequence"], "the new image runs")


def test_unknown_devices_are_turned_away(net):
    key = net.root / "stranger.key"
    assay("key", "new", key)
    home = net.root / "stranger"
    run("assay-device", "--home", home, "--gateway", net.gateways[0].url, "init", "--genesis", net.genesis, "--key", key, "--class", CLASS)
    published, _ = pushed(net, image_of(100, 10), "1.0.0")
    status, _, err = run("assay-device", "--home", home, "--gateway", net.gateways[0].url, "once", check=False)
    assert status == 1 and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/v1/status"])
def test_a_gateway_tells_how_it_is(net, path):
    assert len(net.gateways[0].get_bytes(path)) > 0

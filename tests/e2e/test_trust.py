"""How old what is believed may be: heads that a gateway refuses, trust that starts too long ago, and checkpoints.

Clocks are made false with faketime; only the wall clock is, timers count as they should.
"""
import contextlib
import glob
import json
import os
import subprocess
import urllib.error

import pytest

import proxy as wire
from net import BIN, CLASS, Net, Node, assay, assay_json, refused, wait_for
from test_attacks import ask, configure
from test_device import Device

NOT_YET, GONE = 1, 2  # codes of the device protocol
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="faketime is not installed")


@contextlib.contextmanager
def faked(offset):
    """Programs started meanwhile have this wall clock."""
    os.environ.update(LD_PRELOAD=LIBRARIES[0], FAKETIME=offset)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"], os.environ["FAKETIME"]


class ClockNode(Node):
    """A node whose wall clock can be set while it runs."""

    def set_clock(self, offset):
        at = self.home / "clock.new"
        at.write_text(offset + "\n")
        at.rename(self.home / "clock")

    def start(self, wait=True):
        self.set_clock("+0")
        env = dict(os.environ, LD_PRELOAD=LIBRARIES[0], FAKETIME_TIMESTAMP_FILE=str(self.home / "clock"), FAKETIME_NO_CACHE="1",
                   FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(self.home)], env=env, stdout=subprocess.PIPE,
                                            stderr=log)
        if wait:
            self.wait_ready()

    def unwell(self):
        """The error of /healthz, None while it is well."""
        try:
            self.get_bytes("/healthz")
        except urllib.error.HTTPError as error:
            assert error.code == 503
            return json.loads(error.read())["error"]
        return None


def running(validators=4, **options):
    """Validators with true clocks, a gateway whose clock can be set."""
    net = Net(validators=validators, **options)
    net.gateways = [ClockNode(net, "gateway0", validators)]
    net.nodes = net.validators + net.gateways
    configure(net.gateways[0], poll_ms=200)
    return net


def pushed(net, version):
    release = net.publish(net.image(f"{version}.bin", version.encode() * 1000), version)
    net.push(release["release_id"], device=net.device_id())
    return release["sequence"]


def class_proof(net, tag=0):
    """What the gateway answers a device that asks for its class's proof: (code, tag)."""
    said = ask(net.gateways[0].url, {0: 1, 1: wire.GET, 2: bytes.fromhex(net.device_id()), 3: wire.CLASS_PROOF, 4: bytes(32), 5: 0,
                                     6: 65536, 7: tag, 8: 0, 9: 0})
    return said[2], said.get(4)


def proof_of(net, name="proof"):
    assay("release", "latest", "--node", net.validators[0].url, "--class", CLASS, "--proof", net.root / name)
    return net.root / name


def test_a_gateway_refuses_heads_older_than_its_limit_and_recovers():
    net = running()
    try:
        net.start()
        gateway = net.gateways[0]
        device = Device(net)
        sequence = pushed(net, "1.0.0")
        wait_for("a fresh head", lambda: not gateway.status()["frozen"])
        device.until(lambda s: s["sequence"] == sequence, "the release runs")

        code, tag = class_proof(net)
        assert code == wire.OK
        gateway.set_clock("+1h")
        error = wait_for("the refusal", gateway.unwell)
        assert error["code"] == "FROZEN" and "is this clock right" in error["message"]
        second = pushed(net, "2.0.0")
        wait_for("all sources refused by name", lambda: {source["why"] for source in gateway.status()["sources"]} ==
                 {"older than the freshness limit"})
        assert "light.refuses" in gateway.log()
        assert class_proof(net)[0] == NOT_YET
        assert class_proof(net, tag)[0] == GONE
        behind = gateway.status()["height"]
        device.once()
        assert device.status()["sequence"] == sequence
        assert gateway.status()["height"] == behind < net.validators[0].height()

        gateway.set_clock("+0")
        wait_for("the gateway to be well", lambda: gateway.unwell() is None)
        device.until(lambda s: s["sequence"] == second, "the second release runs")
        assert "light.fresh" in gateway.log()
        assert gateway.status()["trust"]["freshness_limit_ms"] == 60000

        # The limit goes by the heartbeat the organisations voted for, and there is none without one.
        gateway.kill()
        configure(gateway, freshness_ms=1000)
        gateway.start()
        wait_for("the heartbeat proven", lambda: gateway.status()["trust"]["freshness_limit_ms"] == 30000)
        net.decide_params(heartbeat_ms=500)
        net.publish(net.image("block", b"b"))  # what was voted is carried out with the next block
        wait_for("the new heartbeat", lambda: gateway.status()["trust"]["freshness_limit_ms"] == 1500)
        for node in net.validators[:2]:
            node.pause()
        wait_for("a chain that stands", lambda: (gateway.unwell() or {}).get("code") == "FROZEN")
        for node in net.validators[:2]:
            node.resume()
        wait_for("the gateway to be well", lambda: gateway.unwell() is None)
        net.decide_params(heartbeat_ms=0)
        trust = wait_for("no freshness", lambda: (lambda t: t["heartbeat_ms"] == 0 and t)(gateway.status()["trust"]))
        assert trust["freshness_limit_ms"] is None and "no heartbeat" in trust["freshness"]
        assert "light.no_freshness" in gateway.log()
        gateway.set_clock("+20h")
        third = pushed(net, "3.0.0")
        device.until(lambda s: s["sequence"] == third, "the third release runs")
        assert gateway.unwell() is None
    finally:
        net.close()


def test_a_chain_of_100_days_wants_a_checkpoint():
    with faked("-100d"):
        net = running()
    try:
        gateway, validator = net.gateways[0], net.validators[0]
        net.start(net.validators)
        sequence = pushed(net, "1.0.0")
        gateway.start(wait=False)
        assert gateway.process.wait(20) == 2
        assert "TRUST_EXPIRED" in gateway.log() and "gateway.checkpoint" in gateway.log()
        gateway.kill()

        file, damaged = net.root / "checkpoint", net.root / "damaged"
        made = assay_json("checkpoint", "make", "--node", validator.url, "--genesis", net.genesis, "--key", net.key("author-acme-1"),
                          "--out", file)
        assert made["compare"] and not made["expired"] and made["height"] > 0
        assert made["hash"] == validator.get(f"/v1/blocks/{made['height']}")["hash"]
        shown = assay("checkpoint", "show", file, "--genesis", net.genesis, "--key", net.key("author-acme-1"))
        assert f"{made['height']}:{made['hash']}" in shown and made["signed_by"] in shown
        assert "another key" in refused("checkpoint", "show", file, "--key", net.key("author-acme-2"))
        damaged.write_bytes(file.read_bytes()[:-1] + b"\0")
        assert "damaged" in refused("checkpoint", "show", damaged)
        older = assay_json("checkpoint", "make", "--node", validator.url, "--genesis", net.genesis, "--checkpoint", file,
                           "--out", net.root / "second")
        assert not older["compare"] and older["height"] >= made["height"]

        configure(gateway, checkpoint=damaged)
        gateway.start(wait=False)
        assert gateway.process.wait(20) == 2 and "damaged" in gateway.log()
        gateway.kill()
        configure(gateway, checkpoint=file)
        gateway.start()
        wait_for("a fresh head", lambda: not gateway.status()["frozen"])
        device = Device(net)
        device.until(lambda s: s["sequence"] == sequence, "the release runs")
        gateway.kill()
        configure(gateway, checkpoint="")  # what it accepted is its start now
        gateway.start()
        wait_for("a fresh head", lambda: not gateway.status()["frozen"])
        assert gateway.status()["trust"]["from"] == "head"

        offline_proofs(net, made, file)
        net.validators[3].stop()
        home = net.validators[3].home
        own = assay_json("checkpoint", "make", "--home", home, "--out", net.root / "own")
        assert own["hash"] == validator.get(f"/v1/blocks/{own['height']}")["hash"]
    finally:
        net.close()


def offline_proofs(net, pinned, file):
    """The command line refuses for age only what it is told to, and says as of when the rest holds."""
    verify = ("proof", "verify", "--genesis", net.genesis)
    proof = proof_of(net)
    said = assay(*verify, proof)
    assert said.startswith("yes: as of 20") and " ago)" in said and "100 days ago" in said
    assert "100 days ago" not in assay(*verify, "--checkpoint", file, proof)
    shown = assay_json(*verify, "--checkpoint", file, "--max-age", "1h", proof)
    assert shown["trust"]["from"] == "checkpoint" and shown["trust"]["pinned_height"] == pinned["height"]
    assert shown["age_ms"] < 3600000 and shown["as_of"].startswith("20")
    with faked("+2h"):
        assert "BAD_STALE" in refused(*verify, "--max-age", "1h", proof)
        assert assay(*verify, proof).startswith("yes: as of 20")
    own = f"{shown['height']}:{shown['block_hash']}"
    assert assay(*verify, "--checkpoint", own, proof).startswith("yes")
    assert "BAD_PIN" in refused(*verify, "--checkpoint", f"{shown['height']}:{'ab' * 32}", proof)
    assert "give a checkpoint file" in refused(*verify, "--checkpoint", f"1:{'ab' * 32}", proof)
    assert "neither" in refused(*verify, "--checkpoint", net.root / "nothing", proof)

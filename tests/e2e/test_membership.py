"""Organisations change who validates, while transactions go on and nodes die."""
import json
import random
import shutil
import urllib.error

import pytest

from net import Net, Node, assay, assay_json, refused, run, wait_for
from test_faults import Load

VOTERS = ("acme", "globex", "mirror", "ops")


class Consortium(Net):
    """A test network whose organisations vote, and nodes that join it later with nothing but genesis and keys."""

    def __init__(self, joiners=3, gateways=0, **options):
        super().__init__(gateways=gateways, spare=joiners, **options)
        self.joined = 0

    def new_node(self, org="ops"):
        """A home made by `assay init` and put on the ledger by its organisation; not started."""
        number = self.joined
        self.joined += 1
        node = Node(self, f"joiner{number}", len(self.nodes))
        made = assay_json("init", "--home", node.home, "--role", "observer", "--org", org, "--peer",
                          f"127.0.0.1:{node.peer_port}", "--http", f"127.0.0.1:{node.peer_port + 1}", "--genesis", self.genesis)
        node.key = made["key"]
        assay("member", "add", made["key"], "--org", org, "--link-key", made["link_key"], "--peer",
              f"127.0.0.1:{node.peer_port}", "--http", node.url, "--key", self.key(f"admin-{org}"), "--key",
              node.home / "node.key", "--node", self.alive().url)
        self.nodes.append(node)
        return node

    def alive(self):
        return next(node for node in self.validators if node.process is not None)

    def decide(self, *change):
        """One organisation proposes, others vote until it passes."""
        proposal = assay_json("proposal", "new", *change, "--org", VOTERS[0], "--key", self.key(f"admin-{VOTERS[0]}"), "--node",
                              self.alive().url)["proposal_id"]
        for org in VOTERS[1:3]:
            assay("proposal", "vote", proposal, "yes", "--org", org, "--key", self.key(f"admin-{org}"), "--node",
                  self.alive().url)

    def epoch(self, epoch, nodes=None, seconds=20):
        for node in nodes or [n for n in self.nodes if n.process is not None]:
            wait_for(f"{node.name} in epoch {epoch}", lambda n=node: (n.status() or {}).get("epoch") == epoch, seconds)


@pytest.fixture
def consortium():
    net = Consortium()
    try:
        net.start(net.validators)
        yield net
    finally:
        net.close()


def key_of(net, node):
    return json.loads(assay("key", "show", node.home / "node.key", "--json"))["public_key"]


@pytest.mark.storm
def test_four_to_seven_to_five_under_load_with_kill_storms(consortium):
    net = consortium
    load = Load(net, net.validators[0], 300)
    wait_for("transactions reported final", lambda: len(load.final()) >= 20, 30)
    epoch = 0
    for _ in range(3):
        node = net.new_node()
        node.start()
        net.decide("add-validator", node.key)
        net.validators.append(node)
        epoch += 1
        net.epoch(epoch)
        before = len(load.final())
        victims = random.sample(net.validators[1:], 1)
        for victim in victims:
            victim.kill()
            victim.start()
        wait_for("the load goes on", lambda: len(load.final()) > before + 20, 40)
    for victim in (net.validators[1], net.validators[4]):
        net.decide("remove-validator", key_of(net, victim))
        net.validators.remove(victim)
        epoch += 1
        net.epoch(epoch)
        before = len(load.final())
        wait_for("the load goes on", lambda: len(load.final()) > before + 20, 40)
    for node in net.nodes:  # everybody at once
        node.process.kill()
    for node in net.nodes:
        node.kill()
    reported = load.final()
    load.stop()
    net.start(net.nodes)
    top = max(height for _, height in reported)
    net.wait_height(top, net.nodes, 60)
    net.epoch(epoch)
    for tx_id, height in reported:
        assert net.validators[-1].get(f"/v1/txs/{tx_id}")["height"] == height
    net.publish(net.image("after.bin", b"after"), "9.0.0")
    net.wait_equal(net.nodes)
    net.blocks_agree(net.nodes)
    # From the genesis alone through every epoch: what a light client does.
    proof = net.root / "proof"
    assay("release", "latest", "--class", "acme.example/thermostat", "--proof", proof, "--node", net.validators[-1].url)
    verified = assay_json("proof", "verify", "--genesis", net.genesis, proof)
    assert verified["epoch"] == epoch


def test_a_validator_whose_disk_is_gone_is_replaced_as_the_manual_says(consortium):
    net = consortium
    lost = net.validators[3]
    lost_key = key_of(net, lost)
    lost.kill()
    shutil.rmtree(lost.home)
    net.nodes.remove(lost)
    net.validators.remove(lost)
    heir = net.new_node()
    heir.start()
    net.wait_height(net.validators[0].height(), [heir])
    net.decide("replace-validator", lost_key, heir.key)
    net.validators.append(heir)
    net.epoch(1)
    keys = [validator["key"] for validator in heir.get("/v1/validators")["validators"]]
    assert heir.key in keys and lost_key not in keys
    net.validators[0].kill()  # the heir's vote counts: without it the other two would be no quorum
    spare = net.new_node()
    assay("member", "remove", spare.key, "--key", net.key("admin-ops"), "--node", heir.url)
    net.wait_equal([n for n in net.validators if n.process is not None])


def test_a_vote_needs_its_organisation_and_more_than_two_thirds(consortium):
    net = consortium
    node = net.new_node()
    url = net.validators[0].url
    proposal = assay_json("proposal", "new", "add-validator", node.key, "--org", "acme", "--key", net.key("admin-acme"),
                          "--node", url)["proposal_id"]
    assert "NOT_AUTHORIZED" in refused("proposal", "vote", proposal, "yes", "--org", "globex", "--key", net.key("admin-ops"),
                                       "--node", url)
    assay("proposal", "vote", proposal, "yes", "--org", "globex", "--key", net.key("admin-globex"), "--node", url)
    assert net.validators[0].status()["epoch"] == 0
    shown = assay_json("proposal", "show", proposal, "--key", net.key("admin-globex"), "--node", url)
    assert (shown["state"], shown["yes"], shown["no"], shown["organisations"]) == ("open", 2, 0, 4)
    assert shown["needed"] == 3 and shown["change"] == {"kind": "add_validator", "key": node.key}
    assert [vote["organisation"] for vote in shown["votes"]] == ["acme", "globex"]
    assert "NOT_LOGGED_IN" in str(pytest.raises(urllib.error.HTTPError, net.validators[0].get, "/v1/proposals").value.read())
    assay("proposal", "vote", proposal, "yes", "--org", "ops", "--key", net.key("admin-ops"), "--node", url)
    net.epoch(1)
    listed = assay_json("proposal", "list", "--key", net.key("admin-acme"), "--node", url)["proposals"]
    assert [p["state"] for p in listed] == ["passed"]


def test_two_admins_on_two_machines_sign_one_transaction(consortium):
    net = consortium
    first, second, paper = (net.root / name for name in ("first.key", "second.key", "vote.tx"))
    secret = net.root / "passphrase"
    secret.write_text("correct horse battery staple\n")
    secret.chmod(0o600)
    keys = [assay_json("key", "new", first)["public_key"],
            assay_json("key", "new", second, "--passphrase-file", secret)["public_key"]]
    net.decide("rotate-admins", "acme", "--admin", ",".join(keys), "--threshold", "2")
    url = net.validators[0].url
    propose = ("proposal", "new", "set-params", "--set", "heartbeat_ms=300", "--org", "acme", "--key", first, "--node", url)
    assert "ADMIN_THRESHOLD" in refused(*propose)
    status, _, words = run("assay", *propose, "--cosigner", keys[1], check=False)
    assert status == 2 and "needs --out" in words
    made = assay_json(*propose, "--cosigner", keys[1], "--out", paper)
    assert f"key {keys[1]} has not signed" in refused("tx", "send", paper, "--node", url)

    assert "neither a transaction's id" in refused("tx", "show", net.root / "nosuch.tx")
    shown = assay_json("tx", "show", paper)
    assert shown["does"] == "propose a change to all organisations" and shown["tx_id"] == made["tx_id"]
    assert shown["arguments"]["set_params"]["settings"] == [{"param": "heartbeat_ms", "value": 300}]
    assert shown["signers"] == [{"key": keys[0], "signed": True}, {"key": keys[1], "signed": False}]

    stranger = net.key("admin-globex")
    before = paper.read_bytes()
    status, _, words = run("assay", "tx", "sign", paper, "--key", stranger, check=False)
    assert status == 1 and "is not one of its signers" in words
    _, _, words = run("assay", "tx", "sign", paper, "--key", second, check=False)
    assert words.index("set_params") < words.index("passphrase")  # told before the passphrase is missed
    assert paper.read_bytes() == before
    signed = assay_json("tx", "sign", paper, "--key", second, "--passphrase-file", secret)
    assert signed == {"tx_id": made["tx_id"], "out": str(paper), "complete": True}
    sent = assay_json("tx", "send", paper, "--node", url)
    assert sent["tx_id"] == made["tx_id"] and sent["result"]["code"] == 0


def test_parameters_change_by_vote(consortium):
    net = consortium
    assert net.validators[0].get("/v1/params")["heartbeat_ms"] == 10000
    net.decide("set-params", "--set", "heartbeat_ms=250")
    assert net.validators[0].get("/v1/params")["heartbeat_ms"] == 250
    before = net.validators[0].height()  # without a transaction blocks come all the same: at the old pace they would take 120 s
    wait_for("heartbeats", lambda: net.validators[0].height() >= before + 12, 6)

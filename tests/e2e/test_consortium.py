"""A consortium's first day: four organisations, each with nothing but its own keys and a draft, become a network."""
import hashlib
import pathlib
import shutil
import tempfile

import pytest

from net import Node, assay, assay_json, refused, wait_for
from ports import Ports

FOUNDERS = (("acme", "vendor"), ("globex", "vendor"), ("mirror", "broker"), ("ops", "operator"))


class Founders:
    """What each organisation has before there is a genesis: an admin's key and a validator's home."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="assay-founders-"))
        self.ports = Ports(len(FOUNDERS) + 1)
        self.base = self.ports.base
        self.draft = self.dir / "draft.json"
        self.nodes = [self.new_home(org, "validator", i) for i, (org, _) in enumerate(FOUNDERS)]
        for org, _ in FOUNDERS:
            assay("key", "new", self.admin(org))

    def new_home(self, org, role, index):
        node = Node(self, f"{role}-{org}", index)
        made = assay_json("init", "--home", node.home, "--role", role, "--org", org, "--peer", f"127.0.0.1:{node.peer_port}",
                          "--http", f"127.0.0.1:{node.peer_port + 1}")
        node.key, node.link_key = made["key"], made["link_key"]
        return node

    def admin(self, org):
        return self.dir / f"admin-{org}.key"

    def part(self, index, peer=None):
        """Arguments of `genesis add` for one founder."""
        (org, kind), node = FOUNDERS[index], self.nodes[index]
        return ("--org", org, "--kind", kind, "--name", org.title(), "--admin", self.admin(org), "--node",
                f"{node.home}={peer or f'127.0.0.1:{node.peer_port}'},{node.url}")

    def close(self):
        for node in self.nodes:
            node.kill()
        self.ports.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture
def founders():
    four = Founders()
    try:
        yield four
    finally:
        four.close()


def test_four_organisations_found_a_chain(founders):
    f = founders
    genesis = f.dir / "genesis.json"
    assay("genesis", "new", "--name", "first day", "--out", f.draft, "--heartbeat", "2s")
    assert "0.0.0.0:26600" in refused("genesis", "add", f.draft, *f.part(3, peer="0.0.0.0:26600"))
    for i in (2, 0, 3):
        assay("genesis", "add", f.draft, *f.part(i))
    # The last one's two admins sign on different days.
    second = f.dir / "second.key"
    second_public = assay("key", "new", second).strip()
    added = assay_json("genesis", "add", f.draft, *f.part(1), "--admin", second_public, "--threshold", 2)
    assert not added["signed"]
    checked = assay_json("genesis", "check", f.draft)
    assert len(checked["missing"]) == 1 and "globex" in checked["missing"][0] and "sha256" not in checked
    assert "globex" in refused("genesis", "seal", f.draft, "--out", genesis)
    assert not genesis.exists()
    assert assay_json("genesis", "sign", f.draft, "--key", second)["signed"]
    checked = assay_json("genesis", "check", f.draft)
    assert (checked["validators"], checked["quorum"], checked["f"]) == (4, 3, 1)
    assert checked["missing"] == checked["warnings"] == []

    # Everybody seals for itself and finds the same.
    sealed = assay_json("genesis", "seal", f.draft, "--out", genesis)
    again = assay_json("genesis", "seal", f.draft, "--out", f.dir / "again.json")
    digest = hashlib.sha256(genesis.read_bytes()).hexdigest()
    assert digest == sealed["sha256"] == again["sha256"] == checked["sha256"]
    found = assay_json("genesis", "check", genesis)
    assert found["sha256"] == digest and found["chain_id"] == sealed["chain_id"] == checked["chain_id"]
    assert "exists" in refused("genesis", "seal", f.draft, "--out", genesis)

    for node in f.nodes:
        shutil.copy(genesis, node.home / "genesis.json")
        node.start(wait=False)
    for node in f.nodes:
        node.wait_ready()
    assert f.nodes[0].status()["chain_id"] == sealed["chain_id"]
    observer = f.new_home("ops", "observer", 4)
    f.nodes.append(observer)
    assay("member", "add", observer.key, "--org", "ops", "--link-key", observer.link_key, "--peer",
          f"127.0.0.1:{observer.peer_port}", "--http", observer.url, "--key", f.admin("ops"), "--key",
          observer.home / "node.key", "--node", f.nodes[0].url)
    for node in f.nodes[:4]:
        wait_for("the observer on every ledger", lambda n=node: observer.key in str(n.get("/v1/nodes")))
    assert len({node.get("/v1/blocks/1")["hash"] for node in f.nodes[:4]}) == 1


def test_what_was_changed_after_its_signature_is_named(founders):
    f = founders
    assay("genesis", "new", "--name", "first day", "--out", f.draft)
    for i in range(4):
        assay("genesis", "add", f.draft, *f.part(i))
    good = f.draft.read_text()
    for before, after, named in ((f"127.0.0.1:{f.nodes[1].peer_port}", "127.0.0.2:1", "globex"),
                                 ('"vote_threshold_percent": 67', '"vote_threshold_percent": 51', "acme"),
                                 ('"peer"', '"per"', "parts[0].nodes[0].")):
        f.draft.write_text(good.replace(before, after))
        assert named in refused("genesis", "check", f.draft)
        assert named in refused("genesis", "seal", f.draft, "--out", f.dir / "genesis.json")
    f.draft.write_text(good)
    assert "organisation 'ops'" in refused("genesis", "add", f.draft, *f.part(0)[:-1], f"{f.nodes[3].home}=127.0.0.1:1,")
    assert f.draft.read_text() == good
    # A part is replaced by its organisation, and needs no signature of the others.
    assay("genesis", "add", f.draft, *f.part(1, peer="127.0.0.2:1"))
    assay("genesis", "seal", f.draft, "--out", f.dir / "genesis.json")
    assert "127.0.0.2:1" in (f.dir / "genesis.json").read_text()

"""A node's store after something went wrong with it: what each node does, what it says, and the way out."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import urllib.error

import pytest

from net import BIN, FAILED, LOOK, PATIENCE, WRONG, Net, assay, assay_json, assayd, refused, run, wait_for
from test_faults import Load

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def settings(node, **keys):
    """Sets keys of the ledger section of a node's assay.conf."""
    path = node.home / "assay.conf"
    lines = path.read_text().splitlines()
    for name, value in keys.items():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{name} ="))
        lines[at] = f"{name} = {value}"
    path.write_text("\n".join(lines) + "\n")


def work(net, node, wanted):
    """Update transactions until so many are final."""
    load = Load(net, node, 60)
    try:
        wait_for(f"{wanted} transactions final", lambda: len(load.final()) >= wanted, 40)
    finally:
        load.stop()


def checkpoint_of(node):
    return assay_json("node", "verify", "--home", node.home)["height"]


@pytest.fixture(scope="module")
def worked_net():
    """A network in which everybody has a checkpoint well above genesis, and blocks before and behind it."""
    net = Net(gateways=0)
    try:
        for node in net.validators:
            settings(node, checkpoint_bytes=1 << 20, log_segment_bytes=1 << 18)
        net.start()
        work(net, net.validators[0], 2500)
        for node in net.validators:
            wait_for(f"a checkpoint of {node.name}", lambda n=node: checkpoint_of(n) > 0, 20, every=0.2)
        yield net
    finally:
        net.close()


@pytest.fixture
def victim(worked_net, request):
    """A validator of its own for each test, stopped."""
    node = worked_net.validators[request.param]
    worked_net.wait_equal()
    node.stop()
    return worked_net, node


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 0x10]))


def du(folder):
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file())


# ---- Copies -------------------------------------------------------------------------------------------------------


def test_a_running_node_is_verified_and_backed_up_without_its_keys(net):
    node = net.validators[1]
    load = Load(net, net.validators[0], 60)
    try:
        wait_for("transactions final", lambda: len(load.final()) >= 300, 30)
        report = assay_json("node", "verify", "--home", node.home)
        assert report["wrong"] == "" and report["running"] and report["log_height"] > 0
        copy = net.root / "copy"
        made = assay_json("node", "backup", "--home", node.home, copy)
        wait_for("more of them", lambda: len(load.final()) >= 600, 30)
    finally:
        load.stop()
    names = {str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file()}
    assert not [n for n in names if n.endswith(".key") or "journal" in n]
    assert "role = observer" in (copy / "assay.conf").read_text()
    manifest = json.loads((copy / "backup.json").read_text())
    checked = assay_json("node", "verify", "--home", copy)
    assert checked["wrong"] == "" and not checked["running"]
    assert (manifest["height"], manifest["log_height"]) == (checked["height"], checked["log_height"])
    assert made["log_height"] >= report["log_height"]
    assert node.get(f"/v1/blocks/{manifest['height']}")["hash"] == manifest["hash"]
    assert "exists already" in refused("node", "backup", "--home", node.home, copy)
    for verb in (["compact"], ["prune", "--keep", "1"], ["recover"], ["recover", "--new-key"]):
        assert f"process {node.pid()}" in refused("node", *verb, "--home", node.home)
    assert node.status() is not None


def test_an_old_copy_that_was_put_back_does_not_vote(net):
    release = net.publish(net.image("a.bin", b"a"), "1.0.0")["release_id"]
    node = net.validators[2]
    assert node.stop() == 0
    copy = net.root / "old"
    shutil.copytree(node.home, copy)
    node.start()
    net.validators[3].pause()  # so that nothing becomes final without its votes
    for _ in range(8):
        net.push(release)
    net.validators[3].resume()
    net.wait_equal()
    node.stop()
    shutil.rmtree(node.home)
    shutil.copytree(copy, node.home)
    node.start()
    wait_for("the alarm", lambda: "old-journal" in (node.status() or {}).get("alarm", ""), 20)
    last = net.push(release, node=net.validators[0])
    net.wait_height(last["height"], [node])  # it follows
    net.blocks_agree()
    node.stop()
    status, told, _ = run("assay", "node", "recover", "--home", node.home, check=False)
    assert status == 1 and "--new-key" in told


def test_a_validator_whose_journal_is_lost_comes_back_under_another_key(net):
    release = net.publish(net.image("a.bin", b"a"), "1.0.0")["release_id"]
    node = net.validators[3]
    node.stop()
    shutil.rmtree(node.home / "data" / "journal")
    old = assay_json("key", "show", node.home / "node.key")["public_key"]
    told = assay_json("node", "recover", "--home", node.home, "--new-key")
    new = assay_json("key", "show", node.home / "node.key")["public_key"]
    assert told["old_key"] == old and told["new_key"] == new and new != old
    assert assay_json("key", "show", told["old_key_file"])["public_key"] == old
    assert not (node.home / "data" / "journal").exists()
    assert (node.home / "node.key").stat().st_mode & 0o777 == 0o600
    assert "role = observer" in (node.home / "assay.conf").read_text()
    # What it printed, step by step.
    url = net.validators[0].url
    assay("member", "add", new, "--node", url, "--org", "ops", "--link-key", told["new_link_key"], "--peer",
          f"127.0.0.1:{node.peer_port + 5}", "--http", node.url, "--key", net.key("admin-ops"), "--key", node.home / "node.key")
    conf = (node.home / "assay.conf").read_text().replace(f"listen = 127.0.0.1:{node.peer_port}\n",
                                                          f"listen = 127.0.0.1:{node.peer_port + 5}\n")
    (node.home / "assay.conf").write_text(conf)
    node.start()
    net.wait_equal()
    proposal = assay_json("proposal", "new", "replace-validator", old, new, "--node", url, "--org", "ops", "--key",
                          net.key("admin-ops"))
    for org in ("acme", "globex"):
        assay("proposal", "vote", proposal["tx_id"], "yes", "--node", url, "--org", org, "--key", net.key(f"admin-{org}"))
    wait_for("the new epoch", lambda: all(n.status()["epoch"] == 1 for n in net.validators), 20)
    net.validators[0].stop()  # without its vote there is no quorum now
    last = net.push(release, node=net.validators[1])
    net.wait_height(last["height"], net.validators[1:])
    net.wait_equal(net.validators[1:])


# ---- Damage -------------------------------------------------------------------------------------------------------


def test_damage_in_the_journals_tail_is_cut_and_the_node_votes_on(net):
    release = net.publish(net.image("a.bin", b"a"), "1.0.0")["release_id"]
    net.push(release)
    net.wait_equal()  # a vote of its own that the others wait for is not the last record any more
    node = net.validators[3]
    node.kill()
    segment = sorted((node.home / "data" / "journal").glob("*.log"))[-1]
    raw = segment.read_bytes()
    flip(segment, len(raw.rstrip(b"\0")) - 3)  # in the last record: for all the log knows, it never was synced
    node.start()
    net.validators[0].stop()  # without its vote there is no quorum now
    last = net.push(release, node=net.validators[1])
    net.wait_height(last["height"], [node])
    assert node.status()["alarm"] == ""


@pytest.mark.parametrize("victim", [3], indirect=True)
def test_a_flipped_bit_in_the_state_store_is_named_and_ends_nothing_silently(victim):
    net, node = victim
    path = node.home / "data" / "state" / "data.mdb"
    raw = path.read_bytes()
    name = b"acme.example"  # in a value of the class's record, in whatever pages of it there are
    places = [i for i in range(len(raw)) if raw.startswith(name, i)]
    assert places
    for at in places:
        flip(path, at)
    said = refused("node", "verify", "--home", node.home)
    assert "table state, key" in said and "checksum" in said
    # It may not even start; if it does, whatever meets the damage is refused, and the process stays or says why it ends.
    process = subprocess.Popen([str(BIN / "assayd"), "--home", str(node.home)], stdout=subprocess.PIPE,
                               stderr=open(node.home / "log", "ab"))
    node.process = process
    if process.stdout.readline().startswith(b"ready"):
        with pytest.raises(urllib.error.HTTPError) as failed:
            node.get("/v1/classes")
        assert failed.value.code == 500
        assert process.poll() is None
        node.kill()
    else:
        assert process.wait(PATIENCE * 20) == LOOK
        assert "damaged" in node.log()
        process.stdout.close()
        node.process = None
    # The way out: the state is made again from the block log.
    shutil.rmtree(node.home / "data" / "state")
    node.start()
    net.wait_equal()
    assert assay_json("node", "verify", "--home", node.home)["wrong"] == ""


@pytest.mark.parametrize("victim", [2], indirect=True)
def test_a_flipped_bit_in_a_block_file_is_named_with_its_block(victim):
    net, node = victim
    segments = sorted((node.home / "data" / "blocks").glob("*.log"))
    assert len(segments) > 2
    flip(segments[0], 3000)
    said = refused("node", "verify", "--home", node.home)
    assert said.split(": block ")[1].split()[0].isdigit() and f"file {segments[0].name}, offset" in said
    height = int(said.split(": block ")[1].split()[0])
    node.start()  # far below the checkpoint: it serves, but not that block
    net.wait_equal()
    with pytest.raises(urllib.error.HTTPError) as failed:
        node.get(f"/v1/blocks/{height}/txs")
    assert failed.value.code == 500
    node.stop()
    # Where it has to be replayed: it does not start, and says where.
    shutil.rmtree(node.home / "data" / "state")
    status, err = assayd(node.home)
    assert status == LOOK and segments[0].name in err and "offset" in err
    # The way out: the chain comes from the others; the journal stays.
    for name in ("blocks", "state"):
        path = node.home / "data" / name
        if path.exists():
            path.rename(node.home / f"{name}.damaged")
    node.start()
    net.wait_equal(seconds=30)
    assert node.status()["alarm"] == ""


# ---- Space --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", [1], indirect=True)
def test_compacting_shrinks_the_store_and_keeps_the_ledger(victim):
    net, node = victim
    state = node.home / "data" / "state"
    before = assay_json("node", "verify", "--home", node.home)
    sizes = assay_json("node", "compact", "--home", node.home)
    assert sizes["bytes_after"] < sizes["bytes_before"]
    assert (state / "data.mdb").stat().st_size == sizes["bytes_after"]
    assert not (node.home / "data" / "state.compact").exists()
    after = assay_json("node", "verify", "--home", node.home)
    assert after == before
    node.start()
    net.wait_equal()


@pytest.fixture
def old_net(monkeypatch):
    """A network that made its blocks 30 hours ago, stopped."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed: nothing else makes old blocks in a young network")
    for name, value in {"LD_PRELOAD": FAKETIME, "FAKETIME": "-30h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}.items():
        monkeypatch.setenv(name, str(value))
    net = Net(gateways=0)
    try:
        for node in net.validators:
            settings(node, checkpoint_bytes=1 << 20, log_segment_bytes=1 << 16)
        net.start()
        work(net, net.validators[0], 1000)
        net.wait_equal()
        for node in net.validators:
            node.stop()
        for name in ("LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC"):
            monkeypatch.delenv(name)
        yield net
    finally:
        net.close()


def test_pruning_gives_the_disk_back_and_never_goes_into_the_expiry_window(old_net):
    net, node = old_net, old_net.validators[3]
    top = assay_json("node", "verify", "--home", node.home)["log_height"]
    old = du(node.home / "data" / "blocks")
    shutil.rmtree(node.home / "data" / "state")  # the checkpoint to come is as of the present
    net.start()
    work(net, net.validators[0], 1500)
    net.wait_equal()
    wait_for("a checkpoint of today", lambda: checkpoint_of(node) > top, 20, every=0.2)
    assert node.stop() == 0
    before = du(node.home / "data" / "blocks")
    assert assay_json("node", "prune", "--home", node.home, "--before", "2020-01-01")["bodies_from"] == 1
    pruned = assay_json("node", "prune", "--home", node.home, "--keep", "1")
    assert pruned["limited"] and 1 < pruned["bodies_from"] == top  # the last that is too old to matter; today's are all within the window
    after = du(node.home / "data" / "blocks")
    segment = 1 << 18  # whole files go, so a part of one old file may stay
    assert old > segment and before - after >= old - segment, (old, before, after)
    report = assay_json("node", "verify", "--home", node.home)
    assert report["wrong"] == "" and 1 < report["bodies_from"] <= top + 1 and report["blocks"] >= top
    node.start()
    net.wait_equal()
    with pytest.raises(urllib.error.HTTPError) as failed:
        node.get("/v1/blocks/1/txs")
    assert failed.value.code == 410 and json.loads(failed.value.read())["error"]["code"] == "PRUNED"
    assert node.get("/v1/blocks/1")["hash"] == net.validators[0].get("/v1/blocks/1")["hash"]
    # A node that has nothing gets what it needs from the others, by snapshot.
    empty = net.validators[1]
    empty.stop()
    for name in ("blocks", "state"):
        shutil.rmtree(empty.home / "data" / name)
    empty.start()
    net.wait_equal(seconds=30)
    assert assay_json("node", "verify", "--home", empty.home)["wrong"] == ""


class SmallDisk:
    """A mount namespace in which a node's data lies on a disk of its own; it goes with the process that holds it."""

    def __init__(self, node, megabytes):
        self.node = node
        data = node.home / "data"
        data.mkdir(exist_ok=True)
        self.holder = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             'mount -t tmpfs -o size="$1"m tmpfs "$2" && echo mounted && exec sleep 1000', "sh", str(megabytes), str(data)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "mounted\n":
            why = self.holder.stderr.read().strip()
            self.close()
            pytest.skip(f"no disk of a test's own can be mounted here: {why}")
        self.data = pathlib.Path(f"/proc/{self.holder.pid}/root{data}")

    def start(self):
        log = open(self.node.home / "log", "ab")
        self.node.process = subprocess.Popen(
            ["nsenter", "-t", str(self.holder.pid), "-m", str(BIN / "assayd"), "--home", str(self.node.home)],
            stdout=subprocess.PIPE, stderr=log)
        log.close()
        self.node.wait_ready()

    def fill(self):
        """Leaves no byte free."""
        with open(self.data / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 65536)
            except OSError:
                pass

    def make_room(self):
        (self.data / "filler").unlink()

    def close(self):
        self.node.kill()
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()


def stopped_for_space(node):
    """It ended by itself, with status 1, and its last words say why."""
    assert node.process.wait(PATIENCE * 30) == FAILED
    node.process.stdout.close()
    node.process = None
    assert "no space left on device" in node.log().splitlines()[-1] + node.log().splitlines()[-2]


def test_a_full_disk_stops_the_node_before_it_votes_and_room_brings_it_back(still_net):
    net = still_net
    a, b, c, d = net.validators
    disks = []
    try:
        for node in (c, d):
            settings(node, log_segment_bytes=1 << 16)
            disks.append(SmallDisk(node, 40))
        net.start([a, b])
        for disk in disks:
            disk.start()
        work(net, a, 100)
        # One: the others go on.
        disks[1].fill()
        load = Load(net, a, 60)
        stopped_for_space(d)
        seen = len(load.final())
        wait_for("the others to go on", lambda: len(load.final()) > seen + 200, 20)
        # Two: nothing becomes final, and nothing that was is lost.
        disks[0].fill()
        stopped_for_space(c)
        load.stop()
        final = load.final()
        stuck = max(a.height(), b.height())
        threading.Event().wait(1.0)  # the time in which a chain of two could have moved, if it wrongly did
        assert max(a.height(), b.height()) == stuck
        for disk in disks:
            disk.make_room()
            disk.start()
        net.wait_height(stuck + 1, seconds=30)
        published = net.publish(net.image("after.bin", b"after"), "2.0.0")
        net.wait_height(published["height"])
        net.wait_equal()
        net.blocks_agree()
        for tx_id, height in final[-200:]:
            assert c.get(f"/v1/txs/{tx_id}")["height"] == height
    finally:
        for disk in disks:
            disk.close()


# ---- A chain that is lost -----------------------------------------------------------------------------------------


def test_a_lost_chain_begins_anew_with_its_last_state(net):
    published = net.publish(net.image("a.bin", b"a" * 3000), "1.0.0")
    net.push(published["release_id"])
    net.wait_equal()
    a, b, c, d = net.validators
    for node in net.validators:
        node.stop()
    # c and d are gone for good; a and b each make the new beginning for themselves.
    keys = [assay_json("key", "show", n.home / "node.key")["public_key"] for n in (a, b)]
    made = [assay_json("node", "export", "--home", n.home, "--out", net.root / f"new-{n.name}", "--validator", ",".join(keys))
            for n in (a, b)]
    for name in ("genesis.json", "predecessor.records"):
        assert (net.root / "new-validator0" / name).read_bytes() == (net.root / "new-validator1" / name).read_bytes()
    old = assay_json("node", "verify", "--home", a.home)
    assert made[0]["height"] == old["log_height"] and made[0]["chain_id"] != made[0]["predecessor_chain_id"]
    assert "already exists" in refused("node", "export", "--home", a.home, "--out", net.root / "new-validator0")
    for node in (a, b):
        (node.home / "data").rename(node.home / "data.lost")
        for name in ("genesis.json", "predecessor.records"):
            shutil.copy(net.root / "new-validator0" / name, node.home / name)
    net.start([a, b])
    wait_for("the new chain", lambda: a.status()["chain_id"] == made[0]["chain_id"], 10)
    latest = assay_json("release", "latest", "--node", a.url, "--class", "acme.example/thermostat")
    assert latest["release_id"] == published["release_id"] and latest["version"] == "1.0.0"
    pushed = net.push(published["release_id"], node=b)
    # Delegations name the chain: the vendor's root key vouches for its authors once more, then they publish.
    assay("author", "register", "--node", a.url, "--org", "acme", "--key", net.key("admin-acme"), "--author",
          net.key("author-acme-1"), "--root-key", net.key("root-acme"), "--class", "acme.example/thermostat")
    published = net.publish(net.image("b.bin", b"b" * 3000), "1.1.0", node=a)
    net.wait_height(max(pushed["height"], published["height"]), [a, b])
    net.wait_equal([a, b])
    for node in (a, b):
        assert node.stop() == 0
        assert assay_json("node", "verify", "--home", node.home)["wrong"] == ""
    # Whoever has other records is told so.
    records = a.home / "predecessor.records"
    records.write_bytes(records.read_bytes() + b"x")
    status, err = assayd(a.home)
    assert status == WRONG and "not the file that genesis.json names" in err

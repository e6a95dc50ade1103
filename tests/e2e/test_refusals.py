"""Wrong input: each gives one clear line and changes nothing."""
import os
import random
import shutil
import socket
import struct
import time
import urllib.error
import urllib.request

import pytest

from net import CLASS, FAILED, LOOK, WRONG, assay, assay_json, assayd, refused, wait_for


def post(node, body, query="?wait=finalized"):
    request = urllib.request.Request(f"{node.url}/v1/txs{query}", data=body, method="POST",
                                     headers={"Content-Type": "application/octet-stream"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture(scope="module")
def signed(shared_net):
    """A good transaction, written instead of sent, and a copy that has been executed."""
    net = shared_net
    published = net.publish(net.image("base.bin", b"base"), "0.9.0")
    out = net.root / "signed.tx"
    assay("release", "revoke", published["release_id"], "--reason", "test", "--node", net.validators[0].url, "--key",
          net.key("admin-acme"), "--out", out)
    return out.read_bytes()


def body_of(envelope):
    length = struct.unpack(">I", envelope[1:5])[0]
    return envelope[5:5 + length], envelope[5 + length:]


def envelope_of(body, signatures):
    return b"\x01" + struct.pack(">I", len(body)) + body + signatures


def test_malformed_transactions_by_name(shared_net, signed):
    node = shared_net.validators[0]
    height_root = node.get("/v1/releases/latest?class=" + CLASS)["release_id"]
    body, signatures = body_of(signed)
    flipped = bytes([signatures[0] ^ 1]) + signatures[1:]
    other_chain = body[:1] + bytes([body[1] ^ 1]) + body[2:]
    expired = body[:1 + 32 + 1 + 32] + struct.pack(">Q", 1) + body[1 + 32 + 1 + 32 + 8:]
    cases = {
        "unsigned": (envelope_of(body, b""), "TX_MALFORMED"),
        "badly signed": (envelope_of(body, flipped), "BAD_SIGNATURE"),
        "over-signed": (envelope_of(body, signatures + signatures), "TX_MALFORMED"),
        "wrong chain": (envelope_of(other_chain, signatures), "WRONG_CHAIN"),
        "changed expiry": (envelope_of(expired, signatures), "BAD_SIGNATURE"),
        "cut": (signed[:-1], "TX_MALFORMED"),
        "oversized": (signed + b"\0" * 70000, "TOO_LARGE"),
        "garbage": (os.urandom(500), "TX_MALFORMED"),
        "empty": (b"", "TX_MALFORMED"),
    }
    for name, (envelope, code) in cases.items():
        status, text = post(node, envelope)
        assert 400 <= status < 500 and code in text, f"{name}: {status} {text}"
        assert '"hint"' in text and '"message"' in text
    assert node.get("/v1/releases/latest?class=" + CLASS)["release_id"] == height_root


def test_a_replayed_transaction_is_named(shared_net, signed):
    node = shared_net.validators[0]
    status, text = post(node, signed)
    assert status == 200, text
    for again in shared_net.validators:
        wait_for("the transaction there too", lambda a=again: post(a, signed)[0] == 409)
        assert "TX_ALREADY_EXECUTED" in post(again, signed)[1]


def test_an_expired_transaction_is_named(shared_net):
    net = shared_net
    out = net.root / "short.tx"
    assay("update", "push", "--release", "00" * 32, "--class", CLASS, "--node", net.validators[0].url, "--key",
          net.key("author-acme-1"), "--out", out, "--expires", "1s")
    net_time = lambda: net.validators[0].status()["last_block_time_ms"]
    base = max(net_time(), int(time.time() * 1000))  # the second counts from the later of block time and the clock
    # block time moves with blocks: make some until the second is over
    wait_for("block time to pass the expiry",
             lambda: net.publish(net.image("t.bin", os.urandom(20)), "0.0.1") and net_time() > base + 1500, 20)
    line = refused("tx", "send", "--node", net.validators[0].url, out)
    assert "expired" in line.lower()


def test_unknown_method_wrong_class_and_missing_image(shared_net):
    net = shared_net
    url = net.validators[0].url
    image = net.image("wc.bin", b"wrong class")
    line = refused("release", "publish", "--node", url, "--key", net.key("author-acme-1"), "--class", "acme.example/toaster",
                   "--version", "1.0.0", image)
    assert "class" in line.lower()
    line = refused("release", "show", "ab" * 32, "--node", url)
    assert "release" in line.lower()
    envelope = net.root / "elsewhere.tx"
    assay("release", "publish", "--node", url, "--key", net.key("author-acme-1"), "--class", CLASS, "--version", "4.0.0",
          "--out", envelope, net.image("elsewhere.bin", os.urandom(100)))
    line = refused("tx", "send", "--node", net.validators[1].url, envelope)
    assert "store" in line.lower()


def test_key_files_that_others_may_read_are_refused(shared_net):
    net = shared_net
    wide = net.root / "wide.key"
    shutil.copy(net.key("author-acme-1"), wide)
    wide.chmod(0o644)
    line = refused("release", "publish", "--node", net.validators[0].url, "--key", wide, "--class", CLASS, "--version", "1.0.0",
                   net.image("m.bin", b"m"))
    assert "chmod 600" in line


def start_with(node, text):
    """Runs assayd on a copy of a home whose configuration was changed; gives its last line."""
    home = node.net.root / f"copy-{time.monotonic_ns()}"
    home.mkdir()
    for name in node.home.iterdir():
        if name.is_file() and name.name not in ("log", "pid"):
            shutil.copy2(name, home / name.name)
        elif name.name == "keys":
            shutil.copytree(name, home / "keys")
    conf = home / "assay.conf"
    conf.write_text(text(conf.read_text()))
    return assayd(home)


def test_unknown_configuration_key_names_the_nearest(shared_net):
    status, err = start_with(shared_net.validators[0], lambda text: text.replace("max_per_sender", "max_per_sendr"))
    assert status == WRONG
    assert "max_per_sendr" in err and "max_per_sender" in err


def test_another_chains_genesis_is_refused_for_good(net):
    node = net.validators[0]
    published = net.publish(net.image("a.bin", b"a"), "1.0.0")
    net.wait_height(published["height"], [node])
    assert node.stop() == 0
    genesis = node.home / "genesis.json"
    genesis.write_text(genesis.read_text().replace('"vote_threshold_percent": 67', '"vote_threshold_percent": 66'))
    status, err = assayd(node.home)
    assert status == LOOK and "genesis.json was changed" in err and "status=3" in err


def test_a_port_in_use_is_named(shared_net):
    status, err = start_with(shared_net.validators[0], lambda text: text)
    assert status == FAILED
    assert "in use" in err


def test_random_bytes_at_both_ports_and_half_open_requests(net):
    node = net.validators[0]
    rng = random.Random(7)
    for port in (node.peer_port, int(node.url.rsplit(":", 1)[1])):
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
                try:
                    s.sendall(rng.randbytes(rng.randrange(1, 3000)))
                except OSError:
                    pass
    half_open = []
    try:
        for _ in range(300):
            s = socket.create_connection(("127.0.0.1", int(node.url.rsplit(":", 1)[1])), timeout=60)
            s.sendall(b"POST /v1/txs HTTP/1.1\r\nHost: x\r\nContent-Le")
            half_open.append(s)
        published = net.publish(net.image("u.bin", b"under attack"), "1.0.0", node=node)
        assert published["height"] > 0
        assert node.get("/v1/status")["height"] >= published["height"]
    finally:
        for s in half_open:
            s.close()
    net.wait_equal()


def test_suit_files_that_are_cut_or_changed(shared_net):
    net = shared_net
    published = net.publish(net.image("s.bin", b"suit"), "8.0.0")
    envelope = net.root / "s.suit"
    envelope.write_bytes(net.validators[0].get_bytes(f"/v1/releases/{published['release_id']}/envelope"))
    key = assay_json("key", "show", net.key("author-acme-1"))["public_key"]
    assert "verified" in assay("suit", "verify", "--key", key, envelope)
    whole = envelope.read_bytes()
    bad = net.root / "bad.suit"
    for at in range(0, len(whole), 7):
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1:])
        refused("suit", "verify", "--key", key, bad)
        bad.write_bytes(whole[:at])
        refused("suit", "verify", "--key", key, bad)

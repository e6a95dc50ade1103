"""One release, from its author to a proof that anyone can check."""
import hashlib
import os
import random

import pytest

from net import CLASS, Refused, assay, assay_json, refused, run, wait_for


def image_of(size, seed=1):
    return random.Random(seed).randbytes(size)


def test_sanitized_publish_latest_and_proof(net):
    image = image_of(300_000)
    published = net.publish(net.image("fw.bin", image), "1.2.0")
    assert published["version"] == "1.2.0" and published["size"] == len(image)
    assert published["sha256"] == hashlib.sha256(image).hexdigest()
    assert published["height"] > 0 and len(published["release_id"]) == 64 and len(published["tx_id"]) == 64
    node = net.validators[1]
    net.wait_height(published["height"])
    latest = assay_json("release", "latest", "--node", node.url, "--class", CLASS)
    assert latest["release_id"] == published["release_id"] and latest["sequence"] == published["sequence"]
    proof = net.root / "proof"
    assay("release", "latest", "--node", node.url, "--class", CLASS, "--proof", proof)
    assert assay("proof", "verify", "--genesis", net.genesis, proof).startswith("yes")


def test_a_flipped_or_cut_proof_is_refused(net):
    published = net.publish(net.image("fw.bin", image_of(1000)))
    proof = net.root / "proof"
    assay("release", "latest", "--node", net.validators[0].url, "--class", CLASS, "--proof", proof)
    whole = proof.read_bytes()
    bad = net.root / "bad"
    places = sorted(set(range(0, len(whole), max(1, len(whole) // 60))) | {len(whole) - 1})
    for at in places:
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        assert "no: " in refused("proof", "verify", "--genesis", net.genesis, bad)
        bad.write_bytes(whole[:at])
        refused("proof", "verify", "--genesis", net.genesis, bad)
    bad.write_bytes(whole + b"\0")
    refused("proof", "verify", "--genesis", net.genesis, bad)
    assert published["height"] > 0


@pytest.mark.parametrize("size", [0, 1, 262145, 45 << 20])
def test_images_come_out_as_they_went_in(shared_net, size):
    net = shared_net
    image = image_of(size, seed=size + 7)
    path = net.image(f"in-{size}", image)
    added = assay_json("blob", "add", path, "--node", net.validators[0].url, "--key", net.key("author-acme-1"), timeout=120)
    assert added["size"] == size and added["sha256"] == hashlib.sha256(image).hexdigest()
    assert added["cid"] == assay_json("cid", path)["cid"]
    out = net.root / f"out-{size}"
    assay("blob", "get", added["cid"], "--output", out, "--node", net.validators[0].url, timeout=120)
    assert out.read_bytes() == image
    assert net.validators[0].get_bytes(f"/ipfs/{added['cid']}", timeout=60) == image
    assert net.validators[0].rss_mb() < 150 or os.environ.get("ASSAY_BIN", "").find("sanitize") >= 0


def test_every_validator_sees_the_release(shared_net):
    net = shared_net
    published = net.publish(net.image("all.bin", image_of(5000, 3)), "3.0.0")
    net.wait_height(published["height"])
    for node in net.validators:
        assert node.get(f"/v1/releases/{published['release_id']}")["version"] == "3.0.0"
        assert node.get(f"/v1/txs/{published['tx_id']}")["height"] == published["height"]


def test_revoked_release_is_no_longer_latest(net):
    first = net.publish(net.image("a.bin", image_of(100, 1)), "1.0.0")
    second = net.publish(net.image("b.bin", image_of(100, 2)), "1.1.0")
    assert second["sequence"] > first["sequence"]
    node = net.validators[0]
    assay("release", "revoke", second["release_id"], "--reason", "bricks devices", "--node", node.url, "--key", net.key("admin-acme"))
    latest = wait_for("the older release", lambda: assay_json("release", "latest", "--node", node.url, "--class", CLASS))
    assert latest["release_id"] == first["release_id"]


def test_a_sequence_that_is_not_higher_is_refused(net):
    net.publish(net.image("a.bin", image_of(100, 1)), "1.0.0", sequence=5)
    for sequence in (5, 4):
        with pytest.raises(Refused, match="SEQUENCE|sequence"):
            net.publish(net.image("b.bin", image_of(100, 2)), "1.1.0", sequence=sequence)
    with pytest.raises(Refused):
        net.publish(net.image("c.bin", image_of(100, 3)), "1.2.0", sequence=2**64 - 1)


def test_an_unregistered_author_is_refused(net):
    key = net.root / "stranger.key"
    assay("key", "new", key)
    line = refused("release", "publish", "--node", net.validators[0].url, "--key", key, "--class", CLASS, "--version", "9.9.9",
                   net.image("x.bin", b"x" * 100))
    assert "author" in line.lower() or "register" in line.lower() or "known" in line.lower()


def test_lists_go_on_behind_their_first_page(net):
    url = net.validators[0].url
    made = [net.publish(net.image("paged.bin", b"p%d" % i), f"7.0.{i}")["release_id"] for i in range(5)]

    def listed(*options):
        page = assay_json("release", "list", "--node", url, *options)
        return [item["release_id"] for item in page["releases"]], page["next_after"]
    everything, end = listed("--all")
    assert set(made) <= set(everything) and len(set(everything)) == len(everything) and end is None
    assert listed("--all", "--limit", "2")[0] == everything
    first, after = listed("--limit", "2")
    second, _ = listed("--limit", "2", "--after", after)
    assert first + second == everything[:4]
    for noun, verb in (("author", "list"), ("class", "list"), ("member", "list"), ("org", "list"), ("blob", "ls")):
        whole = assay_json(noun, verb, "--node", url, "--all", "--limit", "1")
        [items] = [value for name, value in whole.items() if name != "next_after"]
        [plain] = [value for name, value in assay_json(noun, verb, "--node", url).items() if name != "next_after"]
        assert items == plain and whole["next_after"] is None, noun
    keys = ["--key", net.key("author-acme-1")]
    assert "devices" in assay_json("device", "list", "--node", url, *keys, "--all")
    assert "proposals" in assay_json("proposal", "list", "--node", url, *keys, "--all")
    status, _, err = run("assay", "release", "list", "--node", url, "--limit", "0", check=False)
    assert status == 2 and "--limit" in err

"""The node as a program among others: signals, streams that are gone or full, files that are not what they seem."""
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time

import pytest

from net import BIN, CLASS, Net, Refused, assay, assay_json, run, wait_for
from test_attacks import configure


@pytest.fixture
def net():
    network = Net(validators=1, gateways=0)
    try:
        yield network
    finally:
        network.close()


def make_certificate(node, name, days, *options):
    cert, key = node.home / f"{name}.crt", node.home / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert, *options],
                   check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def subject(node):
    """Of the certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", node.peer_port + 1)) as plain, context.wrap_socket(plain) as secured:
        return secured.getpeercert(binary_form=True)


def test_sighup_takes_over_what_can_be_and_says_what_can_not(net):
    node = net.validators[0]
    log, old = node.home / "node.log", node.home / "node.log.1"
    configure(node, file="node.log", level="info")
    make_certificate(node, "one", 400)
    make_certificate(node, "two", 5)
    configure(node, tls_cert="one.crt", tls_key="one.key")
    node.start()
    node.url = node.url.replace("http://", "https://")
    first = subject(node)
    log.rename(old)
    configure(node, level="debug", threads=5, tls_cert="two.crt", tls_key="two.key", max_streams=7)
    os.kill(node.pid(), signal.SIGHUP)
    wait_for("the new log file", lambda: log.exists() and "config.read" in log.read_text())
    text = log.read_text() + old.read_text()
    assert "config.taken key=log.level" in text and "config.taken key=http.max_streams" in text, text
    assert "config.waits key=http.threads" in text and "config.waits key=http.tls_cert" in text, text
    assert node.process.poll() is None
    # The file that is configured now is read anew: what stands in it changes under the same name.
    for part in ("crt", "key"):
        os.replace(node.home / f"two.{part}", node.home / f"one.{part}")
    os.kill(node.pid(), signal.SIGHUP)
    wait_for("another certificate", lambda: subject(node) != first)
    assert assay_json("status", "--node", node.url, "--ca-file", node.home / "one.crt")["height"] >= 0
    wait_for("the alarm", lambda: "certificate: it ends on" in assay_json("status", "--node", node.url, "--ca-file",
                                                                        node.home / "one.crt")["alarm"], 30)
    (node.home / "assay.conf").write_text("[log]\nlevel = loud\n")
    os.kill(node.pid(), signal.SIGHUP)
    wait_for("the refusal", lambda: "config.refused" in log.read_text())
    assert node.stop() == 0


def test_a_gateway_takes_sighup_too():
    network = Net(validators=4, gateways=1)
    try:
        network.start()
        gateway = network.gateways[0]
        os.kill(gateway.pid(), signal.SIGHUP)
        wait_for("the configuration to be read", lambda: "config.read" in gateway.log())
        assert gateway.stop() == 0
    finally:
        network.close()


def test_a_log_reader_that_stands_still_stops_nothing(net):
    """Lines are dropped and counted; the node serves as if somebody read them."""
    node = net.validators[0]
    configure(node, level="debug")
    reader, writer = os.pipe()
    node.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(node.home)], stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    node.wait_ready()
    image = net.image("b.bin", b"b")
    dropped = lambda: int(re.search(r"^assay_log_dropped_lines_total (\d+)$", node.get_bytes("/metrics").decode(), re.M)[1])
    versions = iter(range(10_000))
    wait_for("lines to be dropped", lambda: dropped() > 0 or (net.push(release_of(net, image, next(versions))) and False), 60)
    os.set_blocking(reader, False)
    heard = b""
    deadline = time.monotonic() + 60
    while b"log.dropped" not in heard and time.monotonic() < deadline:
        try:
            heard += os.read(reader, 65536)
        except BlockingIOError:
            net.push(release_of(net, image, next(versions)))
    assert b"log.dropped lines=" in heard
    os.close(reader)
    net.push(release_of(net, image, next(versions)))  # nobody reads any more at all
    assert node.stop() == 0


def release_of(net, image, number):
    return net.publish(image, f"2.0.{number}")["release_id"]


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_streams_that_are_closed_take_no_files_place(net, closed):
    node = net.validators[0]
    redirections = " ".join(f"{fd}{'<' if fd == '0' else '>'}&-" for fd in closed)
    node.process = subprocess.Popen(["sh", "-c", f"exec {BIN}/assayd --home {node.home} {redirections}"], stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL)
    wait_for("the node", lambda: node.status() is not None)
    net.publish(net.image("a.bin", b"a"), "1.0.0")
    assert os.path.realpath(f"/proc/{node.pid()}/fd/{closed[0]}") == "/dev/null"
    node.stop()
    assert assay("node", "verify", "--home", node.home)


def test_stdout_that_is_full_ends_nothing(net):
    node = net.validators[0]
    with open("/dev/full", "w") as full:
        node.process = subprocess.Popen([str(BIN / "assayd"), "--home", str(node.home)], stdout=full, stderr=full)
    wait_for("the node", lambda: node.status() is not None)
    node.process.terminate()
    assert node.process.wait(60) == 0
    node.process = None


def test_keys_are_for_nobody_else(net):
    node = net.validators[0]
    node.start()
    limits = open(f"/proc/{node.pid()}/limits").read()
    assert re.search(r"Max core file size\s+0\s+0", limits), limits
    # What is not dumpable belongs to root, whoever runs it.
    assert os.stat(f"/proc/{node.pid()}/mem").st_uid == 0


def test_a_lock_that_is_a_link_writes_nothing(net):
    node = net.validators[0]
    target = net.root / "precious"
    target.write_text("precious")
    (node.home / "data").mkdir(exist_ok=True)
    (node.home / "data" / "lock").symlink_to(target)
    status, _, err = run("assayd", "--home", node.home, check=False)
    assert status != 0 and "lock" in err and "link" in err, err
    assert target.read_text() == "precious"


def test_modes_that_let_others_write_are_warned_of(net):
    node = net.validators[0]
    node.home.chmod(0o777)
    (node.home / "assay.conf").chmod(0o666)
    node.start()
    assert f"mode.wide path={node.home} " in node.log() and "assay.conf" in node.log()


def test_what_is_named_for_output_is_written_into_and_never_replaced(net):
    node = net.validators[0]
    node.start()
    net.publish(net.image("a.bin", b"a" * 3000), "1.0.0")
    proof, link, fifo = net.root / "proof", net.root / "link", net.root / "fifo"
    link.symlink_to(proof)
    assay("release", "latest", "--node", node.url, "--class", CLASS, "--proof", link)
    assert link.is_symlink() and proof.read_bytes()[:4] == b"ASPB"
    os.mkfifo(fifo)
    held = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assay("release", "latest", "--node", node.url, "--class", CLASS, "--proof", fifo)
    assert os.read(held, 65536) == proof.read_bytes()
    os.close(held)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assay("release", "latest", "--node", node.url, "--class", CLASS, "--proof", "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    with pytest.raises(Refused, match="is no file"):
        assay("release", "latest", "--node", node.url, "--class", CLASS, "--proof", net.root)
    assert not [path for path in net.root.iterdir() if path.name.endswith(".tmp")]



# ---- What is given by name ------------------------------------------------------------------------------------------------


def test_a_name_to_listen_at_without_tls_is_refused_before_anything_is_fetched_or_made(net):
    node = net.validators[0]
    text = (node.home / "assay.conf").read_text().replace(f"127.0.0.1:{node.peer_port + 1}", f"0.0.0.0:{node.peer_port + 1}")
    (node.home / "assay.conf").write_text(text)
    before = sorted(node.home.rglob("*"))
    status, err = node_ends(node)
    assert status == 2 and "http.tls_cert" in err, err
    assert sorted(node.home.rglob("*")) == before


def node_ends(node):
    status, _, err = run("assayd", "--home", node.home, check=False)
    return status, err


def test_a_chain_that_takes_over_brings_its_records_and_leaves_the_old_snapshots(net):
    node = net.validators[0]
    configure(node, interval_blocks=1)
    node.start()
    for i in range(3):
        net.publish(net.image("a.bin", b"a%d" % i), f"1.0.{i}")
    wait_for("a snapshot", lambda: node.get("/v1/snapshots")["snapshots"])
    old = {entry["hash"] for entry in node.get("/v1/snapshots")["snapshots"]}
    node.stop()
    assay("node", "export", "--home", node.home, "--out", net.root / "new")
    home = net.root / "joiner"
    assay("init", "--home", home, "--org", "acme", "--genesis", net.root / "new" / "genesis.json")
    assert (home / "predecessor.records").read_bytes() == (net.root / "new" / "predecessor.records").read_bytes()
    lonely = net.root / "lonely"
    lonely.mkdir()
    (lonely / "genesis.json").write_bytes((net.root / "new" / "genesis.json").read_bytes())
    with pytest.raises(Refused, match="predecessor.records.*continues an earlier chain"):
        assay("init", "--home", net.root / "other", "--org", "acme", "--genesis", lonely / "genesis.json")

    for name in ("genesis.json", "predecessor.records"):
        (node.home / name).write_bytes((net.root / "new" / name).read_bytes())
    for part in ("state", "blocks", "journal"):
        shutil.rmtree(node.home / "data" / part)
    node.start()
    net.decide_params(heartbeat_ms=500)
    wait_for("snapshots of the new chain", lambda: node.get("/v1/snapshots")["snapshots"])
    assert not old & {entry["hash"] for entry in node.get("/v1/snapshots")["snapshots"]}


def test_key_files_are_taken_where_keys_are_asked_for(net):
    node = net.validators[0]
    node.start()
    secret = net.root / "passphrase"
    secret.write_text("correct horse battery\n")
    secret.chmod(0o600)
    root, author = net.root / "root.key", net.root / "author.key"
    for path in (root, author):
        assay("key", "new", path, "--passphrase-file", secret)
    admins = ["--key", net.key("admin-acme")]
    with pytest.raises(Refused, match="encrypted"):
        assay("class", "define", "acme.example/pump", "--org", "acme", "--root-key", root, "--author", net.key("author-acme-1"),
              "--slot", "0:100000", *admins, "--node", node.url)
    assay("class", "define", "acme.example/pump", "--org", "acme", "--root-key", root, "--author", net.key("author-acme-1"),
          "--slot", "0:100000", *admins, "--passphrase-file", secret, "--node", node.url)
    assay("author", "register", "--org", "acme", "--author", author, "--root-key", root, "--class", "acme.example/pump", *admins,
          "--passphrase-file", secret, "--node", node.url)
    home = net.root / "observer"
    assay("init", "--home", home, "--org", "acme", "--genesis", node.home / "genesis.json")
    add = ["member", "add", home / "node.key", "--org", "acme", *admins, "--key", home / "node.key", "--peer", "127.0.0.1:9999",
           "--node", node.url]
    with pytest.raises(Refused, match="X25519"):
        assay(*add, "--link-key", home / "node.key")
    assay(*add, "--link-key", home / "link.key")
    author.chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        assay("author", "show", author, "--node", node.url)


@pytest.mark.parametrize("options, says", [
    (["--peer", "foo"], "--peer 'foo' is not HOST:PORT"),
    (["--peer", ":26600"], "is not HOST:PORT"),
    (["--http", "127.0.0.1:99999"], "--http '127.0.0.1:99999' is not HOST:PORT"),
    (["--org", "No Such"], "--org 'No Such' is no organisation's id"),
    (["--role", "gateway"], "a gateway needs --source URL"),
    (["--role", "gateway", "--source", "node.example"], "--source 'node.example' is not a base URL"),
    (["--role", "king"], "--role 'king' is none of"),
    (["--genesis", "/nowhere"], "/nowhere"),
    (["--genesis", "/tmp"], "/tmp"),
])
def test_a_home_is_not_made_of_nonsense(net, options, says):
    home = net.root / "made"
    org = [] if "--org" in options else ["--org", "acme"]
    status, _, err = run("assay", "init", "--home", home, *org, *options, check=False)
    assert status != 0 and says in err, err
    assert len(err.strip().splitlines()) == 1
    assert not (home / "assay.conf").exists()

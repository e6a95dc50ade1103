"""What a node says of its own health: a chain that stands, a node that nobody knows, a validator that is none any more."""
import re
import urllib.error
import urllib.request

from net import Net, Node, assay, wait_for


def health(node):
    """(status, text) of /healthz."""
    try:
        with urllib.request.urlopen(node.url + "/healthz", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metric(node, name):
    return int(re.search(rf"^{name} (\d+)$", node.get_bytes("/metrics").decode(), re.M)[1])


def test_a_halted_chain_is_not_healthy():
    network = Net(validators=5, gateways=0)
    try:
        network.start()
        first = network.validators[0]
        network.decide_params(heartbeat_ms=2000)
        assert health(first)[0] == 200
        for node in network.validators[2:]:
            node.kill()
        wait_for("the halt to be told", lambda: health(first)[0] == 503, 40)
        wait_for("both alarms", lambda: {"stalled", "no-quorum"} <= set(re.findall(r"alarm name=(\S+)", first.log())), 40)
        assert metric(first, "assay_stalled_ms") > 5000
        assert metric(first, "assay_validators_within_reach") == 2
        for node in network.validators[2:]:
            node.start()
        wait_for("health", lambda: health(first)[0] == 200, 60)
        assert "alarm.over name=stalled" in first.log() and "alarm.over name=no-quorum" in first.log()
    finally:
        network.close()


def test_a_node_that_is_not_on_the_ledger_says_so():
    network = Net(validators=4, gateways=0, spare=1)
    try:
        network.start()
        stranger = Node(network, "stranger", 4)
        assay("init", "--home", stranger.home, "--org", "acme", "--genesis", network.validators[0].home / "genesis.json", "--peer",
              f"127.0.0.1:{stranger.peer_port}", "--http", f"127.0.0.1:{stranger.peer_port + 1}")
        network.nodes.append(stranger)
        stranger.start()
        status, text = health(stranger)
        assert status == 503 and "not-on-ledger" in text, text
        assert stranger.status()["role"] == "observer"
    finally:
        network.close()

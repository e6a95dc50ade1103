"""What a node says and goes by is the chain of now, not the genesis it grew from."""
import re
import time

from envelopes import Author, Client, code_of
from net import Net, assay_json, run, wait_for
from test_device import Device, image_of, pushed
from test_membership import Consortium, key_of

LIFETIME_MS = 60_000
HEARTBEAT_MS = 2_000
QUIET_S = 3 * HEARTBEAT_MS / 1000


def test_a_vote_for_a_shorter_lifetime_counts_everywhere_at_once():
    net = Net()
    try:
        net.start()
        device, gateway = Device(net), net.gateways[0]
        net.decide_params(tx_max_lifetime_ms=LIFETIME_MS, heartbeat_ms=HEARTBEAT_MS)
        for node in net.validators:
            wait_for("the new lifetime", lambda n=node: n.get("/v1/params")["tx_max_lifetime_ms"] == LIFETIME_MS)
        # What the genesis would allow is refused by name where it comes in, and waits nowhere.
        author = Author(net)
        client = Client(net.validators[1])
        now = int(time.time() * 1000)
        status, answer = client.post(author.small(now + 10 * LIFETIME_MS))
        assert (status, code_of(answer)) == (400, "TX_EXPIRY_TOO_FAR")
        for node in net.validators:
            wait_for("nothing that waits", lambda n=node: n.status()["pending"] == 0)
        assert client.post(author.small(now + LIFETIME_MS - 5_000))[0] == 200
        client.close()
        # A client with its defaults, a device and its gateway go by the new one.
        published, update = pushed(net, image_of(50_000, 1), "1.0.0")
        device.until(lambda state: state["sequence"] == published["sequence"], "the new image runs")
        url = net.validators[2].url
        wait_for("the report on the ledger",
                 lambda: assay_json("update", "show", update["update_id"], "--node", url)["counts"]["installed"] == 1)
        assert gateway.status()["alarm"] == ""
        # At rest there are heartbeats and nothing else.
        net.wait_equal()
        before = net.validators[0].height()
        time.sleep(QUIET_S)
        made = net.validators[0].height() - before
        assert made <= QUIET_S * 1000 / HEARTBEAT_MS + 1, f"{made} blocks in {QUIET_S} s of rest"
    finally:
        net.close()


def test_every_block_names_its_true_proposer_through_epochs():
    net = Consortium(joiners=2)
    try:
        net.start(net.validators)
        sets = {0: [key_of(net, v) for v in net.validators]}
        heir, guest = net.new_node(), net.new_node()
        heir.start()
        guest.start()
        net.decide("replace-validator", sets[0][3], heir.key)
        net.epoch(1)
        sets[1] = sets[0][:3] + [heir.key]  # an heir takes the place, and with it the index
        net.decide("add-validator", guest.key)
        net.epoch(2)
        sets[2] = sets[1] + [guest.key]
        assert {v["key"] for v in heir.get("/v1/validators")["validators"]} == set(sets[2])
        for i in range(5):
            net.publish(net.image(f"{i}.bin", bytes([i])), f"1.0.{i}")
        net.wait_equal()
        for node in (net.validators[0], heir):
            blocks = node.get("/v1/blocks?limit=200")["blocks"]
            assert {b["epoch"] for b in blocks} == {0, 1, 2}
            for block in blocks:
                want = sets[block["epoch"]][block["proposer_index"]] if block["height"] > 0 else None
                assert block["proposer"] == want, block
                assert node.get(f"/v1/blocks/{block['height']}") == block
            assert node.status()["validators"] == 5
    finally:
        net.close()


def test_an_image_comes_from_a_node_that_the_genesis_does_not_know():
    net = Consortium(joiners=1, gateways=1)
    try:
        net.start()
        device = Device(net)
        observer = net.new_node("acme")
        observer.start()
        wait_for("the observer knows of itself", lambda: any(n["key"] == observer.key for n in observer.get("/v1/nodes")["nodes"]))
        # Its image lies there alone; the release and the push are final everywhere.
        published = net.publish(net.image("fw.bin", image_of(60_000, 4)), "1.0.0", node=observer)
        net.push(published["release_id"], device=net.device_id())
        assert net.validators[0].get("/v1/blobs")["blobs"] == []
        device.until(lambda state: state["sequence"] == published["sequence"], "the gateway found who has the image")
    finally:
        net.close()


def checkpoints(node):
    return int(re.search(rb"^assay_checkpoints_total (\d+)", node.get_bytes("/metrics"), re.M)[1])


def test_who_comes_back_joins_by_nodes_that_the_ledger_knows():
    net = Consortium(joiners=2)
    try:
        net.start()
        late = net.new_node("ops")
        late.start()
        wait_for("it has caught up", lambda: late.status()["height"] == net.validators[0].height())
        before = checkpoints(late)
        helper = net.new_node("ops")
        helper.start()
        wait_for("a checkpoint with the other joiner in it", lambda: checkpoints(late) > before, 60)
        for node in (late, helper, *net.validators):
            node.stop()
        status, _, err = run("assay", "node", "join", "--home", late.home, check=False, timeout=120)
        asked = {node.url for node in (late, helper, *net.validators) if node.url in err}
        assert status == 1 and asked == {node.url for node in (helper, *net.validators)}, err
    finally:
        net.close()

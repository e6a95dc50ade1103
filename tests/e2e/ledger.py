"""A chain read from its nodes block by block, to judge from the chain itself what was executed and whether all have the same."""
from envelopes import Client


class Ledger:
    """What was read so far. A block that nobody keeps any more must have been read before."""

    def __init__(self):
        self.blocks = {}  # height: (hash, state root, time ms)
        self.executed = {}  # id: height
        self.twice = []
        self.top = 0

    def read_bodies(self, client, height, count):
        """Ids in a block as this node tells them; None: it does not have it (any more)."""
        ids = []
        while len(ids) < count:
            status, page = client.get(f"/v1/blocks/{height}/txs?from={len(ids)}")
            if status != 200 or not page["txs"]:
                return None
            ids += [tx["tx_id"] for tx in page["txs"]]
        return ids

    def headers(self, client, after):
        """Blocks above `after`, newest first, as far as the node has them."""
        before, out = "", []
        while True:
            status, page = client.get(f"/v1/blocks?limit=200{before}")
            blocks = page.get("blocks", [])
            out += [b for b in blocks if b["height"] > after]
            if status != 200 or not blocks or blocks[-1]["height"] <= after + 1:
                return out
            before = f"&before={blocks[-1]['height']}"

    def follow(self, nodes):
        """Reads on, each block from the first node that has it."""
        clients = [Client(node) for node in nodes]
        heads = [sorted(self.headers(client, self.top), key=lambda b: b["height"]) for client in clients]
        for client, blocks in sorted(zip(clients, heads), key=lambda pair: -len(pair[1])):
            for block in blocks:
                if block["height"] == self.top + 1 and not self.take(client, block):
                    break
        for client in clients:
            client.close()

    def take(self, client, block):
        ids = self.read_bodies(client, block["height"], block["tx_count"])
        if ids is None:
            return False
        self.top = block["height"]
        self.blocks[self.top] = (block["hash"], block["state_root"], block["time_ms"])
        for tx_id in ids:
            if tx_id in self.executed:
                self.twice.append((tx_id, self.executed[tx_id], self.top))
            self.executed.setdefault(tx_id, self.top)
        return True

    def compare(self, node):
        """Everything a node has, beside what was read; gives (blocks, bodies, those that differ)."""
        client, differ, bodies = Client(node), [], 0
        blocks = [b for b in self.headers(client, -1) if 0 < b["height"] <= self.top]
        for block in blocks:
            height = block["height"]
            if (block["hash"], block["state_root"]) != self.blocks[height][:2]:
                differ.append((node.name, height))
            ids = self.read_bodies(client, height, block["tx_count"]) if block["tx_count"] else None
            if ids is not None:
                bodies += 1
                differ += [(node.name, height, tx_id) for tx_id in ids if self.executed.get(tx_id) != height]
                differ += [(node.name, height, "twice")] * (len(ids) - len(set(ids)))
        client.close()
        return len(blocks), bodies, differ

"""A storm of everything that touches used ids: parameters change by vote, nodes lose state, blocks or both and come back, are
killed, clocks go on in leaps, and every transaction of the run is sent again.

What happened is judged from the chain itself, block by block. STORM_SEED=n repeats the choices of a run (not the times at which
they strike), KEEP=1 keeps the homes of one that failed.
"""
import json
import os
import random
import shutil
import threading
import time

import pytest

from envelopes import Author, Client, code_of, field, post_all
from ledger import Ledger
from net import LOOK, figure, wait_for
from test_membership import VOTERS
from test_snapshot import settings
from test_window import LIFETIME_MS, MovingConsortium

ROUNDS = 30
QUORUM = 3  # of four
QUOTA, QUOTA_SHORT = 380, 120  # transactions that the load sends as fast as it can before anything happens in a round
PER_CLIENT = 15  # of these, so that many are under way at once; then each client sends one now and then
TRICKLE_S = 0.5
GENESIS_LIFETIME_MS = 300_000  # short, so that ids are forgotten within the run
LONG_LIFE_SHARE = 0.3  # of the transactions live as long as is allowed now; the others as long as is always allowed
MARGIN_MS = 5_000  # less than the lifetime in force, for a vote that is under way
DEAD_PER_ROUND = 150  # expired ones are sent again in samples, and all at the end
DIVERGED = "own state differs from the finalized one"  # base/error.h
WAY_OUT = "move data/blocks and data/state away"
FATAL = ("old-journal", "journal-damaged", "safety", "equivocation")
GOOD = {(409, "TX_ALREADY_EXECUTED"), (400, "TX_EXPIRED"), (400, "TX_EXPIRY_TOO_FAR")}

# Number in contracts/governance/governance.proto, name, values when voted down and up.
PARAMETERS = (
    (1, "heartbeat_ms", (100, 1000), (2000, 10_000)),
    (2, "max_block_txs", (4, 64), (256, 2048)),
    (3, "max_block_bytes", (131_072, 262_144), (1 << 20, 2 << 20)),
    (4, "tx_max_lifetime_ms", (LIFETIME_MS, 90_000), (300_000, 600_000)),
    (5, "vote_threshold_percent", (51, 66), (67, 100)),
)
LIFETIME = 3  # its place above
LOSSES = (("state",), ("blocks",), ("state", "blocks"))


class Sent:
    """A transaction of the run and what is known of it."""

    def __init__(self, envelope):
        self.envelope = envelope
        self.reported = None  # the height at which somebody said it was final


class Storm:
    def __init__(self, seed, rounds, quota):
        self.seed, self.rounds, self.per_round = seed, rounds, quota
        self.rng = random.Random(seed)  # what a seed repeats: begun anew each round
        self.any = random.Random(seed)  # what depends on times as well
        self.net = MovingConsortium(joiners=0)
        self.ledger = Ledger()
        self.sent, self.lock = {}, threading.Lock()
        self.lifetime_ms = GENESIS_LIFETIME_MS
        self.up = [False] * len(PARAMETERS)  # the next direction of each
        self.stopped, self.quota = threading.Event(), 0
        self.again = self.beyond = self.beyond_alive = self.refused_starts = self.kills = 0
        self.ids, self.taken, self.alarms, self.voted, self.lost, self.threads = set(), [], set(), [], [], []

    def start(self):
        for path in (self.net.genesis, *(node.home / "genesis.json" for node in self.net.validators)):
            genesis = json.loads(path.read_text())
            genesis["params"]["tx_max_lifetime_ms"] = GENESIS_LIFETIME_MS
            path.write_text(json.dumps(genesis))
        for i, node in enumerate(self.net.validators):
            settings(node, interval_blocks=50, join_behind_ms=60_000, log_segment_bytes=65_536, checkpoint_bytes=1 << 20,
                     keep_bodies_ms=i % 2)  # two keep what they must, two keep all
        self.net.start(self.net.validators)
        self.release = self.net.publish(self.net.image("a.bin", b"a" * 1000))["release_id"]
        self.author = Author(self.net)
        self.admins = {org: Author(self.net, f"admin-{org}") for org in VOTERS}
        self.threads = [threading.Thread(target=self.load, args=(random.Random(self.any.random()),), daemon=True)
                        for _ in range(self.per_round // PER_CLIENT)]
        for thread in self.threads:
            thread.start()

    def close(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)
        self.net.close()

    # ---- Transactions ----

    def keep(self, envelope):
        with self.lock:
            return self.sent.setdefault(envelope.id, Sent(envelope))

    def expiry(self, rng):
        longest = self.lifetime_ms if rng.random() < LONG_LIFE_SHARE else LIFETIME_MS
        return self.net.now_ms() + int(rng.uniform(0.3, 1.0) * (longest - MARGIN_MS))

    def load(self, rng):
        """One client after another asks: as fast as it gets answers up to the round's quota."""
        clients = {node: Client(node) for node in self.net.validators}
        while not self.stopped.is_set():
            self.quota -= 1
            if self.quota < 0 and self.stopped.wait(TRICKLE_S):
                break
            sent = self.keep(self.author.push(self.release, self.expiry(rng)))
            status, answer = clients[rng.choice(self.net.validators)].post(sent.envelope, timeout_ms=5000)
            if status == 200:
                sent.reported = answer["height"]
            elif status in (0, 503):
                self.stopped.wait(TRICKLE_S)
        for client in clients.values():
            client.close()

    def final(self, envelope):
        """Sends one until it is final; whoever is asked may have gone."""
        sent = self.keep(envelope)
        result = []

        def done():
            node = self.any.choice(self.net.validators)
            status, answer = Client(node).post(envelope)
            if status == 200:
                sent.reported = answer["height"]
                result.append(answer["result"])
            return status == 200 or code_of(answer) == "TX_ALREADY_EXECUTED"
        wait_for("a transaction final", done, 30, every=0.1)
        return result[0]["code"] if result else None

    def vote(self, place):
        number, name, down, up = PARAMETERS[place]
        value = self.rng.randint(*(up if self.up[place] else down))
        if place == LIFETIME:
            self.lifetime_ms = min(value, self.lifetime_ms)  # until it is voted, nobody sends what it would not allow
        expiry_ms = self.net.now_ms() + LIFETIME_MS - MARGIN_MS
        setting = field(1, field(1, number) + field(2, value))
        proposal = self.admins["acme"].envelope("governance", "propose", field(1, b"acme") + field(15, setting), expiry_ms)
        assert self.final(proposal) in (0, None)
        for org in VOTERS[1:]:
            if self.net.validators[0].get("/v1/params")[name] == value:
                break
            vote = field(1, org.encode()) + field(2, bytes.fromhex(proposal.id)) + field(3, 1)
            self.final(self.admins[org].envelope("governance", "vote", vote, expiry_ms))
        wait_for(f"{name} = {value}", lambda: self.net.validators[0].get("/v1/params")[name] == value, 10)
        if place == LIFETIME:
            self.lifetime_ms = value
        self.voted.append(f"{name} {'up' if self.up[place] else 'down'} to {value}")
        self.up[place] = not self.up[place]

    # ---- Blows ----

    def come_back(self, node, may_refuse=False):
        """Starts a node. One whose state can't be made from what is left says so, and then both go, as the manual says."""
        node.start(wait=False)
        line = node.process.stdout.readline().decode()
        if line.startswith("ready"):
            return
        last = node.log().splitlines()[-1]
        assert may_refuse and node.process.wait() == LOOK and WAY_OUT in last, f"{node.name} did not start: {last}"
        node.kill()
        self.refused_starts += 1
        for name in ("state", "blocks"):
            shutil.rmtree(node.home / "data" / name, ignore_errors=True)
        self.come_back(node)

    def lose(self, node):
        what = self.rng.choice(LOSSES)
        if self.rng.random() < 0.5:
            node.kill()
        else:
            assert node.stop() == 0
        for name in what:
            shutil.rmtree(node.home / "data" / name)
        if self.rng.random() < 0.5:
            self.net.pass_time(self.rng.randint(20, 80))
        if self.rng.random() < 0.3:
            node.start(wait=False)
            time.sleep(self.rng.uniform(0.02, 0.3))  # wherever it is by then
            node.kill()
        self.come_back(node, may_refuse=True)
        self.lost.append(f"{node.name} lost {'+'.join(what)}")

    def strike(self):
        victims = self.net.validators if self.rng.random() < 0.4 else [self.rng.choice(self.net.validators)]
        for node in victims:
            assert node.process.poll() is None, f"{node.name} had ended: {node.log()[-2000:]}"
            node.process.kill()
        for node in victims:
            node.kill()
        if self.rng.random() < 0.3:
            self.net.pass_time(self.rng.randint(20, 80))
        for node in victims:
            node.start(wait=False)
        for node in victims:
            node.wait_ready()
        self.kills += len(victims)
        return "all" if len(victims) > 1 else victims[0].name

    def settle(self):
        """Everybody is where the first was, may vote, and says nothing that it may not say."""
        self.net.wait_height(max(node.height() for node in self.net.validators), seconds=60)
        for node in self.net.validators:
            wait_for(f"{node.name} votes", lambda n=node: b"\nassay_may_vote 1\n" in n.get_bytes("/metrics"), 20)
            alarm = node.status()["alarm"].split(":")[0]
            self.alarms.add(alarm)
            assert alarm not in FATAL and node.process.poll() is None, f"{node.name}: {node.status()['alarm']}"

    # ---- Again ----

    def send_again(self, node, chosen):
        """Posts the same bytes; whatever was executed up to where the node is must be known to it."""
        self.settle()
        self.ledger.follow(self.net.validators)
        known = {sent.envelope.id for sent in chosen if sent.envelope.id in self.ledger.executed}
        self.net.wait_height(self.ledger.top, [node])
        lifetime, now = self.lifetime_ms, self.net.now_ms()
        for envelope, status, code in post_all(node, [sent.envelope for sent in chosen]):
            if envelope.id not in known or status in (0, 429, 503):
                continue
            self.again += 1
            self.ids.add(envelope.id)
            if now - self.ledger.blocks[self.ledger.executed[envelope.id]][2] > lifetime:
                self.beyond += 1
                self.beyond_alive += envelope.expiry_ms > now
            if (status, code) not in GOOD:
                self.taken.append((node.name, envelope.id, status, code))
        assert not self.taken, f"{len(self.taken)} taken again, the first {self.taken[0]}"

    def again_after_blow(self, node):
        now = self.net.now_ms()
        with self.lock:
            everything = list(self.sent.values())
        alive = [sent for sent in everything if sent.envelope.expiry_ms > now]
        dead = [sent for sent in everything if sent.envelope.expiry_ms <= now]
        self.send_again(node, alive + self.any.sample(dead, min(len(dead), DEAD_PER_ROUND)))
        self.send_again(self.any.choice([other for other in self.net.validators if other is not node]), alive)
        return len(alive)

    def round(self, number, place):
        begun = time.monotonic()
        self.rng = random.Random(f"{self.seed}/{number}")
        self.quota = self.per_round
        wait_for("the load", lambda: self.quota < 0, 30)
        self.vote(place)
        self.settle()
        self.ledger.follow(self.net.validators)
        victims = self.rng.sample(self.net.validators, QUORUM if self.rng.random() < 0.2 else 1)
        for victim in victims:  # one after the other: a quorum of them stands for what it has lost
            self.lose(victim)
            self.settle()
            self.ledger.follow(self.net.validators)
        struck = self.strike()
        self.net.pass_time(self.rng.randint(30, 60))  # three rounds are longer than the shortest lifetime
        self.final(self.author.push(self.release, self.expiry(self.any)))
        alive = self.again_after_blow(victim)
        assert not self.ledger.twice, self.ledger.twice
        print(f"round {number}: {self.voted[-1]}; {', '.join(self.lost[-len(victims):])}; kill -9 of {struck}; {alive} alive "
              f"sent again; height {self.ledger.top}, {len(self.ledger.executed)} executed; {time.monotonic() - begun:.1f} s",
              flush=True)

    def run(self):
        self.start()
        for number, place in enumerate(plan(self.rng, self.rounds), 1):
            self.round(number, place)
        self.finish()

    def finish(self):
        """The load ends, all that was ever sent goes to every node in shares, and every node's chain is read."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        with self.lock:
            everything = list(self.sent.values())
        for i, node in enumerate(self.net.validators):
            self.send_again(node, everything[i::len(self.net.validators)])
        self.final(self.author.push(self.release, self.expiry(self.any)))
        self.settle()
        self.net.wait_equal(seconds=60)
        self.ledger.follow(self.net.validators)

    def judge(self):
        """Prints the figures; gives what may not be: executed twice, not the same everywhere, reported final and not there."""
        reported = {s.envelope.id: s.reported for s in self.sent.values() if s.reported}
        lost = [tx_id for tx_id, height in reported.items() if self.ledger.executed.get(tx_id) != height]
        compared = [self.ledger.compare(node) for node in self.net.validators]
        diverged = [each for _, _, differ in compared for each in differ]
        diverged += [node.name for node in self.net.validators if DIVERGED in node.log()]
        back = ", ".join(f"{blocks} ({bodies})" for blocks, bodies, _ in compared)
        alarms = ", ".join(sorted(self.alarms - {""})) or "none"
        figure(f"storm of {self.rounds} rounds, seed {self.seed}: {self.ledger.top} blocks, {len(self.ledger.executed)} "
               f"executed, {len(reported)} reported final; {len(self.ids)} of them sent again, {self.again} times, {self.beyond} "
               f"beyond the lifetime in force, {self.beyond_alive} of these not expired; {len(self.lost)} losses, in "
               f"{self.refused_starts} the node asked for an operator; {self.kills} kills; blocks (bodies) on the nodes {back}; "
               f"alarms: {alarms}; executed twice: {len(self.ledger.twice)}; diverged: {len(diverged)}; lost: {len(lost)}")
        return self.ledger.twice, diverged, lost


def plan(rng, rounds):
    """Which parameter each round votes on: all in turns, in an order of their own each time; the lifetime first."""
    places = []
    while len(places) < rounds:
        some = list(range(len(PARAMETERS)))
        rng.shuffle(some)
        places += some
    places.remove(LIFETIME)
    return [LIFETIME, *places][:rounds]


def run_storm(rounds, quota):
    seed = int(os.environ.get("STORM_SEED", random.randrange(1 << 32)))
    print(f"again: STORM_SEED={seed}", flush=True)
    storm = Storm(seed, rounds, quota)
    try:
        storm.run()
        assert storm.judge() == ([], [], [])
        return storm
    except BaseException:
        if os.environ.get("KEEP"):
            kept = shutil.copytree(storm.net.root, f"{storm.net.root}-kept")
            print(f"kept: {kept}", flush=True)
        raise
    finally:
        storm.close()


def test_three_rounds_and_nothing_is_executed_twice_or_lost():
    storm = run_storm(3, QUOTA_SHORT)
    assert storm.beyond_alive > 0


@pytest.mark.long
def test_thirty_rounds_and_nothing_is_executed_twice_or_lost():
    storm = run_storm(ROUNDS, QUOTA)
    assert len(storm.ids) >= 10_000 and storm.beyond >= 500
    assert len({text.split(" to ")[0] for text in storm.voted}) == 2 * len(PARAMETERS)

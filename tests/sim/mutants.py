#!/usr/bin/env python3
"""Deliberate breaks of the rules, each of which the simulator must find: `make sim-mutants`, or tests/sim/mutants.py BUILD
[NAME-PART]. Each mutant is a copy of the files it changes, compiled and linked in the place of the true ones, and run with
up to SEEDS seeds. A replacement whose text does not stand in its file exactly once ends everything: the rule it breaks has
moved, and the mutant with it."""
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

SEEDS = 1000
SECONDS = 300  # for one mutant

# Name: [(file, text that stands there once, what it becomes), ...]
RULES = "consensus/rules.c"
VIEWS = "consensus/views.c"
RESTART = "consensus/restart.c"
CORE = "consensus/consensus.c"
EXECUTE = "node/ledger/chain_execute.c"
NO_ASSERT_PROMISE = (CORE, "        ASSERT(!(views_cast(own, VOTE_NULLIFY) && views_cast(own, VOTE_FINALIZE)));\n", "")

MUTANTS = {
    "quorum of f + 1": [
        (CORE, "core->quorum = validators_quorum(n);", "core->quorum = (uint16_t)(validators_faulty(n) + 1);"),
        ("consensus/certificates.c", "parts.signers < validators_quorum(n)", "parts.signers < validators_faulty(n) + 1"),
    ],
    "no journal sync before sending": [
        ("node/ledger/replica.c", "        e = replica_sync_journal(r);\n", "        e = OK;\n"),
    ],
    "votes forgotten at a restart": [
        (RESTART, "        restore_vote(core, &restored->votes[i], out);\n", ""),
    ],
    "stale parent accepted": [
        (RULES, "        ask_certificates(core, slot, missing, out);\n        return false;\n    case ANCESTRY_REFUSED:\n"
                "        slot->proposal_bad = true;\n        return true;\n", "    case ANCESTRY_REFUSED:\n"),
    ],
    "roots unchecked": [
        (EXECUTE, "    return which == NULL;\n", "    return true;\n"),
    ],
    "finalize after nullify": [
        (RULES, "if (other || too_early || views_cast(own, VOTE_NULLIFY) ||", "if (other || too_early ||"),
        (RULES, "    ASSERT(kind == VOTE_NULLIFY || !views_cast(own, VOTE_NULLIFY));\n", ""),
        NO_ASSERT_PROMISE,
    ],
    "nullify after finalize": [
        (RULES, "    if (views_cast(own, VOTE_NULLIFY) || views_cast(own, VOTE_FINALIZE)) {\n",
                "    if (views_cast(own, VOTE_NULLIFY)) {\n"),
        (RULES, "    ASSERT(kind != VOTE_NULLIFY || !views_cast(own, VOTE_FINALIZE));\n", ""),
        (RULES, "kind == VOTE_FINALIZE ? slot->view : slot->view - 1", "slot->view - 1"),
        (RESTART, "vote->subject.kind == VOTE_FINALIZE ? view + 1 : view", "view"),
        (CORE, "        ASSERT(!views_cast(own, VOTE_FINALIZE) || v < core->view);\n", ""),
        NO_ASSERT_PROMISE,
    ],
    "second proposal of a view voted on": [
        (VIEWS, "        note_equivocation(core, slot, &slot->proposal, &vote, out);\n        return false;\n", ""),
        (RULES, "    if (views_cast(own, VOTE_NOTARIZE) || views_cast(own, VOTE_NULLIFY) || block == NULL",
                "    if (views_cast(own, VOTE_NULLIFY) || block == NULL"),
        (RULES, "    ASSERT(!views_cast(own, kind));\n",
                "    if (kind != VOTE_NULLIFY && views_cast(own, kind) && core_same(own->blocks[kind], block)) {\n"
                "        return;\n    }\n"),
        (RULES, "    cast(core, slot, VOTE_NOTARIZE, block->hash, out);\n    return true;\n",
                "    cast(core, slot, VOTE_NOTARIZE, block->hash, out);\n    return false;\n"),
    ],
    "proposal of another than the leader": [
        (VIEWS, "                                  .signer = core_leader(core, view)};\n",
                "                                  .signer = header->proposer < core->n ? header->proposer\n"
                "                                                                       : core_leader(core, view)};\n"),
    ],
    "signatures in certificates unchecked": [
        (VIEWS, "        if (!known && !views_signature_good(core, &vote)) {\n", "        if (!known && false) {\n"),
    ],
    "used ids unchecked": [
        (EXECUTE, "    *out_used = e == OK;\n", "    *out_used = false;\n"),
    ],
    "finalize without the bodies": [
        (RULES, "            !bodies_at_hand(core, slot, hash, false, out)) {\n", "            false) {\n"),
    ],
    "view left without a certificate": [
        (RULES, "    if (core->top_certified < core->view) {\n        return false;\n",
                "    const struct slot *mine = views_get(core, core->view);\n"
                "    if (mine != NULL && core_is_validator(core) && core->top_certified < core->view &&\n"
                "        views_cast(views_own(core, mine), VOTE_NULLIFY)) {\n"
                "        core->top_certified = core->view;\n    }\n"
                "    if (core->top_certified < core->view) {\n        return false;\n"),
    ],
    "certificate of another epoch": [
        (VIEWS, "parts.subject.epoch != core->config.epoch ||", "false ||"),
    ],
    "child of a closing block in its own epoch": [
        (RULES, "    if (block != NULL && block->closes) {\n", "    if (false) {\n"),
        (EXECUTE, "    if (h->epoch == parent->epoch && block_header_closes(parent)) {\n", "    if (false) {\n"),
        (EXECUTE, " || (branch.count > 0 && block_header_closes(&branch.header))) {\n", ") {\n"),
    ],
    "new epoch on a notarized closing block": [
        (RULES, "    for (uint64_t v = core->top_finalized; v > core->final_view; v--) {\n",
                "    for (uint64_t v = core->top_notarized; v > core->final_view; v--) {\n"),
        (RULES, "        struct held_certificate *held = slot != NULL ? &slot->certificates[VOTE_FINALIZE] : NULL;\n",
                "        struct held_certificate *held = slot != NULL ? &slot->certificates[VOTE_FINALIZE] : NULL;\n"
                "        struct held_certificate *taken = slot != NULL ? &slot->certificates[VOTE_NOTARIZE] : NULL;\n"
                "        struct slot_block *last =\n"
                "            taken != NULL && taken->len != 0 ? views_block(slot, taken->block) : NULL;\n"
                "        if (held != NULL && held->len == 0 && last != NULL && last->closes) {\n"
                "            held = taken;\n        }\n"),
    ],
    "block log not durable at a new epoch": [
        ("node/ledger/replica_open.c", "    enum err e = replica_sync_chain(r);\n", "    enum err e = OK;\n"),
    ],
    "bodies not journaled": [
        ("node/ledger/replica_effects.c", "        if (body.data != NULL) {\n            e = journal_body(",
                                          "        if (body.data == NULL) {\n            e = journal_body("),
    ],
    "certificates not journaled": [
        (RULES, "            if (held->len != 0 && !held->journaled) {\n", "            if (false) {\n"),
    ],
    "journal shortened too far": [
        ("node/ledger/replica_effects.c", "block_header_closes(head) ? UINT64_MAX : head->view", "UINT64_MAX"),
    ],
    "nothing is resent": [
        ("consensus/pace.c", "    return core->active && core->now_ms >= since + core->config.timing.resend_ms;\n",
                             "    return false && core->now_ms >= since;\n"),
    ],
}


def variables(build, *names):
    """What make knows them as."""
    rules = "".join(f"\nprint-{n}: ; @echo $({n})" for n in names)
    out = subprocess.run(["make", "-s", f"BUILD={build}", f"--eval={rules}", *[f"print-{n}" for n in names]], check=True,
                         stdout=subprocess.PIPE, text=True).stdout.split("\n")
    return {name: shlex.split(line) for name, line in zip(names, out)}


def mutate(folder, edits):
    """Writes the changed files; gives their paths in the tree."""
    texts = {}
    for path, old, new in edits:
        text = texts.get(path) or pathlib.Path(path).read_text()
        if text.count(old) != 1:
            sys.exit(f"mutants: {path} has {text.count(old)} times:\n{old}")
        texts[path] = text.replace(old, new)
    for path, text in texts.items():
        copy = folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    return list(texts)


def compile_mutant(build, make, name, edits):
    folder = pathlib.Path(build) / "mutants" / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    paths = mutate(folder, edits)
    flags = [f for f in make["CPPFLAGS"] + make["CFLAGS"] if not f.startswith("-W")]
    objects = []
    for path in paths:
        standard = ["-std=c99"] if path.startswith("verify/") else []
        objects.append(str(folder / path) + ".o")
        subprocess.run([*make["CC"], *flags, *standard, "-w", "-c", str(folder / path), "-o", objects[-1]], check=True)
    ours = [f"{build}/obj/{source[:-2]}.o" for source in make["sim_SRCS"]]
    program = str(folder / "sim")
    subprocess.run([*make["CC"], *make["LDFLAGS"], *ours, *objects, *make["node_libs"], *make["LIBS_node"], "-o", program],
                   check=True)
    return program


def hunt(build, make, name, edits):
    """(found, line to print)"""
    program = compile_mutant(build, make, name, edits)
    begun = time.monotonic()
    try:
        out = subprocess.run([program, str(SEEDS), "1", "stop=1", "jobs=1"], timeout=SECONDS, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True).stdout
    except subprocess.TimeoutExpired:
        return False, f"NOT FOUND {name} (not done after {SECONDS} s)"
    failure = re.search(r"^seed (\d+) fails: (.*)$", out, re.M)
    if failure is None:
        return False, f"NOT FOUND {name}"
    seconds = time.monotonic() - begun
    return True, f"found {name} after {failure[1]} seeds ({failure[2]}; {seconds:.0f} s)"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build, part = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    make = variables(build, "CC", "CPPFLAGS", "CFLAGS", "LDFLAGS", "LIBS_node", "sim_SRCS", "node_libs")
    chosen = {name: edits for name, edits in MUTANTS.items() if part in name}
    for edits in chosen.values():
        mutate(pathlib.Path(build) / "mutants" / "check", edits)
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found, line in pool.map(lambda item: hunt(build, make, *item), chosen.items()):
            print(line, flush=True)
            passed += found
    print(f"{passed} passed, {len(chosen) - passed} failed, 0 skipped")
    return 0 if passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

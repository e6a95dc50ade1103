#!/usr/bin/env python3
"""Deliberate breaks of the rules, each of which the simulator must find: `make sim-mutants`, or

tests/sim/mutants.py BUILD [NAME-PART]   those of mutants_table.py. Each is a copy of the files it changes, compiled and
                                         linked in the place of the true ones, and run from three first seeds on, up to
                                         SEEDS each: the median of the three must be found within MEDIAN.
tests/sim/mutants.py BUILD random SEED   COUNT conditions chosen at random are turned into their opposite; the unit
                                         tests of the folder and the simulator are run, and what both let live is named.

What no run of the simulator can show (a gateway's trust, the rules of the contracts) is for a unit test to find.

Only what an oracle names is a find: an assertion, a crash or a run that does not end is none. A replacement whose text
does not stand in its file exactly once ends everything: the rule it breaks has moved, and the mutant with it. Limits are
of processor time, for other programs run beside."""
import concurrent.futures
import os
import pathlib
import random
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys

from mutants_table import MUTANTS

FIRSTS = [1, 5001, 20001]
SEEDS = 1000
MEDIAN = 300
SECONDS = 400  # of processor time, from one first seed on
COUNT = 30
RANDOM_SEEDS = 300
WAITS_SECONDS = 300  # a unit test that waits for so long waits for ever
UNIT_PARTS = ["consensus", "contracts", "node", "verify"]
NO_ORACLE = {"assertion", "crash", "endless"}
RANDOM_FILES = ["consensus/*.c", "node/ledger/chain*.c", "node/ledger/journal.c", "node/ledger/replica*.c",
                "node/snapshot/*.c"]


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
    return write(folder, texts)


def write(folder, texts):
    for path, text in texts.items():
        copy = folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
    return list(texts)


def compile_files(make, folder, paths):
    """Objects of the changed files. A changed header stands in the mutant's own tree, which is searched first: all files
    of its folder are compiled anew."""
    sources = [p for p in paths if p.endswith(".c")]
    for parent in {pathlib.Path(p).parent for p in paths if p.endswith(".h")}:
        others = [str(p) for p in sorted(parent.glob("*.c")) if str(p) not in sources]
        sources += write(folder, {p: pathlib.Path(p).read_text() for p in others})
    flags = [f for f in make["CPPFLAGS"] + make["CFLAGS"] if not f.startswith("-W")]
    objects = []
    for path in sources:
        standard = ["-std=c99"] if path.startswith("verify/") else []
        objects.append(str(folder / path) + ".o")
        subprocess.run([*make["CC"], f"-I{folder}", *flags, *standard, "-w", "-c", str(folder / path), "-o", objects[-1]],
                       check=True)
    return objects


def folder_of(build, name):
    return pathlib.Path(build) / "mutants" / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def link_sim(build, make, folder, objects):
    ours = [f"{build}/obj/{source[:-2]}.o" for source in make["sim_SRCS"]]
    program = str(folder / "sim")
    subprocess.run([*make["CC"], *make["LDFLAGS"], *ours, *objects, *make["node_libs"], *make["LIBS_node"], "-o", program],
                   check=True)
    return program


CONFINED = ("mount -o remount,bind,ro / && mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /dev/shm && "
            "exec /proc/self/fd/$0 \"$@\"")


def confined(program, *args, seconds, wait=None):
    """Runs it where nothing can be written but its own /tmp and /dev/shm: broken code may remove folders that are not
    its own. Standard output and exit status; output ends when its processor time is used up."""
    descriptor = os.open(program, os.O_RDONLY)
    try:
        return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", CONFINED, str(descriptor),
                               *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
                              timeout=wait, pass_fds=[descriptor],
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)))
    finally:
        os.close(descriptor)


def check_confinement(program):
    if confined(program, "0", "scenario=certificate reaches", seconds=60).returncode != 0:
        sys.exit("mutants: broken code is run in a mount namespace of its own, which this user may not make: be root")


def run(program, *args):
    """What it prints; nothing more after its processor time is used up."""
    return confined(program, *args, seconds=SECONDS).stdout


def first_find(program, first, seeds):
    """(how many seeds it took, what was found); (None, why not)."""
    seed, seen = first, ""
    while seed < first + seeds:
        out = run(program, str(first + seeds - seed), str(seed), "stop=1", "jobs=1")
        failure = re.search(r"^seed (\d+) fails: (\S+): (.*)$", out, re.M)
        if failure is None:
            return None, seen or "nothing"
        if failure[2] not in NO_ORACLE:
            return int(failure[1]) - first + 1, f"{failure[2]}: {failure[3]}"
        seed, seen = int(failure[1]) + 1, f"only {failure[2]}"
    return None, seen


def hunt(build, make, name, edits, scenario):
    """(found, line to print)"""
    folder = folder_of(build, name)
    objects = compile_files(make, folder, mutate(folder, edits))
    if scenario is not None and scenario.startswith("unit "):
        test = scenario.removeprefix("unit ")
        if confined(f"{build}/tests/{test}", seconds=30, wait=WAITS_SECONDS).returncode != 0:
            sys.exit(f"mutants: {test} fails without any break")
        found = unit_fails(build, make, test, objects, folder)
        return found, f"found {name} by {test}" if found else f"NOT FOUND {name}"
    program = link_sim(build, make, folder, objects)
    if scenario is not None:
        failure = re.search(r"^FAILED (.*)$", run(program, "0", f"scenario={scenario}"), re.M)
        if failure and "was not met" in failure[1]:
            failure = None
        return (True, f"found {name} by its scenario ({failure[1]})") if failure else (False, f"NOT FOUND {name}")
    finds = [first_find(program, first, SEEDS) for first in FIRSTS]
    counts = [count if count is not None else SEEDS + 1 for count, _ in finds]
    median = statistics.median(counts)
    said = next((text for count, text in finds if count is not None), finds[0][1])
    verdict = "found" if median <= MEDIAN else "FOUND LATE" if median <= SEEDS else "NOT FOUND"
    return median <= MEDIAN, f"{verdict} {name} after {counts} seeds ({said})"


# ---- Random ones -----------------------------------------------------------------------------------------------------


def conditions(path):
    """(start, end) of what can be turned round: the condition of an if or while, a returned comparison."""
    text = pathlib.Path(path).read_text()
    for match in re.finditer(r"\b(?:if|while) \(", text):
        depth, at = 1, match.end()
        while depth > 0:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield match.end(), at - 1
    for match in re.finditer(r"\breturn ([^;\"?]*(?:==|!=|<|>|&&|\|\|)[^;\"?]*);", text):
        if "->" not in match[1] or re.search(r"==|!=|&&|\|\|| [<>]=? ", match[1]):
            yield match.start(1), match.end(1)


def unit_fails(build, make, test, objects, folder):
    """Does the unit test FOLDER/.../test_NAME fail with the changed files? False also when it can't be linked with them."""
    part = test.split("/")[0]
    program = str(folder / test.replace("/", "_"))
    linked = subprocess.run([*make["CC"], *make["LDFLAGS"], f"{build}/obj/tests/unit/{test}.o", *objects,
                             f"{build}/lib/libtestlib.a", *make[f"unit_libs_{part}"], *make["LIBS_node"], "-lcmocka", "-o", program],
                            stderr=subprocess.DEVNULL, check=False)
    if linked.returncode != 0:
        return False
    try:
        return confined(program, seconds=30, wait=WAITS_SECONDS).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def unit_kills(build, make, path, objects, folder):
    """Which unit test of the part fails with the changed file."""
    part = "consensus" if path.startswith("consensus/") else "node"
    for test in make[f"UNIT_{part}"]:
        stem = pathlib.Path(test).name.removeprefix("test_")
        if part == "node" and not any(word in stem for word in ("chain", "replica", "journal", "execute", "epoch",
                                                                "snapshot", "block", "mempool")):
            continue
        if unit_fails(build, make, str(pathlib.Path(test).relative_to(f"{build}/tests")), objects, folder):
            return stem
    return None


def judge_random(build, make, choice):
    number, path, start, end = choice
    text = pathlib.Path(path).read_text()
    condition = " ".join(text[start:end].split())
    where = f"{path}:{text.count(chr(10), 0, start) + 1}: {condition}"
    folder = folder_of(build, f"random {number}")
    paths = write(folder, {path: f"{text[:start]}!({text[start:end]}){text[end:]}"})
    objects = compile_files(make, folder, paths)
    unit = unit_kills(build, make, path, objects, folder)
    if unit is None:
        program = link_sim(build, make, folder, objects)
        count, said = first_find(program, 1, RANDOM_SEEDS)
        failed = re.search(r"^FAILED (.*)$", run(program, "0"), re.M) if count is None else None
        killer = f"seed {count}: {said}" if count is not None else f"scenario: {failed[1]}" if failed else None
    else:
        killer = f"unit test {unit}"
    shutil.rmtree(folder)
    return killer is not None, f"killed {where} ({killer})" if killer else f"SURVIVES {where}"


def random_choices(seed):
    stream = random.Random(seed)
    places = [(str(path), *place) for pattern in RANDOM_FILES for path in sorted(pathlib.Path().glob(pattern))
              for place in conditions(path)]
    return [(f"{seed} {i}", *place) for i, place in enumerate(stream.sample(places, COUNT))]


# ----------------------------------------------------------------------------------------------------------------------


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build, part = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    make = variables(build, "CC", "CPPFLAGS", "CFLAGS", "LDFLAGS", "LIBS_node", "sim_SRCS", "node_libs",
                     "UNIT_consensus", "UNIT_node", *[f"unit_libs_{part}" for part in UNIT_PARTS])
    if part == "random":
        jobs = [(judge_random, (build, make, choice)) for choice in random_choices(int(sys.argv[3]))]
    else:
        chosen = {name: mutant for name, mutant in MUTANTS.items() if part in name}
        for edits, _ in chosen.values():
            mutate(pathlib.Path(build) / "mutants" / "check", edits)
        jobs = [(hunt, (build, make, name, *mutant)) for name, mutant in chosen.items()]
    check_confinement(f"{build}/bin/sim")
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count())) as pool:
        for found, line in pool.map(lambda job: job[0](*job[1]), jobs):
            print(line, flush=True)
            passed += found
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{used.ru_utime + used.ru_stime:.0f} s of processor time")
    print(f"{passed} passed, {len(jobs) - passed} failed, 0 skipped")
    return 0 if passed == len(jobs) else 1


if __name__ == "__main__":
    sys.exit(main())

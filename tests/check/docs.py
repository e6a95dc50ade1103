#!/usr/bin/env python3
"""Holds docs/ against the code: configuration keys with their defaults, rules on age, contracts' codes, HTTP routes and error codes,
metrics, alarms, exit statuses, tags, links between the pages, and files they name. Run from the top of the checkout; prints one line per gap.
"""
import pathlib
import re
import sys


def sources(*patterns):
    return "\n".join(p.read_text() for pattern in patterns for p in sorted(pathlib.Path(".").glob(pattern)))


def page(name):
    return pathlib.Path("docs", name).read_text()


def number(text):
    """A default as the table has it: 2000 as 2,000; whole MiB and GiB by name."""
    value = int(text)
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if value >= unit and value % unit == 0:
            return f"{value // unit} {name}"
    return f"{value:,}"


def configuration():
    table = {}
    for row in re.findall(r"^\| ([a-z_., ]+) \| (.*?) \|", page("operations.md"), re.M):
        for key in row[0].split(", "):
            table[key] = row[1]
    macro = re.compile(r'^    (TEXT|NUMBER|CHOICE)\((\w+), (\w+),(.*?)"([^"]*)",\s*"', re.M | re.S)
    for kind, section, name, _, default in macro.findall(pathlib.Path("node/host/config.c").read_text()):
        key = f"{section}.{name}"
        want = number(default) if kind == "NUMBER" else default or "(empty)"
        if key not in table:
            yield f"docs/operations.md has no row for {key}"
        elif table[key].split(" (")[0] != want and table[key] != want:
            yield f"docs/operations.md: {key} is {table[key]!r}, the code says {want!r}"


def trust():
    """The rules on age: a row each in verify/freshness.c and docs/trust.md."""
    rows = {name: rest for name, rest in re.findall(r"^\| ([a-z ]+) \| (.*) \|$", page("trust.md"), re.M)}
    code = pathlib.Path("verify/freshness.c").read_text()
    for name, by_heartbeat, expires in re.findall(r"\[FOLLOWER_(\w+)\] = \{(\w+), (\w+)\}", code):
        head, _, start = rows.get(name.lower().replace("_", " "), "").partition(" | ")
        if not head:
            yield f"docs/trust.md has no row for {name}"
        elif ("heartbeats" in head) != (by_heartbeat == "true") or ("without a checkpoint" in start) != (expires == "true"):
            yield f"docs/trust.md: the row of {name} is not what verify/freshness.c does"


def codes():
    known = page("contracts.md")
    text = pathlib.Path("contracts/kernel/code.h").read_text().replace("\\\n", "")
    for value, name in re.findall(r"X\((\d+), (\w+),", text):
        if f"| {value} | {name} |" not in known:
            yield f"docs/contracts.md has no row for {value} {name}"


def routes():
    known = page("operations.md")
    code = sources("node/**/*.c")
    for path in sorted(set(re.findall(r'HTTP_\w+,\s*(?:\.path = )?"(/[^"]*)"', code)) |
                       set(re.findall(r'\.path = "(/[^"]*)"', code))):
        # A row may name a path and, after a comma, what is added to it.
        stem, _, last = path.rpartition("/")
        if path not in known and not (stem in known and f"/{last}" in known):
            yield f"docs/operations.md does not name the route {path}"
    for name in sorted(set(re.findall(r'(?:http_error|refuse)\((?:request, )?\d{3}, "([A-Z_]+)"', code))):
        if name not in known:
            yield f"docs/operations.md does not name the error {name}"


def metrics():
    known = page("operations.md")
    for name in sorted(set(re.findall(r'metric\(out, "(\w+)", "(?:gauge|counter)"', sources("node/**/*.c")))):
        parts = {f"`assay_{name}`", f"`{name.removeprefix('gateway_')}`"} | {f"`{name[i:]}`" for i in range(len(name))
                                                                          if name[i] == "_"}
        if not any(part in known for part in parts):
            yield f"docs/operations.md does not name the metric assay_{name}"


def alarms():
    known = page("operations.md")
    code = sources("node/**/*.c")
    found = re.findall(r'\[ALARM_\w+\] = "([a-z-]+)"', code) + re.findall(r'(?:replica_alarm\(r|keep_raised\(v), "([a-z-]+)"', code)
    for name in sorted(set(found)):
        if f"| `{name}` |" not in known:
            yield f"docs/operations.md has no row for the alarm {name}"


def methods():
    """The table of contracts: every method has its row, and every kind of event its name in the list of routes."""
    rows = {(contract, name) for contract, names in re.findall(r"^\| ([a-z]+) \| ([a-z_, ]+) \|", page("contracts.md"), re.M)
            for name in names.split(", ")}
    code = sources("contracts/**/*.c")
    for contract, table in re.findall(r"const struct method (\w+)_methods\[\] = \{(.*?)\n\};", code, re.S):
        for name in re.findall(r'\{"(\w+)", &', table):
            if (contract, name) not in rows:
                yield f"docs/contracts.md has no row for {contract}.{name}"
    known = page("operations.md")
    for name in re.findall(r'X\([A-Z]+, "([a-z]+)"\)', pathlib.Path("contracts/kernel/contract.h").read_text()):
        if name not in known:
            yield f"docs/operations.md does not name the event {name}"


def exit_statuses():
    known = page("operations.md")
    text = pathlib.Path("node/host/exit_status.h").read_text().replace("\\\n", "")
    for status, stays_down, means in re.findall(r'X\(EXIT_STATUS_\w+, (\d+), (\w+),\s*"([^"]*)"', text):
        if f"| {status} | {'yes' if stays_down == 'true' else 'no'} | {means}" not in known:
            yield f"docs/operations.md has no row for the exit status {status}, {means}"


def tags():
    known = page("formats.md")
    code = sources("base/*.[ch]", "verify/*.[ch]", "contracts/**/*.[ch]", "ipfs-lite/*.[ch]", "node/**/*.[ch]")
    for name in sorted(set(re.findall(r'"(assay\.[a-z]+)(?:\\0|")', code)) - {"assay.conf"}):
        if f"`{name}`" not in known:
            yield f"docs/formats.md does not name the tag {name}"


def anchor(heading):
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def links():
    pages = [p for p in [*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").rglob("*.md")]]
    for p in pages:
        text = p.read_text()
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            name, _, part = target.partition("#")
            to = (p.parent / name) if name else p
            if "://" in target:
                continue
            if not to.exists():
                yield f"{p}: {target} leads nowhere"
            elif part and part not in {anchor(h) for h in re.findall(r"^#+ (.*)$", to.read_text(), re.M)}:
                yield f"{p}: {target} names no heading"


def paths():
    """Files of the checkout that the pages name in backquotes."""
    for p in [*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").rglob("*.md")]:
        for name in re.findall(r"`((?:[a-z0-9_.-]+/)+[a-z0-9_]+\.(?:c|h|py|md|proto|json))`", p.read_text()):
            if not pathlib.Path(name).exists():
                yield f"{p}: there is no {name}"


def where():
    """docs/where.md: each place is a file that defines the name."""
    rows = re.findall(r"^\| .*? \| `([^`]+)` \| `(\w+)` \|$", page("where.md"), re.M)
    if not rows:
        yield "docs/where.md has no rows"
    for path, name in rows:
        text = pathlib.Path(path).read_text() if pathlib.Path(path).exists() else ""
        if not re.search(rf"^[^\s/*#][^;=\n]*\b{name}\b(?:\(|\[\] = )", text, re.M):
            yield f"docs/where.md: {path} does not define {name}"


def main():
    checks = (configuration, trust, codes, methods, routes, metrics, alarms, exit_statuses, tags, links, paths, where)
    gaps = [gap for check in checks for gap in check()]
    for gap in gaps:
        print(gap)
    print(f"docs: {len(gaps)} gaps")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Holds docs/ against the code: configuration keys with their defaults, rules on age, contracts' codes, HTTP routes and error codes,
metrics, events, alarms, exit statuses, tags, links between the pages, and files they name. What the code has the pages name, and of
keys, routes, codes, metrics and events the other way round. Run from the top of the checkout; prints one line per gap.
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


def section(text, begin, end):
    return text.partition(begin)[2].partition(end)[0]


def both_ways(where, what, code, documented):
    """What the code has is documented, and nothing else is."""
    for name in sorted(code - documented):
        yield f"{where} does not name the {what} {name}"
    for name in sorted(documented - code):
        yield f"{where} names the {what} {name}, which the code does not have"


def configuration():
    table = {}
    for row in re.findall(r"^\| ([a-z_., ]+) \| (.*?) \|", page("operations.md"), re.M):
        for key in row[0].split(", "):
            table[key] = row[1]
    text = section(pathlib.Path("node/host/config.c").read_text(), "keys[] = {", "\n};")
    row = re.compile(r'^    (\w+\(|\{)"?(\w+)"?, "?(\w+)"?,.*?"([^"]*)",\s*"', re.M | re.S)
    code = {f"{group}.{name}": number(default) if kind == "NUMBER(" else default or "(empty)"
            for kind, group, name, default in row.findall(text)}
    groups = {key.partition(".")[0] for key in code}
    yield from both_ways("docs/operations.md", "key", set(code), {key for key in table if key.partition(".")[0] in groups and "." in key})
    for key, want in code.items():
        if key in table and table[key].split(" (")[0] != want and table[key] != want:
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
    rows = set(re.findall(r"^\| (\d+ \| [A-Z_0-9]+) \|", section(page("contracts.md"), "\n## Codes\n", "\n## "), re.M))
    text = pathlib.Path("contracts/kernel/code.h").read_text().replace("\\\n", "")
    code = {f"{value} | {name}" for value, name in re.findall(r"X\((\d+), (\w+),", text)}
    yield from both_ways("docs/contracts.md", "code", code, rows)


def documented_routes():
    """The paths of the table of routes; " , /last" is added to the path before it. Of the text below it those in backquotes."""
    text = section(page("operations.md"), "\n## The HTTP API\n", "\n### Error codes\n")
    rows = set()
    for first, more in re.findall(r"^\| [A-Z, ]+ (/[^ ,|]+)([^|]*)\|", text, re.M):
        rows |= {first} | {first + last if gap else last for gap, last in re.findall(r"( ?), (/[^ ,]+)", more)}
    return rows, set(re.findall(r"`(?:[A-Z|]+ )?(/[^`?]*)`", text))


def routes():
    code = sources("node/**/*.c")
    macros = dict(re.findall(r'#define (\w+) "(/[^"?]*)"', sources("node/**/*.[ch]", "device/**/*.[ch]")))
    paths = set(re.findall(r'HTTP_\w+,\s*(?:\.path = )?"(/[^"]*)"', code)) | set(re.findall(r'\.path = "(/[^"]*)"', code)) | \
        set(re.findall(r'\{"(/[^"]*)", \w+\}', code)) | {macros[name] for name in re.findall(r"\.path = ([A-Z_]+)\b", code) if name in macros}
    rows, others = documented_routes()
    yield from both_ways("docs/operations.md", "route", paths, rows | (others & paths))


def errors():
    """Codes of the server itself: literals in capitals where requests are answered, most of them behind their status."""
    code = sources("node/http/*.c", "node/api/*.c", "node/gateway/*.c", "node/gateway/*/*.c")
    given = set(re.findall(r'\b(\d{3}),\s*"([A-Z_]+)"', code))
    names = {name for _, name in given} | {name for name in re.findall(r'"([A-Z_]{5,})"', code) if name != "DELETE"}
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", section(page("operations.md"), "\n### Error codes\n", "\n## "), re.M)
    table = {(status, name) for status, text in rows for name in re.findall(r"\b[A-Z][A-Z_]{3,}\b", text)}
    yield from both_ways("docs/operations.md", "error", names, {name for _, name in table})
    for status, name in sorted(given - table):
        if name in {name for _, name in table}:
            yield f"docs/operations.md does not name the error {name} under {status}"


def documented_metrics(code):
    """Names in backquotes: whole ones; `_last`, which takes the place of the end of the one before; behind `assay_gateway_` its rest.
    An abbreviation stands for what the code has of all it could mean."""
    names, before, prefix = set(), "", ""
    for name in re.findall(r"`(\w+)`", section(page("operations.md"), "`GET /metrics`, Prometheus text.", "\n### ")):
        if name.endswith("_"):
            prefix = name
        elif name.startswith(("assay_", "process_")):
            names.add(name)
            before = name
        elif name.startswith("_"):
            meant = {before[:at] + name for at, letter in enumerate(before) if letter == "_"}
            names |= meant & code or {name}
        elif prefix:
            names.add(prefix + name)
    return names


def metrics():
    text = sources("node/api/*.c", "node/gateway/*.c", "node/gateway/*/*.c")
    found = re.findall(r'(?:\{|metric\(out, |head_line\(out, )"(\w+)",\s*"(?:gauge|counter|histogram)"', text) + \
        re.findall(r'name\[\] = "(assay_\w+)"', text) + \
        [name.replace("%s", "KIND") for name in re.findall(r'"(gateway_\w*%s\w*)"', text)]
    code = {name if name.startswith(("assay_", "process_")) else f"assay_{name}" for name in found}
    yield from both_ways("docs/operations.md", "metric", code, documented_metrics(code))


def events():
    """What may be subscribed to: transactions, blocks and alarms, and what contracts have to tell."""
    code = set(re.findall(r'X\([A-Z]+, "([a-z]+)"\)', pathlib.Path("contracts/kernel/contract.h").read_text())) | \
        set(re.findall(r'case EVENT_\w+:\s*return "(\w+)"', pathlib.Path("node/api/events.c").read_text()))
    row = re.search(r"^\| GET /v1/events \|.*server-sent events: ([a-z, ]+) \|$", page("operations.md"), re.M)
    yield from both_ways("docs/operations.md", "event", code, set(row[1].split(", ")) if row else set())


def alarms():
    known = page("operations.md")
    code = sources("node/**/*.c")
    found = re.findall(r'\[ALARM_\w+\] = "([a-z-]+)"', code) + re.findall(r'(?:replica_alarm\(r|keep_raised\(v), "([a-z-]+)"', code)
    for name in sorted(set(found)):
        if f"| `{name}` |" not in known:
            yield f"docs/operations.md has no row for the alarm {name}"


def methods():
    """The table of contracts: every method has its row."""
    rows = {(contract, name) for contract, names in re.findall(r"^\| ([a-z]+) \| ([a-z_, ]+) \|", page("contracts.md"), re.M)
            for name in names.split(", ")}
    code = sources("contracts/**/*.c")
    for contract, table in re.findall(r"const struct method (\w+)_methods\[\] = \{(.*?)\n\};", code, re.S):
        for name in re.findall(r'\{"(\w+)", &', table):
            if (contract, name) not in rows:
                yield f"docs/contracts.md has no row for {contract}.{name}"


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


def defines(path, name):
    text = pathlib.Path(path).read_text() if pathlib.Path(path).exists() else ""
    return re.search(rf"^[^\s/*#][^;=\n]*\b{name}\b(?:\(|\[\] = )", text, re.M)


def where():
    """Each place is a file that defines the name: the rows of docs/where.md, and every `file` (`name`, ...) elsewhere."""
    rows = re.findall(r"^\| .*? \| `([^`]+)` \| `(\w+)` \|$", page("where.md"), re.M)
    if not rows:
        yield "docs/where.md has no rows"
    for path, name in rows:
        if not defines(path, name):
            yield f"docs/where.md: {path} does not define {name}"
    for p in [*pathlib.Path(".").glob("*.md"), *pathlib.Path("docs").glob("*.md")]:
        for path, names in re.findall(r"`([\w/-]+\.c)` \(((?:`\w+`(?:, )?)+)\)", p.read_text()):
            for name in re.findall(r"\w+", names):
                if not defines(path, name):
                    yield f"{p}: {path} does not define {name}"


def main():
    checks = (configuration, trust, codes, methods, routes, errors, metrics, events, alarms, exit_statuses, tags, links, paths, where)
    gaps = [gap for check in checks for gap in check()]
    for gap in gaps:
        print(gap)
    print(f"docs: {len(gaps)} gaps")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())

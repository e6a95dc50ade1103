#!/usr/bin/env python3
"""Holds every #include against the tables of ARCHITECTURE.md: which folder may include which, and whose a library is. There may be
no circle of folders, and what the files of a module share (*_internal.h) is for them and the tests that look inside.

includes.py [CHECKOUT]. Prints the graph of folders and one line per breach; exits 1 when there is any.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
HEADING = "## Who may include whom"


def tables(text):
    """The tables under the heading: {folder: folders it may include}, {library: folders that may name it}, {folder: headers}."""
    may, libraries, pure = {}, {}, {}
    part = text.partition(HEADING)[2].partition("\n## ")[0]
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        first, second = re.findall(r"`([^`]+)`", cells[0]), re.findall(r"`([^`]+)`", cells[1])
        if first[0].startswith("<"):
            for header in first:
                libraries[header.strip("<>")] = second
        elif second and second[0].endswith(".h"):
            pure.update({folder: set(second) for folder in first})
        else:
            may.update({folder.rstrip("/"): {name.rstrip("/") for name in second} for folder in first})
    return may, libraries, pure


def room(path, may):
    """The row of the file's folder, which has one of its own."""
    return str(path.parent) if str(path.parent) in may else None


def allowed(home, other, may):
    """A row that names a folder allows those inside it as well; a folder may always include itself."""
    return other == home or any(other == name or other.startswith(name + "/") for name in may[home])


def library_breaches(path, name, libraries):
    for header, places in libraries.items():
        if (name == header or name.startswith(header.removesuffix(".h") + "/")) and \
                not any(str(path).startswith(place.rstrip("/") + "/") for place in places):
            yield f"{path}: <{name}> belongs to {', '.join(places)}"


def internal_breach(path, name):
    """chain_internal.h is for the chain*.c and chain*.h of its folder; where the module is a whole folder, for all of it."""
    header = pathlib.Path(name)
    module = header.name.removesuffix("_internal.h")
    if header.name == name or not header.name.endswith("_internal.h") or path.parts[0] == "tests":
        return None
    inside = path.parent == header.parent and (path.name.startswith(module) or header.parent.name == module)
    return None if inside else f"{path}: {name} is shared by the files of its module alone"


def breaches(top, path, may, libraries, pure, graph):
    home = room(path, may)
    if home is None:
        yield f"{path}: its folder stands in no row of ARCHITECTURE.md"
        return
    for kind, name in INCLUDE.findall((top / path).read_text()):
        if kind == "<":
            yield from library_breaches(path, name, libraries)
            for folder, headers in pure.items():
                if str(path).startswith(folder.rstrip("/") + "/") and name not in headers:
                    yield f"{path}: {folder} is kept free of <{name}>"
            continue
        other = room(pathlib.Path(name), may)
        if other is None:
            yield f"{path}: \"{name}\" is not a path from the top of the checkout"
            continue
        if other != home:
            graph.setdefault(home, set()).add(other)
        if not allowed(home, other, may):
            yield f"{path}: {home}/ may not include {other}/ ({name})"
        breach = internal_breach(path, name)
        if breach:
            yield breach


def circles(graph):
    """Folders that lead back to themselves, each with the folders that lie on a circle with it."""
    def reach(start):
        seen, waiting = set(), list(graph.get(start, ()))
        while waiting:
            folder = waiting.pop()
            if folder not in seen:
                seen.add(folder)
                waiting += graph.get(folder, ())
        return seen
    reached = {folder: reach(folder) for folder in graph}
    return sorted({tuple(sorted(f for f in reached[folder] if folder in reached.get(f, ())))
                   for folder in graph if folder in reached[folder]})


def check(top):
    may, libraries, pure = tables((top / "ARCHITECTURE.md").read_text())
    tops = sorted({folder.split("/")[0] for folder in may})
    files = [p.relative_to(top) for folder in tops for p in sorted((top / folder).rglob("*.[ch]"))]
    graph, found = {}, []
    for path in files:
        found += breaches(top, path, may, libraries, pure, graph)
    found += [f"a circle of folders: {', '.join(circle)}" for circle in circles(graph)]
    found += [f"ARCHITECTURE.md has a row for {folder}/, which holds nothing" for folder in sorted(may)
              if not any(room(path, may) == folder for path in files)]
    return files, graph, found


def main(top):
    files, graph, found = check(top)
    for folder in sorted(graph):
        print(f"{folder} -> {', '.join(sorted(graph[folder]))}")
    for line in found:
        print(line)
    print(f"includes: {len(files)} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")))

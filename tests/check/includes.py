#!/usr/bin/env python3
"""Checks the table of includes in ARCHITECTURE.md: which folder may include which, and which library is whose.

Run from the top of the checkout. Prints one line per breach and exits 1 when there is any.
"""
import pathlib
import re
import sys

MAY_INCLUDE = {
    "base": {"base"},
    "verify": {"verify"},
    "store": {"store", "base", "verify"},
    "consensus": {"consensus", "base", "verify"},
    "contracts": {"contracts", "base", "verify"},
    "ipfs-lite": {"ipfs-lite", "base", "store"},
    "device": {"device", "verify"},
    "node": {"node", "device", "ipfs-lite", "contracts", "consensus", "store", "base", "verify"},
}

# Headers of libraries, by the folders that alone may name them.
LIBRARIES = {
    "sodium": {"base", "device/ports"},
    "openssl": {"base", "device/ports", "node/cli"},
    "lmdb": {"store"},
    "uv": {"node"},
    "nng": {"node"},
    "microhttpd": {"node"},
    "gnutls": {"node"},
    "curl": {"node", "device/ports"},
    "jansson": {"node", "device/ports"},
    "ini": {"node"},
    "protobuf-c": {"contracts", "node"},
}

FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h", "limits.h", "string.h", "stdalign.h", "stdarg.h"}

# Not for the pure core: no I/O, no clock, no allocation.
PURE = {"consensus": FREESTANDING | {"inttypes.h"}, "verify": FREESTANDING, "device": FREESTANDING}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def breaches(path):
    folder = path.parts[0]
    for kind, name in INCLUDE.findall(path.read_text()):
        first = name.split("/")[0]
        if kind == '"':
            if first not in MAY_INCLUDE:
                yield f"{path}: \"{name}\" is not a path from the top of the checkout"
            elif first not in MAY_INCLUDE[folder]:
                yield f"{path}: {folder}/ may not include {first}/ ({name})"
            continue
        library = first.removesuffix(".h")
        for owner, places in LIBRARIES.items():
            if library == owner and not any(str(path).startswith(p + "/") for p in places):
                yield f"{path}: <{name}> belongs to {', '.join(sorted(places))}"
        if folder in PURE and not str(path).startswith("device/ports/") and name not in PURE[folder]:
            yield f"{path}: {folder}/ is kept free of <{name}>"


def main():
    files = [p for f in MAY_INCLUDE for p in sorted(pathlib.Path(f).rglob("*.[ch]"))]
    found = [b for p in files for b in breaches(p)]
    for line in found:
        print(line)
    print(f"includes: {len(files)} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

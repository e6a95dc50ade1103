"""Real firmware, out of Debian's packages.

A package that is installed is used as it is; one that is not is downloaded and unpacked into a folder, never installed.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

MICROPYTHON = ("firmware-microbit-micropython", "usr/share/firmware-microbit-micropython/firmware.hex")
LINUX = ("user-mode-linux", "usr/bin/linux.uml")
FLASH_END = 0x10000000  # of the micro:bit's chip; what lies beyond are configuration registers


def hex_to_binary(text):
    """Intel HEX to the flash contents it describes; holes read as erased flash."""
    base, pieces = 0, {}
    for number, line in enumerate(text.split(), 1):
        record = bytes.fromhex(line[1:])
        if line[0] != ":" or len(record) != record[0] + 5 or sum(record) % 256 != 0:
            raise ValueError(f"line {number} is not an Intel HEX record")
        offset, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 0 and base + offset < FLASH_END:
            pieces[base + offset] = data
        elif kind == 1:
            break
        elif kind in (2, 4):
            base = int.from_bytes(data, "big") << (4 if kind == 2 else 16)
    start, end = min(pieces), max(at + len(data) for at, data in pieces.items())
    image = bytearray(b"\xff" * (end - start))
    for at, data in pieces.items():
        image[at - start:at - start + len(data)] = data
    return bytes(image)


def apt_get(*args, cwd=None, as_root=False):
    command = ["apt-get", "-q", *args]
    if os.geteuid() == 0:
        command[1:1] = ["-o", "APT::Sandbox::User=root"]  # downloads go into our folder, not into apt's
    elif as_root:
        command.insert(0, "sudo")
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)


def unpack(package, folder):
    """Downloads the package and unpacks it into the folder."""
    done = apt_get("download", package, cwd=folder)
    if done.returncode != 0:  # the package lists may be missing, or older than the mirror
        apt_get("update", as_root=True)
        done = apt_get("download", package, cwd=folder)
    files = sorted(pathlib.Path(folder).glob(f"{package}_*.deb"))
    if done.returncode != 0 or not files:
        raise RuntimeError(f"apt-get could not download {package}: {done.stderr.strip()[-300:]}")
    subprocess.run(["dpkg-deb", "-x", str(files[0]), str(folder)], check=True, timeout=120)


def file_of(package, path, keep):
    """The package's file: installed, kept from an earlier time, or downloaded now. Gives its place and how it came."""
    installed, kept = pathlib.Path("/") / path, keep / pathlib.Path(path).name
    if installed.is_file():
        return installed, "installed"
    if kept.is_file():
        return kept, "downloaded earlier"
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assay-deb-") as folder:
        unpack(package, folder)
        part = kept.with_suffix(".part")
        shutil.copyfile(pathlib.Path(folder) / path, part)
        part.rename(kept)
    return kept, "downloaded"


def fetch(keep):
    """Gives (name, how it came, bytes) of the small image and of the large one."""
    small, small_how = file_of(*MICROPYTHON, keep)
    large, large_how = file_of(*LINUX, keep)
    return ((f"MicroPython for the micro:bit ({MICROPYTHON[0]})", small_how, hex_to_binary(small.read_text())),
            (f"a Linux kernel ({LINUX[0]})", large_how, large.read_bytes()))

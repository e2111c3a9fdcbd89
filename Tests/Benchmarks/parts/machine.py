# What the programs need from the machine: packages, compilers, processor time, free ports.
# SPDX-License-Identifier: Apache-2.0

import os
import pathlib
import shutil
import socket
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = REPOSITORY / "Tests" / "Benchmarks" / "programs"
TICK = os.sysconf("SC_CLK_TCK")

# Server and load generator each have a processor of their own.
SERVER_CPU, LOAD_CPU = "0", "1"

PEERS = {
    "nginx": "nginx-light", "lighttpd": "lighttpd", "wrk": "wrk", "php-cgi": "php-cgi", "gcc": "gcc",
    "valgrind": "valgrind",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def install_peers(programs=tuple(PEERS)):
    """Installs what is missing, and stops the services Debian starts with it."""
    missing = [PEERS[program] for program in programs if not shutil.which(program)]
    if "nginx" in programs and not pathlib.Path("/usr/include/fcgiapp.h").exists():
        missing.append("libfcgi-dev")
    if not missing:
        return
    say("installing " + " ".join(missing))
    root = [] if os.geteuid() == 0 else ["sudo"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    subprocess.run(root + environment + ["apt-get", "update", "-q"], check=True, stdout=sys.stderr)
    subprocess.run(root + environment + ["apt-get", "install", "-q", "-y", "--no-install-recommends"] + missing,
                   check=True, stdout=sys.stderr)
    for service in ("nginx", "lighttpd"):
        if service in " ".join(missing):
            subprocess.run(root + ["service", service, "stop"], stdout=sys.stderr, stderr=sys.stderr)


def build(configuration="release"):
    """Builds Mortise; the folder with its programs and libraries."""
    command = ["swift", "build", "-c", configuration]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=sys.stderr)
    shown = subprocess.run(command + ["--show-bin-path"], cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return pathlib.Path(shown.stdout.strip())


def compile_program(name, target, *options):
    subprocess.run(["gcc", "-O2", "-o", str(target), str(PROGRAMS / name)] + list(options), check=True)
    return target


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def stat(pid):
    """(parent, processor ticks with those of reaped children, state) of a process; None when it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    words = text[text.rindex(")") + 2:].split()
    return int(words[1]), sum(map(int, words[11:15])), words[0]


def tree(root):
    """The process and everything below it."""
    parents = {}
    for name in os.listdir("/proc"):
        found = stat(name) if name.isdigit() else None
        if found:
            parents.setdefault(found[0], []).append(int(name))
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += parents.get(pid, [])
    return found


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def processor_seconds(roots):
    """User and system time of the processes, those below them, and their ended children."""
    ticks = 0
    for pid in {pid for root in roots for pid in tree(root)}:
        found = stat(pid)
        if found:
            ticks += found[1]
    return ticks / TICK


def private_bytes(pid):
    total = 0
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_"):
            total += int(line.split()[1]) * 1024
    return total


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def listening_sockets(port):
    """The names of the sockets that listen on a port, as /proc/<pid>/fd shows them."""
    found = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and int(words[1].split(":")[1], 16) == port:
            found.add(f"socket:[{words[9]}]")
    return found


def name(pid):
    """What ps shows of a process (man 5 proc, comm); empty when it has gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def descriptors(pid):
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                pass
    except OSError:
        pass
    return found

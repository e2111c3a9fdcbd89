# User-mode instructions, reference counts and allocations of each request, counted by callgrind.
# SPDX-License-Identifier: Apache-2.0
#
# Two runs of a server, one with three times the requests of the other: what they differ in is the requests'.
# Nothing here depends on the machine's mood.

import collections
import dataclasses
import functools
import pathlib
import re
import subprocess
import time

from . import comparisons, machine, memory, servers

REQUESTS = 3200

# Calls that are counted, by what they are.
COUNTED = {
    "swift_retain": "retains", "swift_retain_n": "retains", "swift_bridgeObjectRetain": "retains",
    "swift_bridgeObjectRetain_n": "retains", "swift_unownedRetain": "retains", "swift_unownedRetainStrong": "retains",
    "swift_release": "releases", "swift_release_n": "releases", "swift_bridgeObjectRelease": "releases",
    "swift_bridgeObjectRelease_n": "releases", "swift_unownedRelease": "releases",
    "swift_beginAccess": "accesses checked",
    "malloc": "allocations", "calloc": "allocations", "realloc": "allocations", "posix_memalign": "allocations",
    "aligned_alloc": "allocations", "memalign": "allocations",
}



@dataclasses.dataclass
class Kind:
    """One answer: the paths that ask for it, ours and the peer's, and what it may need of the peer's instructions."""

    name: str
    path: str
    peer_path: str
    connections: int
    most: float | None = None
    # With an access log in both.
    logs: bool = False


KINDS = [
    Kind("in-process", "/hello", "/", 16, most=1.2),
    Kind("in-process-logs", "/hello", "/", 16, most=1.2, logs=True),
    Kind("static 4 KiB", "/small.html", "/small.html", 16),
    # With more clients than processes nginx lets some of them starve.
    Kind("relayed", "/isolated", "/x", comparisons.PROCESSES),
]


class Profile:
    """What callgrind wrote of one process: instructions, and calls by caller and callee."""

    def __init__(self, file):
        self.instructions = 0
        self.calls = collections.Counter()
        names, function, callee, is_call = {}, "", "", False
        for line in file.read_text(errors="replace").splitlines():
            found = re.match(r"(c?fn)=\((\d+)\)(?: (.*))?$", line)
            if found:
                kind, number, name = found.groups()
                if name:
                    # A recursive function has a number at its end.
                    names[number] = name.split("'")[0]
                if kind == "fn":
                    function = names[number]
                else:
                    callee = names[number]
            elif line.startswith("calls="):
                self.calls[function, callee] += int(line[6:].split()[0])
                is_call = True
            elif line[:1] in "0123456789+-*" and line:
                # The line after `calls=` has the cost of what was called, which is counted there.
                self.instructions += 0 if is_call else int(line.split()[1])
                is_call = False


def command(folder):
    return ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.%p"]


def profile_of(start, folder, path, connections, requests):
    """The profile of the process that answers so many requests, from its start to its end."""
    folder.mkdir(parents=True)
    server = start(folder)
    try:
        end = time.monotonic() + 60
        while server.get(path)[0] != 200:
            if time.monotonic() > end:
                raise RuntimeError(f"{server.name} does not answer {path}: {server.log()}")
            time.sleep(0.2)
        connections, request = [memory.connect(server.port) for _ in range(connections)], memory.get(path)
        for _ in range(requests // len(connections)):
            # All at once, so that events come in batches, as they do from many clients.
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                if b" 200 OK" not in memory.answer(connection)[:20]:
                    raise RuntimeError(f"{server.name} answered {path} with something else than 200")
        for connection in connections:
            connection.close()
    finally:
        server.stop()
    found = [Profile(file) for file in folder.glob("callgrind.*")]
    if not found:
        raise RuntimeError(f"callgrind wrote nothing about {server.name}: {server.log()}")
    # A spare host does nothing.
    return max(found, key=lambda profile: profile.instructions)


def difference(start, folder, path, connections):
    """Instructions, counts and the callers behind the counts, for each request."""
    less = profile_of(start, folder / "less", path, connections, REQUESTS)
    more = profile_of(start, folder / "more", path, connections, REQUESTS * 3)
    each = 1 / (REQUESTS * 2)
    counts, callers = collections.Counter(), collections.Counter()
    for (caller, callee), count in more.calls.items():
        kind = COUNTED.get(callee)
        if kind and COUNTED.get(caller) != kind:
            count = (count - less.calls[caller, callee]) * each
            counts[kind] += count
            callers[kind, caller] += count
    return (more.instructions - less.instructions) * each, counts, callers


def stripped(products, folder):
    """Copies with the names of functions alone: valgrind 3.19 gives up where it reads what else debuggers need."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in [products / "mortise", *products.glob("*.so")]:
        subprocess.run(["strip", "--strip-debug", "-o", str(folder / file.name), str(file)], check=True)
    return folder


def mortise(site, products):
    """Starts a Mortise whose hosts run under callgrind: a preloaded library starts them so."""
    library = machine.compile_program("under-callgrind.c", site.folder / "under-callgrind.so", "-shared", "-fPIC", "-ldl")

    copies = stripped(products, site.folder / "stripped")

    def start(folder, logs=False):
        return servers.Mortise(folder, copies, site.root, comparisons.PROCESSES, environment={
            "LD_PRELOAD": str(library), "CALLGRIND_FOLDER": str(folder)}, top="threads: { min: 1 }",
            access=folder / "access.log" if logs else "none")

    return start


def peers(site):
    hello = '        location / { return 200 "Hello, world\\n"; }\n'
    return {
        "in-process": lambda folder: servers.Nginx("nginx return", folder, hello, under=command(folder)),
        "in-process-logs": lambda folder: servers.Nginx(
            "nginx return, logged", folder, hello, under=command(folder),
            access=f"{folder}/access.log {comparisons.LOG_BUFFER}"),
        "static 4 KiB": lambda folder: servers.Nginx(
            "nginx static", folder, f"        root {site.root};\n", under=command(folder)),
        "relayed": lambda folder: servers.nginx_with_processes(
            "nginx keep-alive", folder, site.root, [site.responder], comparisons.PROCESSES, comparisons.PROCESSES,
            under=command(folder)),
    }


def demangled(name):
    done = subprocess.run(["swift", "demangle", "--compact", "--simplified", name], capture_output=True, text=True)
    return done.stdout.strip() or name


def measured(site, products):
    """The lines of the table, and whether all holds."""
    lines, holds = [], True
    home = site.folder / "callgrind"
    start, start_peer = mortise(site, products), peers(site)
    for kind in KINDS:
        place = pathlib.Path(home / kind.name.replace(" ", "-"))
        own, counts, callers = difference(
            functools.partial(start, logs=kind.logs), place / "mortise", kind.path, kind.connections)
        peer, _, _ = difference(start_peer[kind.name], place / "nginx", kind.peer_path, kind.connections)
        good = kind.most is None or own <= peer * kind.most
        wanted = "" if kind.most is None else f", to hold {kind.most:.2f} at most  {'holds' if good else 'MISSED'}"
        lines.append(f"instructions    {kind.name:<15} {own:>8,.0f} each, nginx {peer:,.0f}: {own / peer:.2f}{wanted}")
        # Timers and logs allocate now and then, and a run under callgrind takes long.
        none = counts["allocations"] < 0.1
        said = ", ".join(f"{counts[name]:.2f} {name}" for name in dict.fromkeys(COUNTED.values()))
        lines.append(f"{'':<31}{said}; allocations to hold 0  {'holds' if none else 'MISSED'}")
        # Whether an object is another thread's too, its user tells.
        for name in ("retains", "allocations"):
            most_often = [(count, caller) for (kind_of, caller), count in callers.items()
                          if kind_of == name and count >= 0.01]
            for count, caller in sorted(most_often, reverse=True)[:5]:
                lines.append(f"{'':<31}{name} {count:.2f} by {demangled(caller)}")
        holds = holds and good and none
    return lines, holds

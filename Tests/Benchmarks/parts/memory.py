# Allocations for each request, and what an idle connection holds.
# SPDX-License-Identifier: Apache-2.0

import pathlib
import resource
import socket
import statistics
import struct
import time

from . import machine, measure, servers


class Counted:
    """Mortise with its host's allocations counted by a preloaded library."""

    def __init__(self, site, products, top=""):
        folder = site.folder / "counters"
        folder.mkdir(exist_ok=True)
        library = machine.compile_program("count-malloc.c", site.folder / "count-malloc.so", "-shared", "-fPIC", "-ldl")
        self.server = servers.Mortise(
            site.folder, products, site.root, top=top,
            environment={"LD_PRELOAD": str(library), "COUNT_MALLOC_FOLDER": str(folder)})
        self.folder = folder
        end = time.monotonic() + 10
        while not self.host() and time.monotonic() < end:
            time.sleep(0.05)

    def host(self):
        """The host that answers."""
        counted = [pid for pid in self.server.hosts() if (self.folder / str(pid)).exists()]
        return max(counted, key=lambda pid: self.read(pid)[0], default=None)

    def read(self, pid):
        """Allocations, releases, bytes in use."""
        return struct.unpack("QQq", (pathlib.Path(self.folder) / str(pid)).read_bytes())


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection, request):
    """One request and its whole answer."""
    connection.sendall(request)
    return answer(connection)


def answer(connection):
    """One whole answer, which has a Content-Length."""
    received = b""
    while True:
        part = connection.recv(65536)
        if not part:
            raise RuntimeError("closed")
        received += part
        head = received.find(b"\r\n\r\n")
        if head >= 0:
            fields = received[:head].lower()
            length = int(fields.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(received) >= head + 4 + length:
                return received


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n".encode()


def allocations(site, products, requests=20_000):
    """Allocations for each keep-alive request in the steady state, by kind of answer."""
    counted = Counted(site, products)
    lines, holds = [], True
    try:
        for path, count in [("/hello", requests), ("/isolated", requests), ("/small.html", requests // 2)]:
            connections = [connect(counted.server.port) for _ in range(8)]
            request = get(path)
            for _ in range(500):
                for connection in connections:
                    exchange(connection, request)
            host = counted.host()
            if host is None:
                raise RuntimeError("the host's allocations are not counted")
            before = counted.read(host)
            for _ in range(count // len(connections)):
                for connection in connections:
                    exchange(connection, request)
            after = counted.read(host)
            made = after[0] - before[0]
            each = made / count
            # A timer or a log may allocate now and then, more often the longer it takes; a request must not.
            none = each < 0.005
            holds = holds and none
            lines.append(f"allocations     {path:<14} {made:>8,} in {count:,} requests: {each:.4f} each"
                         f", to hold 0  {'holds' if none else 'MISSED'}")
            for connection in connections:
                connection.close()
    finally:
        counted.server.stop()
    return lines, holds


def raise_descriptor_limit():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def idle(site, products, connections=10_000, seconds=3, rounds=3):
    """Heap and private memory for each idle keep-alive connection, and what they cost an active load."""
    limit = raise_descriptor_limit()
    if limit < connections + 200:
        raise RuntimeError(f"only {limit} descriptors are allowed")
    counted = Counted(site, products, top="timeouts: { keep-alive: 900 }\nlimits: { connections: 20000 }")
    server = counted.server
    try:
        measure.run(server, "/hello", 64, 1)
        alone = statistics.median(measure.run(server, "/hello", 64, seconds).per_second for _ in range(rounds))
        # The pages and tables that any number of connections needs once.
        for connection in [connect(server.port) for _ in range(64)]:
            exchange(connection, get("/hello"))
            connection.close()
        time.sleep(1)
        host = counted.host()
        heap, private = counted.read(host)[2], machine.private_bytes(host)
        held = []
        for _ in range(connections):
            connection = connect(server.port)
            exchange(connection, get("/hello"))
            held.append(connection)
        time.sleep(1)
        # What is made ready before the first connection comes shows in the totals alone. The heap counts
        # what was asked for, private memory what was ever touched, the program's own included.
        all_heap, all_private = counted.read(host)[2], machine.private_bytes(host)
        more_heap, more_private = (all_heap - heap) / connections, (all_private - private) / connections
        threads = machine.threads(host)
        beside = statistics.median(measure.run(server, "/hello", 64, seconds).per_second for _ in range(rounds))
        alive = sum(b"200 OK" in exchange(connection, get("/hello")) for connection in held[::100])
        for connection in held:
            connection.close()
    finally:
        server.stop()
    holds = max(more_heap, all_private / connections) < 1024 and alive == len(held[::100]) and beside >= 0.95 * alone
    return [
        f"idle            {connections:,} keep-alive connections: {more_heap:,.0f} bytes of heap more for each, "
        f"{more_private:,.0f} of private memory; all private memory by connections {all_private / connections:,.0f} bytes, "
        f"all heap {all_heap / connections:,.0f}, to hold 1,024 of memory used  {'holds' if holds else 'MISSED'}",
        f"                {threads} threads in the host; {alive} of {len(held[::100])} asked again answered; "
        f"requests/s of 64 active clients: {alone:,.0f} alone, {beside:,.0f} beside ({beside / alone:.2f}, to hold 0.95)",
    ], holds

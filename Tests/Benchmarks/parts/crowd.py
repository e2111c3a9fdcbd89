# A crowd of hostile clients in a process of its own: python3 -m parts.crowd PORT, until its input ends.
# SPDX-License-Identifier: Apache-2.0
#
# Each client is a generator that yields what it waits for: a socket (or None), epoll's events, and seconds at most.
# It is resumed with the events that came, or with 0. All clients come back some seconds after their connection
# has ended, so the crowd's size and rate are bounded. What the half-closing ones saw is printed at the end, as JSON.

import collections
import errno
import heapq
import itertools
import json
import random
import select
import socket
import struct
import sys
import time

from . import clients

SILENT, SLOW, HALF_CLOSING, RESETTING, ENDLESS = 500, 500, 200, 200, 2

# More than the socket's buffers take, for each of the silent clients.
LARGE = 8 << 20

ENDS = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class Crowd:
    def __init__(self, port, paths):
        self.port, self.paths = port, paths
        self.poller = select.epoll()
        self.waiting = {}  # by descriptor: the client and the number of its wait
        self.timers, self.numbers = [], itertools.count()
        self.current = {}  # by client: the number of its wait; an older timer is void
        self.counts = collections.Counter()
        self.failures = []

    # What clients do.

    def connected(self, small=False):
        """A new connection; None when there is none to be had now."""
        connection = socket.socket()
        connection.setblocking(False)
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        code = connection.connect_ex(("127.0.0.1", self.port))
        if code == errno.EINPROGRESS:
            yield connection, select.EPOLLOUT, 10
            code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or (0 if is_connected(connection) else 1)
        if code == 0:
            return connection
        self.counts["connections that failed"] += 1
        connection.close()
        return None

    def repeatedly(self, once, shortest, longest):
        """A client that does the same again and again, starting somewhere in its pause."""
        yield None, 0, random.uniform(0, longest / 2)
        while True:
            connection = None
            try:
                connection = yield from self.connected(small=once in (self.silent, self.slow_reading))
                if connection is not None:
                    yield from once(connection)
            except OSError:
                pass
            finally:
                if connection is not None:
                    connection.close()
            yield None, 0, random.uniform(shortest, longest)

    def silent(self, connection):
        connection.send(get(f"/hostile?size={LARGE}"))
        self.counts["silent"] += 1
        yield connection, ENDS, 3600

    def slow_reading(self, connection):
        connection.send(get(f"/hostile?size={1 << 20}"))
        self.counts["slow"] += 1
        while True:
            yield None, 0, 1
            try:
                if not connection.recv(1):
                    return
            except BlockingIOError:
                pass

    def slow_sending(self, connection):
        connection.send(b"POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        self.counts["slow"] += 1
        while True:
            if (yield connection, select.EPOLLIN | ENDS, 1):
                return
            connection.send(b"x")

    def half_closing(self, connection):
        kind, (path, length) = random.choice(list(self.paths.items()))
        begun, received, what = time.monotonic(), b"", None
        self.counts["half-closing"] += 1
        try:
            connection.send(get(path))
            connection.shutdown(socket.SHUT_WR)
            while what is None:
                if not (yield connection, select.EPOLLIN | ENDS, 20):
                    what = "timed out"
                    continue
                part = connection.recv(65536)
                received += part
                answer = clients.whole(received)
                if answer:
                    status, body, _ = answer
                    what = f"status {status}" if status != 200 else "" if len(body) == length else "wrong body"
                elif not part:
                    what = "truncated" if received else "closed"
        except OSError:
            what = "truncated" if received else "reset"
        if what:
            self.failures.append((kind, what, begun, time.monotonic()))

    def resetting(self, connection):
        connection.send(get(random.choice([path for path, _ in self.paths.values()])))
        self.counts["resetting"] += 1
        yield None, 0, random.uniform(0, 0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def endless(self, connection):
        connection.send(get("/hostile?forever"))
        self.counts["endless calls"] += 1
        yield connection, ENDS, 3600

    # How they are resumed.

    def wait(self, client, wish):
        connection, events, seconds = wish
        number = next(self.numbers)
        self.current[client] = number
        if connection is not None:
            self.poller.register(connection, events | select.EPOLLONESHOT)
            self.waiting[connection.fileno()] = client
        heapq.heappush(self.timers, (time.monotonic() + seconds, number, client, connection))

    def resume(self, client, events):
        self.wait(client, client.send(events))

    def run(self, input):
        for once, count, shortest, longest in [
                (self.silent, SILENT, 1, 10), (self.slow_reading, SLOW // 2, 1, 10),
                (self.slow_sending, SLOW - SLOW // 2, 1, 10), (self.half_closing, HALF_CLOSING, 1, 3),
                (self.resetting, RESETTING, 1, 3), (self.endless, ENDLESS, 0.1, 0.2)]:
            for _ in range(count):
                client = self.repeatedly(once, shortest, longest)
                self.wait(client, next(client))
        self.poller.register(input, select.EPOLLIN)
        while True:
            for descriptor, events in self.poller.poll(0.02):
                if descriptor == input.fileno():
                    return
                client = self.waiting.pop(descriptor, None)
                if client is not None:
                    self.poller.unregister(descriptor)
                    self.resume(client, events)
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                _, number, client, connection = heapq.heappop(self.timers)
                if self.current[client] != number:
                    continue
                if connection is not None:
                    self.waiting.pop(connection.fileno(), None)
                    self.poller.unregister(connection)
                self.resume(client, 0)


def is_connected(connection):
    try:
        connection.getpeername()
        return True
    except OSError:
        return False


def main():
    port, paths = int(sys.argv[1]), json.loads(sys.argv[2])
    crowd = Crowd(port, paths)
    crowd.run(sys.stdin)
    print(json.dumps({"counts": crowd.counts, "failures": crowd.failures}))


if __name__ == "__main__":
    main()

# Many HTTP clients in one thread, with an exact account of how each request ended.
# SPDX-License-Identifier: Apache-2.0

import collections
import errno
import selectors
import socket
import time


class Client:
    """One client: a request at a time, on a connection it keeps or on a new one for each."""

    def __init__(self, load):
        self.load = load
        self.socket = None
        self.begun = None

    def begin(self):
        if not self.load.may_start():
            self.close()
            return
        self.received = bytearray()
        self.end = None
        self.begun = time.monotonic()
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.load.port), timeout=20)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket.setblocking(False)
                self.load.selector.register(self.socket, selectors.EVENT_READ, self)
            self.socket.send(self.load.request)
        except ConnectionRefusedError:
            self.failed("refused")
        except OSError as error:
            self.failed(errno.errorcode.get(error.errno, str(error)))

    def readable(self):
        try:
            part = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            return self.failed("truncated" if self.received else "reset before a response")
        if not part:
            return self.failed("truncated" if self.received else "closed before a response")
        self.received += part
        self.look()

    def look(self):
        if self.end is None:
            head = self.received.find(b"\r\n\r\n")
            if head < 0:
                return
            self.head = bytes(self.received[:head]).lower()
            self.start = head + 4
            at = self.head.find(b"\r\ncontent-length:")
            if at < 0:
                return self.failed("no length")
            self.end = self.start + int(self.head[at + 17:].split(b"\r\n", 1)[0])
        if len(self.received) >= self.end:
            self.answered()

    def answered(self):
        status, body = int(self.received[9:12]), bytes(self.received[self.start:self.end])
        closes = b"\r\nconnection: close" in self.head
        self.load.answer(status, body)
        if closes or not self.load.keeps:
            self.close()
        self.begin()

    def failed(self, kind):
        self.load.failed[kind] += 1
        self.close()
        self.begin()

    def close(self):
        self.begun = None
        if self.socket is not None:
            try:
                self.load.selector.unregister(self.socket)
            except KeyError:
                pass
            self.socket.close()
            self.socket = None


class Load:
    """`clients` clients against one path. `tick` runs in between, about every `every` seconds."""

    def __init__(self, port, path, clients, keeps=True, requests=None, check=None):
        self.port, self.keeps, self.limit, self.check = port, keeps, requests, check
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.selector = selectors.DefaultSelector()
        self.answered, self.failed = collections.Counter(), collections.Counter()
        self.wrong = []
        self.started, self.stopped = 0, False
        self.clients = [Client(self) for _ in range(clients)]

    def may_start(self):
        if self.stopped or (self.limit is not None and self.started >= self.limit):
            return False
        self.started += 1
        return True

    def answer(self, status, body):
        self.answered[status] += 1
        complaint = self.check(status, body) if self.check else None
        if complaint and len(self.wrong) < 10:
            self.wrong.append(complaint)

    def run(self, seconds, tick=None, every=0.1):
        """Until all requests are done, or `seconds` have passed, or `tick` returns True."""
        end = time.monotonic() + seconds
        due = time.monotonic() + every
        for client in self.clients:
            client.begin()
        while any(client.begun for client in self.clients):
            now = time.monotonic()
            if now >= end:
                self.stopped = True
                if now >= end + 20:
                    break
            if tick and now >= due and not self.stopped:
                due = now + every
                if tick():
                    self.stopped = True
            for key, _ in self.selector.select(0.02):
                key.data.readable()
            for client in self.clients:
                if client.begun and now - client.begun > 20:
                    client.failed("timed out")
        for client in self.clients:
            client.close()
        return self

    def total(self):
        return sum(self.answered.values())

    def account(self):
        kinds = [f"{count:,} × {status}" for status, count in sorted(self.answered.items())]
        kinds += [f"{count:,} {kind}" for kind, count in sorted(self.failed.items())]
        return ", ".join(kinds) or "nothing"


def whole(received):
    """Status, body, and whether the connection ends with it, of an answer that has arrived; None: not all of it has."""
    head, found, rest = bytes(received).partition(b"\r\n\r\n")
    if not found:
        return None
    fields = head.lower()
    closes = b"\r\nconnection: close" in fields
    status = int(head[9:12]) if head[9:12].isdigit() else 0
    if b"\r\ntransfer-encoding: chunked" in fields:
        body = unchunked(rest)
        return None if body is None else (status, body, closes)
    at = fields.find(b"\r\ncontent-length:")
    if at < 0:
        return (status, b"", True)
    length = int(fields[at + 17:].split(b"\r\n", 1)[0])
    return (status, rest[:length], closes) if len(rest) >= length else None


def unchunked(rest):
    """The body in chunks that have all arrived; None: they have not."""
    body = b""
    while True:
        size, found, rest = rest.partition(b"\r\n")
        if not found:
            return None
        length = int(size, 16)
        if len(rest) < length + 2:
            return None
        body, rest = body + rest[:length], rest[length + 2:]
        if length == 0:
            return body

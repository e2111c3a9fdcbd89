# The hostile hour in small: what a crowd of hostile clients, kills and reloads cost clients that behave.
# SPDX-License-Identifier: Apache-2.0

import collections
import dataclasses
import json
import os
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

from . import clients, comparisons, machine, memory, servers

# Path and length of the body, of each kind of answer.
PATHS = {
    "in-process": ("/hello", len(servers.HELLO)), "isolated": ("/isolated", len(servers.HELLO)),
    "php": ("/hello.php", len(servers.HELLO)), "cgi": ("/cgi-bin/program", len(servers.HELLO)),
    "static": ("/small.html", 4096),
}

# What a worker of a pool is called on its command line.
WORKERS = {"isolated": "worker", "php": "php-cgi"}

# Each worker may have its connection to the host by then, and had none before; a log may be open.
MORE_DESCRIPTORS = len(WORKERS) * comparisons.PROCESSES + 2

# Kills and reloads have their lines; what repeats itself a thousand times has not.
LINES_A_SECOND = 100

# How many times slower than elsewhere everything may be: Tests/sanitize says so.
SLOWER = float(os.environ.get("MORTISE_TEST_PATIENCE", 1))

# Two threads are in calls that never end; as many as there are processors come in their place. The slower everything
# is, the more threads ready work has asked for; one leaves when it has slept for ten seconds, and looks at such calls
# wake some.
MORE_THREADS = 4 * SLOWER

# Fewer requests than a fiftieth of the quiet ones: the server stood, whatever is allowed a single one.
STANDING = 50 * SLOWER

# A killed process is gone a little after the signal, and its clients learn of it a little later.
PATIENCE = 2.0


@dataclasses.dataclass
class Failure:
    kind: str
    what: str
    begun: float
    ended: float
    client: str


@dataclasses.dataclass
class Kill:
    what: str  # host, isolated, php
    before: float
    after: float
    costs: set = dataclasses.field(default_factory=set)  # the clients whose request it explains

    def explains(self, failure):
        """Whether the request can have been in flight in what was killed."""
        if not (failure.begun <= self.after + PATIENCE / 4 and self.before <= failure.ended <= self.after + PATIENCE):
            return False
        cut = failure.what in ("closed", "reset", "truncated")
        if self.what == "host":
            # A client has one request at a time.
            return cut and failure.client not in self.costs
        # A worker has one request at a time.
        return failure.kind == self.what and (cut or failure.what == "status 502") and not self.costs


class Client(threading.Thread):
    """A client that behaves: one request after the other on a connection that it keeps."""

    def __init__(self, port, kind):
        super().__init__(daemon=True)
        self.port, self.kind = port, kind
        self.path, self.length = PATHS[kind]
        self.connection, self.took, self.failures = None, [], []
        self.asked, self.closed_idle = 0, 0
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(0.005):
            self.ask()
        self.close()

    def ask(self):
        # The connection of a dead host may have ended while nothing was asked: that costs no request.
        if self.connection is not None and select.select([self.connection], [], [], 0)[0]:
            self.closed_idle += 1
            self.close()
        begun, self.asked = time.monotonic(), self.asked + 1
        what = self.exchange(begun + 20)
        ended = time.monotonic()
        if what:
            self.close()
            self.failures.append(Failure(self.kind, what, begun, ended, self.kind))
        else:
            self.took.append(ended - begun)

    def exchange(self, deadline):
        """What went wrong; empty: nothing."""
        received = b""
        try:
            if self.connection is None:
                self.connection = memory.connect(self.port)
            self.connection.sendall(memory.get(self.path))
            while True:
                self.connection.settimeout(max(0.01, deadline - time.monotonic()))
                part = self.connection.recv(65536)
                received += part
                answer = clients.whole(received)
                if answer:
                    return self.judged(*answer)
                if not part:
                    return "truncated" if received else "closed"
        except (TimeoutError, socket.timeout):
            return "timed out"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "truncated" if received else "reset"

    def judged(self, status, body, closes):
        if closes:
            self.close()
        if status != 200:
            return f"status {status}"
        return "" if len(body) == self.length else "wrong body"

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Disturbance(threading.Thread):
    """Each second a host and a worker is killed; every two seconds the configuration is read anew."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.kills, self.reloads = server, [], 0
        self.stopped = threading.Event()

    def run(self):
        beat = 0
        while not self.stopped.wait(1):
            beat += 1
            self.kill("host", self.server.hosts())
            pool = random.choice(list(WORKERS))
            self.kill(pool, self.server.below(WORKERS[pool]))
            if beat % 2 == 0:
                os.kill(self.server.roots()[0], signal.SIGHUP)
                self.reloads += 1

    def kill(self, what, pids):
        for pid in random.sample(pids, len(pids)):
            try:
                handle = os.pidfd_open(pid)
            except OSError:
                continue
            try:
                # The number may be another process's by now; through the handle it stays the one looked at here.
                if pid not in machine.tree(self.server.roots()[0]):
                    continue
                before = time.monotonic()
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                self.kills.append(Kill(what, before, time.monotonic()))
                return
            except OSError:
                continue
            finally:
                os.close(handle)


@dataclasses.dataclass
class Holding:
    """What a process holds."""

    descriptors: int
    threads: int
    memory: int

    def __str__(self):
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.memory / (1 << 20):.1f} MiB"

    def is_back(self, before, more_memory):
        return (self.descriptors <= before.descriptors + MORE_DESCRIPTORS and self.threads <= before.threads + MORE_THREADS
                and self.memory <= before.memory + more_memory)


def holding(pid):
    return Holding(len(os.listdir(f"/proc/{pid}/fd")), machine.threads(pid), machine.private_bytes(pid))


def holdings(server):
    """Supervisor and host; None while there is not exactly one host that listens."""
    try:
        hosts = server.hosts()
        return {"supervisor": holding(server.roots()[0]), "host": holding(hosts[0])} if len(hosts) == 1 else None
    except OSError:
        return None


def settled(server, seconds, holds=lambda found: True):
    """What supervisor and host hold once that is as it should be, or after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = holdings(server)
        if (found and holds(found)) or time.monotonic() > end:
            return found
        time.sleep(0.5)


class Phase:
    """The well-behaved clients for some time, and what came of it."""

    def __init__(self, server, seconds, during=lambda end: None):
        self.seconds = seconds
        self.clients = [Client(server.port, kind) for kind in PATHS]
        for client in self.clients:
            client.start()
        end = time.monotonic() + seconds
        during(end)
        time.sleep(max(0, end - time.monotonic()))
        for client in self.clients:
            client.stopped.set()
        for client in self.clients:
            client.join(30)

    def took(self, kind):
        return next(client for client in self.clients if client.kind == kind).took

    def per_second(self, kind):
        return len(self.took(kind)) / self.seconds

    def percentiles(self, kind):
        took = sorted(self.took(kind))
        return (statistics.median(took), took[min(len(took) - 1, len(took) * 99 // 100)]) if took else (0, 0)


class Hostility:
    """The crowd, kills and reloads around a phase; they stop before it ends, the crowd last."""

    def __init__(self, server, seconds):
        self.server, self.seconds = server, seconds
        self.disturbance = Disturbance(server)
        self.counts, self.failures = {}, []

    def __call__(self, end):
        process = subprocess.Popen(
            [sys.executable, "-m", "parts.crowd", str(self.server.port), json.dumps(PATHS)],
            cwd=machine.PROGRAMS.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.disturbance.start()
            # In the last quarter one host has the whole crowd to itself.
            time.sleep(max(0, end - self.seconds / 4 - time.monotonic()))
            self.disturbance.stopped.set()
            self.disturbance.join(30)
            time.sleep(max(0, end - time.monotonic()))
            self.read(process.communicate(timeout=30)[0])
        finally:
            self.disturbance.stopped.set()
            if process.poll() is None:
                process.kill()
                process.wait()

    def read(self, said):
        found = json.loads(said)
        self.counts = found["counts"]
        self.failures = [Failure(*failure, client=f"half-closing {number}")
                         for number, failure in enumerate(found["failures"])]


def unexplained(failures, kills):
    """The failures that no kill explains. Each kill explains one of a client at most, a worker's one in all."""
    left = []
    for failure in sorted(failures, key=lambda failure: failure.ended):
        cause = next((kill for kill in kills if kill.explains(failure)), None)
        if cause:
            cause.costs.add(failure.client)
        else:
            left.append(failure)
    return left


def account(failures):
    kinds = collections.Counter(f"{failure.kind}: {failure.what}" for failure in failures)
    return ", ".join(f"{count:,} × {kind}" for kind, count in sorted(kinds.items())) or "none"


def start(site, products):
    library = site.folder / "libhostile.so"
    machine.compile_program("hostile.c", library, "-shared", "-fPIC",
                            f"-I{machine.REPOSITORY}/Sources/CISAPI/include")
    return servers.Mortise(
        site.folder, products, site.root, top="timeouts: { drain: 5s }", processors=None,
        extensions=[f'hostile: {{ library: "{library}", thread-safe: true }}'],
        handlers=["- { path: /hostile, extension: hostile }"])


def run(site, products, seconds, tell, holds_latency, more_memory):
    """The whole of it. `tell(name, holds, text)` is told each thing that must hold."""
    server = start(site, products)
    try:
        quiet = Phase(server, max(3, seconds / 6))
        before = settled(server, 20)
        if before is None:
            raise RuntimeError(f"no host listens: {server.log()}")
        hostility = Hostility(server, seconds)
        loud = Phase(server, seconds, hostility)
        after = settled(server, 90, lambda found: all(found[name].is_back(before[name], more_memory) for name in found))
        try:
            again = {kind: server.get(path)[0] for kind, (path, _) in PATHS.items()}
        except OSError as error:
            again = {"any": str(error)}
    finally:
        server.stop()
    report(tell, quiet, loud, hostility, holds_latency)
    lines = (server.folder / "log").read_bytes().count(b"\n")
    tell("log", lines <= LINES_A_SECOND * seconds, f"{lines:,} lines")
    tell_whether_all_is_back(tell, before, after, again, more_memory)


def report(tell, quiet, loud, hostility, holds_latency):
    kills = hostility.disturbance.kills
    tell("quiet", not any(client.failures for client in quiet.clients),
         "failures of clients that behave: " + account([failure for client in quiet.clients for failure in client.failures]))
    by_what = collections.Counter(kill.what for kill in kills)
    crowd_said = ", ".join(f"{count:,} {name}" for name, count in sorted(hostility.counts.items())) or "nothing"
    tell("disturbance", by_what["host"] > 0 and hostility.disturbance.reloads > 0 and bool(hostility.counts),
         f"{by_what['host']} hosts, {by_what['isolated']} isolated workers and {by_what['php']} of php killed, "
         f"{hostility.disturbance.reloads} reloads; the crowd: {crowd_said}")
    failures = [failure for client in loud.clients for failure in client.failures]
    left = unexplained(failures + hostility.failures, kills)
    for client in loud.clients:
        own = [failure for failure in left if failure.client == client.kind]
        (p50, p99), (old_p50, old_p99) = loud.percentiles(client.kind), quiet.percentiles(client.kind)
        slow = p99 >= 10 * old_p99
        stood = loud.per_second(client.kind) * STANDING < quiet.per_second(client.kind)
        tell(client.kind, not own and not stood and not (slow and holds_latency),
             f"{client.asked:,} requests, {len(client.failures)} failed, of them {len(client.failures) - len(own)} in what "
             f"was killed, and without that: {account(own)}; {client.closed_idle} times an idle connection ended; "
             f"p50 {old_p50 * 1000:.1f} ms quiet, {p50 * 1000:.1f} hostile, p99 {old_p99 * 1000:.1f}, {p99 * 1000:.1f}"
             f"{' (10 times or more)' if slow else ''}; {quiet.per_second(client.kind):.1f} requests/s quiet, "
             f"{loud.per_second(client.kind):.1f} hostile{' (it stood)' if stood else ''}")
    halves = [failure for failure in left if failure.client.startswith("half")]
    tell("half-closing", not halves and hostility.counts.get("half-closing", 0) > 0,
         f"{hostility.counts.get('half-closing', 0):,} requests, {len(hostility.failures)} failed, of them "
         f"{len(hostility.failures) - len(halves)} in what was killed, and without that: {account(halves)}")


def tell_whether_all_is_back(tell, before, after, again, more_memory):
    for name, old in before.items():
        new = after[name] if after else None
        tell(f"{name} after", new is not None and new.is_back(old, more_memory), f"before: {old}; after: {new or 'no host listens'}")
    tell("answers after", all(status == 200 for status in again.values()),
         ", ".join(f"{kind} {status}" for kind, status in again.items()))

# What is compared with what, and how the table is printed.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import pathlib
import time as clock

from . import machine, measure, servers

PROCESSES = 4


class Site:
    """The files all servers serve, and the programs they start."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "www"
        (self.root / "cgi-bin").mkdir(parents=True)
        (self.root / "index.html").write_text("index\n")
        (self.root / "small.html").write_text("x" * 4096)
        (self.root / "large.html").write_text("x" * (1 << 20))
        (self.root / "hello.php").write_text("<?php header('Content-Type: text/plain'); echo \"Hello, world\\n\";")
        script = self.root / "cgi-bin" / "script"
        script.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nHello, world\\n'\n")
        script.chmod(0o755)
        machine.compile_program("hello-cgi.c", self.root / "cgi-bin" / "program", "-static")
        self.responder = machine.compile_program("hello-fcgi.c", self.folder / "hello-fcgi", "-lfcgi")
        for path in [self.folder, self.root, *self.root.rglob("*")]:
            path.chmod(0o755)


class Comparison:
    """One row of the table: the same answer by Mortise and by its peers."""

    def __init__(self, name, clients, path, peers, hold, length=len(servers.HELLO)):
        self.name, self.clients, self.path, self.hold = name, clients, path, hold
        # Functions that start a peer, each with the path at which the peer gives the same answer.
        self.peers = peers
        self.length = length


def comparisons(site):
    """All comparisons; peers are started when theirs is run."""
    folder, root = site.folder, site.root
    responder, php = [site.responder], ["php-cgi"]
    unlimited = {"PHP_FCGI_MAX_REQUESTS": "0"}

    def returns():
        return servers.Nginx("nginx return", folder,
                             '        location / { return 200 "Hello, world\\n"; }\n')

    def files():
        return servers.Nginx("nginx static", folder, f"        root {root};\n")

    def relays(keeps):
        name = "nginx keep-alive" if keeps else "nginx connection each"
        return lambda: servers.nginx_with_processes(name, folder, root, responder, PROCESSES, keeps)

    def php_cgi(keeps):
        name = "nginx php-cgi kept" if keeps else "nginx php-cgi"
        return lambda: servers.nginx_with_processes(name, folder, root, php, PROCESSES, keeps, unlimited)

    def php_fpm():
        program = next(iter(sorted(map(str, pathlib.Path("/usr/sbin").glob("php-fpm*")))), None)
        return servers.nginx_with_php_fpm(folder, root, PROCESSES, program) if program else None

    def mod_cgi():
        return servers.Lighttpd(folder, root)

    relayed = [(relays(PROCESSES), "/x"), (relays(0), "/x")]
    scripts = [(php_cgi(0), "/hello.php"), (php_cgi(PROCESSES), "/hello.php"), (php_fpm, "/hello.php")]
    return [
        Comparison("in-process", 64, "/hello", [(returns, "/")], 1.0),
        Comparison("static-4k", 64, "/small.html", [(files, "/small.html")], None, 4096),
        Comparison("static-1m", 16, "/large.html", [(files, "/large.html")], None, 1 << 20),
        Comparison("isolated-4", 4, "/isolated", relayed, 1.0),
        Comparison("isolated-64", 64, "/isolated", relayed, 1.5),
        Comparison("php-4", 4, "/hello.php", scripts, 1.0),
        Comparison("php-64", 64, "/hello.php", scripts, 1.0),
        Comparison("cgi-program", 4, "/cgi-bin/program", [(mod_cgi, "/cgi-bin/program")], 2.0),
        Comparison("cgi-script", 4, "/cgi-bin/script", [(mod_cgi, "/cgi-bin/script")], 2.0),
    ]


def compare(comparison, site, products, seconds, rounds, peers_only):
    """Runs one comparison; the summaries by server's name."""
    with contextlib.ExitStack() as stack:
        paths, running = {}, []

        def add(server, path):
            if server is None:
                return
            stack.callback(server.stop)
            end = clock.monotonic() + 10
            status, body = server.wait_until_it_answers(path)
            while status != 200 and clock.monotonic() < end:
                clock.sleep(0.1)
                status, body = server.get(path)
            if status != 200 or len(body) != comparison.length:
                raise RuntimeError(f"{server.name} answers {path} with {status}, {body[:200]!r}: {server.log()}")
            paths[server.name] = path
            running.append(server)

        if not peers_only:
            add(servers.Mortise(site.folder, products, site.root, PROCESSES), comparison.path)
        for start, path in comparison.peers:
            add(start(), path)
        runs = measure.alternate(running, lambda server: paths[server.name], comparison.clients, seconds, rounds)
        return {name: measure.summary(found) for name, found in runs.items()}


def time(value):
    return f"{value:.0f} µs" if value < 1000 else f"{value / 1000:.2f} ms"


HEADER = (f"{'comparison':<13}{'clients':>8}  {'server':<24}{'requests/s':>11}{'p50':>11}{'p99':>11}"
          f"{'CPU/request':>13}  note")


def rows(comparison, found):
    """The lines of the table for one comparison, and whether it holds (None: nothing to hold)."""
    peers = {name: run for name, run in found.items() if name != "mortise"}
    safe = {name: run for name, run in peers.items() if not measure.danger(run, comparison.clients)}
    best = max(safe or peers, key=lambda name: peers[name].per_second)
    lines = []
    for name, run in found.items():
        notes = [note for note in [measure.danger(run, comparison.clients)] if note]
        if name == best:
            notes.append("best safe setting" if safe else "no setting is safe")
        lines.append(f"{comparison.name:<13}{comparison.clients:>8}  {name:<24}{run.per_second:>11,.0f}"
                     f"{time(run.p50):>11}{time(run.p99):>11}{run.processor:>10.1f} µs  {', '.join(notes)}")
    if "mortise" not in found:
        return lines, None
    own, peer = found["mortise"], found[best]
    more = own.per_second / peer.per_second
    less = peer.processor / own.processor if own.processor else float("inf")
    wanted = "" if comparison.hold is None else f", to hold {comparison.hold:.1f}"
    holds = None if comparison.hold is None else more >= comparison.hold and not own.failures
    if comparison.name == "in-process":
        holds = holds and less >= comparison.hold
    verdict = "" if holds is None else "  holds" if holds else "  MISSED"
    lines.append(f"{'':<13}{'':>8}  ratio to {best}: requests/s {more:.2f}, requests per CPU second {less:.2f}"
                 f"{wanted}{verdict}")
    return lines, holds

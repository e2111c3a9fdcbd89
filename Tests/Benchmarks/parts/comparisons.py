# What is compared with what, and how the table is printed.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import functools
import pathlib
import time as clock

from . import machine, measure, servers

PROCESSES = 4
MANY = 1000
# nginx's log in the buffered form, which people choose who look at its speed; Mortise's is buffered always.
LOG_BUFFER = "combined buffer=32k flush=1s"

# The growth of clients: each row is the in-process answer to so many of them. 64 is the row `in-process`.
CLIENTS = [1, 8, 512, 2000, 10_000]

# What 1,000 of something may cost, beside one of it: a part of the requests that noise takes as well.
OF_ONE = 0.95


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
        for path in [self.folder, self.root, *self.root.rglob("*")]:
            path.chmod(0o755)

    @functools.cached_property
    def responder(self):
        """A FastCGI program by libfcgi, for nginx."""
        return machine.compile_program("hello-fcgi.c", self.folder / "hello-fcgi", "-lfcgi")


class Comparison:
    """One row of the table: the same answer by Mortise and by its peers."""

    def __init__(self, name, clients, path, peers, hold, length=len(servers.HELLO), holds_processor=False,
                 settings=None, of_one=False):
        self.name, self.clients, self.path, self.hold = name, clients, path, hold
        # Functions that start a peer, each with the path at which the peer gives the same answer.
        self.peers = peers
        self.length = length
        # Whether what has to hold for requests/s has to hold for processor time too.
        self.holds_processor = holds_processor
        # How Mortise is started; and whether Mortise without that is asked the same.
        self.settings, self.of_one = settings or {}, of_one


def comparisons(site):
    """All comparisons; peers are started when theirs is run."""
    folder, root = site.folder, site.root
    responder, php = [site.responder], ["php-cgi"]
    unlimited = {"PHP_FCGI_MAX_REQUESTS": "0"}
    hello = '{ return 200 "Hello, world\\n"; }\n'

    def returns():
        return servers.Nginx("nginx return", folder, f"        location / {hello}")

    def logged():
        return servers.Nginx("nginx return, logged", folder, f"        location / {hello}",
                             access=f"{folder}/nginx-access.log {LOG_BUFFER}")

    def locations():
        others = "".join(f"        location /other-{number}/more {{ return 404; }}\n" for number in range(MANY))
        return servers.Nginx(f"nginx {MANY:,} locations", folder,
                             f"{others}        location /hello {hello}        location = / {hello}")

    def names():
        others = "".join(f"    server {{ listen 127.0.0.1:PORT; server_name other-{number}.example.test; return 404; }}\n"
                         for number in range(MANY))
        return servers.Nginx(
            f"nginx {MANY:,} servers", folder, f"        location / {hello}",
            f"    server_names_hash_max_size 4096;\n    server_names_hash_bucket_size 128;\n{others}")

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
    called = [(returns, "/")]
    return [
        Comparison("in-process", 64, "/hello", called, 1.0, holds_processor=True),
        Comparison("in-process-logs", 64, "/hello", [(logged, "/")], 1.0, holds_processor=True,
                   settings={"access": folder / "access.log"}),
        *(Comparison(f"in-process-{count}", count, "/hello", called, 1.0) for count in CLIENTS),
        Comparison("mappings-1000", 64, "/hello", [(locations, "/hello")], 1.0, settings={"mappings": MANY},
                   of_one=True),
        Comparison("sites-1000", 64, "/hello", [(names, "/")], 1.0, settings={"sites": MANY}, of_one=True),
        Comparison("pools-1000", 4, "/isolated", relayed, 1.0, settings={"pools": MANY}, of_one=True),
        Comparison("static-4k", 64, "/small.html", [(files, "/small.html")], 1.0, 4096),
        Comparison("static-4k-1", 1, "/small.html", [(files, "/small.html")], 1.0, 4096),
        Comparison("static-1m", 16, "/large.html", [(files, "/large.html")], 1.0, 1 << 20),
        Comparison("isolated-1", 1, "/isolated", relayed, 1.0),
        Comparison("isolated-4", 4, "/isolated", relayed, 1.0),
        Comparison("isolated-64", 64, "/isolated", relayed, 1.5),
        Comparison("php-4", 4, "/hello.php", scripts, 1.0),
        Comparison("php-64", 64, "/hello.php", scripts, 1.0),
        Comparison("cgi-program", 4, "/cgi-bin/program", [(mod_cgi, "/cgi-bin/program")], 1.2),
        Comparison("cgi-script", 4, "/cgi-bin/script", [(mod_cgi, "/cgi-bin/script")], 1.2),
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
            add(servers.Mortise(site.folder, products, site.root, PROCESSES, **comparison.settings), comparison.path)
            if comparison.of_one:
                add(servers.Mortise(site.folder, products, site.root, PROCESSES, name=ONE), comparison.path)
        for start, path in comparison.peers:
            add(start(), path)
        runs = measure.alternate(running, lambda server: paths[server.name], comparison.clients, seconds, rounds)
        return {name: measure.summary(found) for name, found in runs.items()}


def time(value):
    return f"{value:.0f} µs" if value < 1000 else f"{value / 1000:.2f} ms"


ONE = "mortise, one of it"

HEADER = (f"{'comparison':<16}{'clients':>8}  {'server':<24}{'requests/s':>11}{'p50':>11}{'p99':>11}"
          f"{'CPU/request':>13}  note")


def rows(comparison, found):
    """The lines of the table for one comparison, and whether it holds (None: nothing to hold)."""
    peers = {name: run for name, run in found.items() if name not in ("mortise", ONE)}
    safe = {name: run for name, run in peers.items() if not measure.danger(run, comparison.clients)}
    best = max(safe or peers, key=lambda name: peers[name].per_second)
    lines = []
    for name, run in found.items():
        notes = [note for note in [measure.danger(run, comparison.clients)] if note]
        if name == best:
            notes.append("best safe setting" if safe else "no setting is safe")
        lines.append(f"{comparison.name:<16}{comparison.clients:>8}  {name:<24}{run.per_second:>11,.0f}"
                     f"{time(run.p50):>11}{time(run.p99):>11}{run.processor:>10.1f} µs  {', '.join(notes)}")
    if "mortise" not in found:
        return lines, None
    own = found["mortise"]
    line, holds = ratio(own, found[best], best, comparison.hold, comparison.holds_processor)
    lines.append(line)
    if ONE in found:
        line, holds_of_one = ratio(own, found[ONE], ONE, OF_ONE, False)
        lines.append(line)
        holds = holds and holds_of_one
    return lines, holds


def ratio(own, peer, name, hold, holds_processor):
    """A line that compares two runs, and whether the first one holds."""
    more = own.per_second / peer.per_second if peer.per_second else float("inf")
    less = peer.processor / own.processor if own.processor else float("inf")
    holds = more >= hold and not own.failures and (less >= hold or not holds_processor)
    return (f"{'':<16}{'':>8}  ratio to {name}: requests/s {more:.2f}, requests per CPU second {less:.2f}"
            f", to hold {hold:.2f}  {'holds' if holds else 'MISSED'}"), holds

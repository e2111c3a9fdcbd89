# One run of the load generator, and what a comparison makes of several.
# SPDX-License-Identifier: Apache-2.0

import dataclasses
import re
import statistics
import subprocess

from . import machine

UNITS = {"us": 1.0, "ms": 1000.0, "s": 1_000_000.0, "m": 60_000_000.0}


@dataclasses.dataclass
class Run:
    requests: int
    per_second: float
    p50: float  # microseconds
    p99: float
    slowest: float
    at_once: float  # requests in flight on average, by Little's law: less than the clients when some starve
    processor: float  # microseconds of server time for each request
    failures: str  # what wrk says about responses that were none; empty when all were good


def microseconds(text):
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if not found:
        raise RuntimeError(f"wrk says {text!r} where a time belongs")
    return float(found.group(1)) * UNITS[found.group(2)]


def run(server, path, clients, seconds):
    # Thousands of connections take their time to be made.
    seconds = max(seconds, clients // 1000)
    before = machine.processor_seconds(server.roots())
    done = subprocess.run(
        ["taskset", "-c", machine.LOAD_CPU, "wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency",
         "--timeout", "10s", server.url(path)],
        capture_output=True, text=True, timeout=seconds + 60)
    spent = machine.processor_seconds(server.roots()) - before
    text = done.stdout
    found = re.search(r"(\d+) requests in", text)
    if done.returncode != 0 or not found:
        raise RuntimeError(f"wrk: {done.stderr}{text}")
    requests = int(found.group(1))
    if requests == 0:
        return Run(0, 0, 0, 0, 0, 0, 0, "no request was answered")
    per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    mean, slowest = re.search(r"Latency\s+(\S+)\s+\S+\s+(\S+)", text).groups()
    return Run(
        requests=requests,
        per_second=per_second,
        p50=microseconds(re.search(r"\n\s+50%\s+(\S+)", text).group(1)),
        p99=microseconds(re.search(r"\n\s+99%\s+(\S+)", text).group(1)),
        slowest=microseconds(slowest),
        at_once=per_second * microseconds(mean) / 1e6,
        processor=spent * 1e6 / max(requests, 1),
        failures="; ".join(re.findall(r"(Socket errors:.*|Non-2xx.*)", text)))


def alternate(servers, path_of, clients, seconds, rounds):
    """Runs each server in turn, `rounds` times; the runs of each, the warm-up left out."""
    runs = {server.name: [] for server in servers}
    for server in servers:
        run(server, path_of(server), clients, 1)
    for _ in range(rounds):
        for server in servers:
            runs[server.name].append(run(server, path_of(server), clients, seconds))
    return runs


def summary(runs):
    """The middle of several runs."""
    return Run(
        requests=sum(run.requests for run in runs),
        per_second=statistics.median(run.per_second for run in runs),
        p50=statistics.median(run.p50 for run in runs),
        p99=statistics.median(run.p99 for run in runs),
        slowest=max(run.slowest for run in runs),
        at_once=min(run.at_once for run in runs),
        processor=statistics.median(run.processor for run in runs),
        failures=" ".join(sorted({run.failures for run in runs if run.failures})))


def danger(run, clients):
    """Why a setting cannot be used in earnest; empty when it can."""
    if run.failures:
        return run.failures
    # Behind connections others keep, a request can wait for as long as they are busy: it is not answered
    # at all in the time measured, so only the requests missing in flight tell.
    if run.at_once < clients / 2:
        return f"not safe: {clients - run.at_once:.0f} of {clients} clients starve"
    if run.slowest > 2_000_000:
        return f"not safe: a request waited {run.slowest / 1e6:.1f} s"
    return ""

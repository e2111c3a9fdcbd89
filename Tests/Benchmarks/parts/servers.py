# Mortise and its peers, started on free ports of the loopback device and stopped without a trace.
# SPDX-License-Identifier: Apache-2.0

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from . import machine

HELLO = b"Hello, world\n"


class Server:
    """A server with its processes, all on the server's processor."""

    processors = machine.SERVER_CPU  # None: all of them

    def __init__(self, name, folder):
        self.name = name
        self.folder = pathlib.Path(folder) / name.replace(" ", "-").replace("/", "-")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = machine.free_port()
        self.processes = []

    def start(self, command, **options):
        log = open(self.folder / "log", "ab")
        pin = ["taskset", "-c", self.processors] if self.processors is not None else []
        pinned = pin + [str(word) for word in command]
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(pinned, stdout=log, stderr=log, start_new_session=True, **options)
        log.close()
        self.processes.append(process)
        return process

    def roots(self):
        return [process.pid for process in self.processes]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait_until_it_answers(self, path="/"):
        end = time.monotonic() + 30
        while True:
            if any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"{self.name} ended: {self.log()}")
            try:
                return self.get(path)
            except OSError:
                if time.monotonic() > end:
                    raise RuntimeError(f"{self.name} does not answer: {self.log()}")
                time.sleep(0.05)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def stop(self):
        below = [pid for root in self.roots() for pid in machine.tree(root)]
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in below:
            if machine.stat(pid) and machine.stat(pid)[2] != "Z" and pid not in self.roots():
                time.sleep(0.5)
                if machine.stat(pid):
                    machine.say(f"{self.name} left process {pid}: {machine.command_line(pid)}")
                    os.kill(pid, signal.SIGKILL)


def lines(indentation, texts):
    return "".join(" " * indentation + text + "\n" for text in texts)


class Mortise(Server):
    """Mortise with every kind of answer the comparisons need, and with many of what may be many."""

    def __init__(self, folder, products, root, processes=4, environment=None, top="", name="mortise", access="none",
                 handlers=(), extensions=(), mappings=0, sites=0, pools=0, processors=machine.SERVER_CPU):
        super().__init__(name, folder)
        self.processors = processors
        more_pools = [f"other-{number}: {{ command: [php-cgi], processes: {{ min: 0, max: 1 }} }}"
                      for number in range(pools)]
        more_handlers = [f"- {{ path: /other-{number}/more, extension: hello }}" for number in range(mappings)]
        more_handlers += [f"- {{ path: /pool-{number}, pool: other-{number} }}" for number in range(pools)]
        more_sites = [f"- {{ name: other-{number}, hosts: [other-{number}.example.test], "
                      "handlers: [{ path: /, redirect: /elsewhere }] }" for number in range(sites)]
        # What is asked for stands last, where a search from the start comes last.
        (self.folder / "site.yaml").write_text(f"""\
listen: [127.0.0.1:{self.port}]
logs: {{ access: "{access}" }}
user: root
{top}
extension-directories: ["{products}"]
extensions:
  hello:    {{ library: hello, thread-safe: true }}
  isolated: {{ library: hello, thread-safe: false, pool: {{ processes: {processes}, queue: 10000 }} }}
  counter:  {{ library: counter, thread-safe: false, pool: {{ processes: {processes}, queue: 10000 }} }}
{lines(2, extensions)}pools:
{lines(2, more_pools)}  php: {{ command: [php-cgi], processes: {processes}, queue: 10000 }}
sites:
{lines(2, more_sites)}  - name: main
    {"hosts: [127.0.0.1, localhost]" if sites else ""}
    root: "{root}"
    handlers:
{lines(6, more_handlers)}{lines(6, handlers)}      - {{ path: /hello,     extension: hello }}
      - {{ path: /isolated,  extension: isolated }}
      - {{ path: /counter,   extension: counter }}
      - {{ path: /cgi-bin/*, cgi: {{ concurrency: 1000 }} }}
      - {{ path: "*.php",    pool: php }}
""")
        self.start([products / "mortise", "serve", self.folder / "site.yaml"],
                   env={**os.environ, **(environment or {})})
        self.wait_until_it_answers("/hello")

    def below(self, word):
        """Processes below the supervisor with that word on their command line."""
        return [pid for pid in machine.tree(self.roots()[0]) if f" {word} " in f" {machine.command_line(pid)} "]

    def hosts(self):
        """The hosts that serve or finish what they have: not those that stand by, which have another name."""
        return [pid for pid in self.below("host") if machine.name(pid) in ("mortise-host", "mortise-leaving")]

    def workers(self):
        return self.below("worker")


class Nginx(Server):
    """nginx with one worker process, the master beside it; `under`: a command that runs it as one process.

    PORT in `http` stands for the port.
    """

    def __init__(self, name, folder, locations, http="", access="off", under=()):
        super().__init__(name, folder)
        (self.folder / "nginx.conf").write_text(f"""\
daemon off;
{"master_process off;" if under else ""}
worker_processes 1;
pid {self.folder}/pid;
error_log stderr error;
events {{ worker_connections 20000; }}
http {{
    access_log {access};
    default_type text/plain;
    types {{ text/html html; text/plain txt; }}
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600;
    keepalive_requests 1000000000;
    client_body_temp_path {self.folder}/body;
    fastcgi_temp_path {self.folder}/fastcgi;
    proxy_temp_path {self.folder}/proxy;
    uwsgi_temp_path {self.folder}/uwsgi;
    scgi_temp_path {self.folder}/scgi;
{http.replace("PORT", str(self.port))}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        server_name 127.0.0.1 localhost;
{locations}
    }}
}}
""")
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.start([*under, program, "-p", self.folder, "-c", self.folder / "nginx.conf"])
        self.wait_until_it_answers()


class FastCGIProcesses:
    """Several processes that accept from one Unix socket on their descriptor 0."""

    def __init__(self, server_folder, command, count, environment):
        self.path = f"{server_folder}/fastcgi.socket"
        pathlib.Path(self.path).unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(4096)
        self.command, self.count, self.environment = command, count, environment

    def start(self, server):
        for _ in range(self.count):
            server.start(self.command, stdin=self.listener, env={**os.environ, **self.environment})
        self.listener.close()


PARAMETERS = """\
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SCRIPT_NAME $fastcgi_script_name;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param DOCUMENT_ROOT $document_root;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param GATEWAY_INTERFACE CGI/1.1;
            fastcgi_param SERVER_SOFTWARE nginx;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param REMOTE_PORT $remote_port;
            fastcgi_param SERVER_ADDR $server_addr;
            fastcgi_param SERVER_PORT $server_port;
            fastcgi_param SERVER_NAME $server_name;
            fastcgi_param REDIRECT_STATUS 200;
"""


def nginx_with_processes(name, folder, root, command, count, keeps, environment=None, under=()):
    """nginx that relays everything to `count` FastCGI processes; `keeps`: idle connections it keeps."""
    home = pathlib.Path(folder) / name.replace(" ", "-")
    home.mkdir(parents=True, exist_ok=True)
    processes = FastCGIProcesses(home, command, count, environment or {})
    kept = f"        keepalive {keeps}; keepalive_requests 1000000000; keepalive_timeout 600s;\n" if keeps else ""
    server = Nginx(
        name, folder,
        f"        root {root};\n        location / {{\n            fastcgi_pass processes;\n"
        f"            fastcgi_keep_conn {'on' if keeps else 'off'};\n{PARAMETERS}        }}\n"
        "        location = / { return 200; }\n",
        f"    upstream processes {{\n        server unix:{processes.path};\n{kept}    }}\n", under=under)
    processes.start(server)
    return server


def nginx_with_php_fpm(folder, root, count, program):
    """nginx and php-fpm with as many static children."""
    name = "nginx + php-fpm"
    home = pathlib.Path(folder) / name.replace(" ", "-")
    home.mkdir(parents=True, exist_ok=True)
    user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
    (home / "fpm.conf").write_text(f"""\
[global]
error_log = {home}/fpm.log
daemonize = no
[main]
{user}listen = {home}/fpm.socket
listen.mode = 0666
listen.backlog = 4096
pm = static
pm.max_children = {count}
""")
    server = Nginx(
        name, folder,
        f"        root {root};\n        location / {{\n            fastcgi_pass unix:{home}/fpm.socket;\n"
        f"{PARAMETERS}        }}\n        location = / {{ return 200; }}\n")
    allow_root = ["-R"] if os.geteuid() == 0 else []
    server.start([program, "-F", "-n", "-y", home / "fpm.conf"] + allow_root)
    return server


class Lighttpd(Server):
    def __init__(self, folder, root):
        super().__init__("lighttpd mod_cgi", folder)
        (self.folder / "lighttpd.conf").write_text(f"""\
server.modules = ( "mod_cgi" )
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {self.port}
server.max-keep-alive-requests = 1000000
server.max-keep-alive-idle = 600
server.max-connections = 4096
server.upload-dirs = ( "{self.folder}" )
mimetype.assign = ( ".html" => "text/html", ".txt" => "text/plain" )
index-file.names = ( "index.html" )
$HTTP["url"] =~ "^/cgi-bin/" {{ cgi.assign = ( "" => "" ) }}
""")
        self.start([shutil.which("lighttpd") or "/usr/sbin/lighttpd", "-D", "-f", self.folder / "lighttpd.conf"])
        self.wait_until_it_answers()

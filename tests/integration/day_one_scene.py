"""A workload behind the steering of `redirect`, with both ways to Holdfast: the forward door that its environment names, and the
transparent one that the kernel leads it to. The services are at the far end of a cable, by names that only Holdfast knows; who knows
of no proxy asks a resolver for them, and the kernel leads him to the dns door."""

import contextlib
import json
import os
import shutil
import subprocess

from day_one_services import Services
from holdfast import (BINARY, PUBLIC, PUBLIC2, ROOT, WORKLOAD_UID, Holdfast, Workspace, forward_config, own_network, run_as,
                      skip_file)
from outside import Outside

ANY = 'paths = "any";'
# Who is where, and what its rule says.
PLACES = {"web.test": (PUBLIC, ANY), "pypi.test": (PUBLIC, ANY), "debian.test": (PUBLIC, ANY), "s3.test": (PUBLIC, ANY),
          "git.test": (PUBLIC, 'paths = ["/one.git/info/refs", "/one.git/git-upload-pack", "/one.git/git-receive-pack"];'),
          "npm.test": (PUBLIC, ANY + ' encoded_slashes = "pass";'), "sockets.test": (PUBLIC, ANY + " websocket = true;"),
          "grpc.test": (PUBLIC2, 'paths = ["/a.Echo/*"];')}
DOORS = ', { kind = "dns"; listen = "127.0.0.1:15053"; }, { kind = "transparent"; listen = "127.0.0.1:15006"; }, { kind = "transparent"; listen = "[::1]:15006"; }'
FORWARD = '{ kind = "forward"; listen = "127.0.0.1:15001"; } ,'
# A resolver somewhere outside, and none: a proxy is told names.
RESOLVERS = {"transparent": "20.0.0.53", "forward": "127.0.0.1"}
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

# In a view of the files of its own, for who has another view of some of them: pairs, then `--`, then the command.
SEEN_AS = """
while [ "$1" != -- ]; do mount --bind "$1" "$2" && shift 2 || exit 99; done
shift
exec setpriv --reuid "$AS" --regid "$AS" --clear-groups env -u AS "$@"
"""


class Scene:
    def __init__(self):
        own_network()
        for needed in ("nft", "git"):
            if shutil.which(needed) is None:
                skip_file(f"there is no {needed}")
        allowed = os.sched_getaffinity(0)
        outside = Outside(PUBLIC, [PUBLIC, PUBLIC2])
        os.sched_setaffinity(0, allowed)
        self.ws = Workspace()
        with outside.entered():
            self.services = Services(self.ws, PUBLIC, PUBLIC2, [name for name, (address, _) in PLACES.items() if address == PUBLIC])
        self.h = Holdfast(self.ws, self.config())
        without = self.ws.file("transparent.conf", self.h.configs[0].replace(FORWARD, ""))
        self._environment = {"forward": self._told(self.h.config_path), "transparent": self._told(without)}
        assert "HTTPS_PROXY" in self._environment["forward"] and not [n for n in self._environment["transparent"] if "proxy" in n.lower()]
        subprocess.run([BINARY, "steer", "-c", self.h.config_path, "--mode", "redirect", "--load"], check=True, capture_output=True)
        self._resolvers = {way: self.ws.file(f"resolv-{way}", f"nameserver {at}\n") for way, at in RESOLVERS.items()}
        self.count = 0

    def config(self):
        rules = ", ".join(f'{{ host = "{name}"; methods = "any"; {more} upstream_trust = "{self.ws.ca.file}"; }}'
                          for name, (_, more) in PLACES.items())
        told = ", ".join(f'{{ name = "{name}"; addresses = ["{at}"]; }}' for name, (at, _) in PLACES.items())
        return forward_config(rules, names=f"resolver = {{ hosts = ( {told} ); }};", listen="127.0.0.1:15001", doors=DOORS)

    @staticmethod
    def _told(config):
        done = subprocess.run([BINARY, "env", "-c", config, "--format", "json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def environment(self, way):
        """What `holdfast env` prints: with a forward door its proxy, without one the CA alone."""
        return dict(self._environment[way])

    def home(self):
        """A directory of the workload's, a new one each time."""
        self.count += 1
        return self.ws.directory(f"home-{self.count}", owner=WORKLOAD_UID)

    def command(self, way, argv, mounts=()):
        """(argv, the environment) of the workload's command, to be started by root."""
        pairs = [path for pair in [*mounts, (self._resolvers[way], "/etc/resolv.conf")] for path in pair]
        return (["unshare", "-m", "sh", "-c", SEEN_AS, "sh", *pairs, "--", *argv],
                {"AS": str(WORKLOAD_UID), "HOME": self.home(), **self.environment(way)})

    def run(self, way, argv, env=None, mounts=()):
        """What the client printed; it has ended well."""
        argv, environment = self.command(way, argv, mounts)
        done = run_as(0, argv, {**environment, **(env or {})}, text=True, timeout=600)
        assert done.returncode == 0, (done.stdout, done.stderr, self.h.tail())
        return done.stdout

    def build_go(self, go, program):
        """Not the workload's work."""
        home = self.ws.directory("go", owner=0)
        subprocess.run([go, "build", "-o", program, os.path.join(ROOT, "tests/integration/day_one.go")], check=True, cwd=home,
                       env={"PATH": os.environ["PATH"], "HOME": home, "GOFLAGS": "-mod=mod", "GO111MODULE": "off"})

    @contextlib.contextmanager
    def witnessed(self, way, host, *asked):
        """Around a client: the service was asked each of these (method, path), and of all it was asked the log says the same: what, by
        which door, and with which answer. A name was asked for by who knows of no proxy, and by nobody else."""
        self.h.mark()       # what a client before has sent and not waited for is in a worker's hands, and then done with
        since, before = self.h.mark(), len(self.services.seen)
        yield
        self.h.wait_requests(len(self.services.seen) - before, since)
        self.h.mark()
        seen, lines = self.services.seen[before:], self.h.requests(since)
        told = sorted((li["to"], li["method"], li["path"], li["status"]) for li in lines)
        assert told == sorted((f"{name}:443", method, path, status) for name, method, path, status in seen), (told, seen)
        assert {(li["door"], li["who"]) for li in lines} == {(way, f"uid:{WORKLOAD_UID}")}, lines
        names = {li["name"] for li in self.h.lines[since:] if li["msg"] == "dns" and li["reason"] == "ok"}
        assert (host in names) == (way == "transparent"), names
        missing = {(host, *one) for one in asked} - {one[:3] for one in seen}
        assert not missing, (missing, seen)

    def end(self):
        self.h.stop()
        self.ws.remove()

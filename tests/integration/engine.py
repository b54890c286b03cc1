"""A container engine for the stories that need one: the one that runs (DOCKER_HOST, or /var/run/docker.sock), else a dockerd of our own.
Ours has namespaces of its own for network, mounts and processes, so that it neither sees nor changes what else runs here, has no way out,
and leaves nothing behind; its images are kept, in the cache directory, for the next time."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from promise import Skip, at_end

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or "/var/cache", "holdfast-test")
LISTS = ("docker/packages", "docker/story/packages")
REGISTRY_BASE = "debian:12-slim"
PATIENCE = 300

# It takes the place of a containerd that runs here, which is not for us to use. Without overlay2 an image would take its whole size on
# the disk for each of its steps: then there is no engine.
START = """
set -e
ip link set lo up
if [ -d /run/containerd ]; then mount -t tmpfs none /run/containerd; fi
exec dockerd --config-file "$1/daemon.json" --data-root "$2" --exec-root "$1/exec" -p "$1/pid" -H "unix://$1/sock" \
    --storage-driver overlay2 --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$3"
"""


def docker_program():
    """Debian's own before others: a newer one needs a plug-in to build."""
    return "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else shutil.which("docker")


def run(argv, env, **more):
    more.setdefault("timeout", 4 * PATIENCE)
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **more}
    return subprocess.run(argv, env=env, check=False, text=True, **given)


class Engine:
    """One that answers. `base` is the image that others are built from."""

    def __init__(self, host, is_ours):
        self.is_ours = is_ours
        # Either way of building will do for the Dockerfiles; the older one has nothing to fetch.
        self.env = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
        self.program = docker_program()
        self._base = None

    def answers(self):
        return run([self.program, "version"], self.env, timeout=60).returncode == 0

    def ask(self, *words, **more):
        """What docker prints; it is expected to succeed."""
        done = self.try_to(*words, **more)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    def clear(self):
        """What a run that was killed has left, in an engine that is ours: containers, and networks whose addresses we want."""
        for container in self.ask("ps", "-a", "-q").split():
            self.ask("rm", "-f", "-v", container)
        self.ask("network", "prune", "-f")
        self.ask("volume", "prune", "-f")

    def forget_old_builds(self):
        """Of our own engine: what stays is what the next build can go on from."""
        if self.is_ours:
            self.ask("image", "prune", "-f", "--filter", "until=168h")

    def try_to(self, *words, **more):
        return run([self.program, *words], self.env, **more)

    def compose(self):
        """The words that docker-compose is called by."""
        if shutil.which("docker-compose"):
            return [shutil.which("docker-compose")]
        if run([self.program, "compose", "version"], self.env).returncode == 0:
            return [self.program, "compose"]
        raise Skip("there is no docker-compose")

    @property
    def base(self):
        if self._base is None:
            self._base = self._find_base()
            tried = self.try_to("run", "--rm", "--network", "none", self._base, "true")
            if tried.returncode != 0:
                raise Skip(f"the engine runs no container here: {tried.stdout[-300:]}")
        return self._base

    def _find_base(self):
        if not self.is_ours and (self._has(REGISTRY_BASE) or self.try_to("pull", "-q", REGISTRY_BASE).returncode == 0):
            return REGISTRY_BASE
        packages = sorted({line for name in LISTS for line in open(os.path.join(ROOT, name), encoding="utf-8").read().splitlines()
                           if line and not line.startswith("#")})
        name = "holdfast-test/base:" + hashlib.sha256("\n".join(packages).encode()).hexdigest()[:12]
        if not self._has(name):
            self._make_base(name, packages)
        return name

    def _has(self, image):
        return self.try_to("image", "inspect", image).returncode == 0

    def _make_base(self, name, packages):
        """Debian 12 with all that the images want, so that building them needs no network."""
        if not shutil.which("mmdebstrap"):
            raise Skip("no registry can be reached, and there is no mmdebstrap to make a base image with")
        words = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + ",".join(packages), "bookworm", "-"]
        # In a session of its own: when it fails it sends SIGHUP to its whole process group.
        with tempfile.TemporaryFile() as said, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said,
                                                                start_new_session=True) as making:
            taken = run([self.program, "import", "-", name], self.env, stdin=making.stdout)
            making.stdout.close()
            if making.wait() != 0 or taken.returncode != 0:
                said.seek(0)
                self.try_to("image", "rm", "-f", name)
                raise Skip(f"no base image: neither a registry nor Debian's mirror can be had: {said.read()[-300:]!r} {taken.stdout[-300:]}")


def take_images():
    """Whoever else runs these has the images until it is done; not for ever are they waited for."""
    def give_up(_signal, _frame):
        raise Skip(f"another run has the images in {CACHE}, and did not end in {PATIENCE} s")

    lock = open(os.path.join(CACHE, "lock"), "w", encoding="ascii")
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return lock


def own_engine():
    if not shutil.which("dockerd") or not shutil.which("unshare"):
        raise Skip("no container engine runs, and there is no dockerd to start")
    os.makedirs(CACHE, mode=0o755, exist_ok=True)
    lock = take_images()
    at = tempfile.mkdtemp(prefix="holdfast-engine-")
    group = os.path.basename(at)
    with open(f"{at}/daemon.json", "w", encoding="ascii") as f:
        f.write("{}\n")
    log = open(f"{at}/log", "w+", encoding="utf-8", errors="replace")
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation",
                                "private", "sh", "-c", START, "sh", at, os.path.join(CACHE, "engine"), group],
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    at_end(lambda: put_away(process, at, group))
    engine = Engine(f"unix://{at}/sock", is_ours=True)
    end = time.monotonic() + PATIENCE
    while not engine.answers():
        if process.poll() is not None or time.monotonic() > end:
            log.seek(0)
            raise Skip(f"dockerd does not start here: {log.read()[-500:]}")
        time.sleep(0.1)
    engine.lock = lock
    engine.clear()
    return engine


def put_away(process, at, group):
    """dockerd is the first of its process namespace: nothing it has started outlives it."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        for child in open(children, encoding="ascii").read().split():
            os.kill(int(child), signal.SIGTERM)
        process.wait(60)
    process.kill()
    process.wait()
    for controller in os.listdir("/sys/fs/cgroup"):
        for where in (f"/sys/fs/cgroup/{controller}/{group}", f"/sys/fs/cgroup/{group}"):
            for directory, _, _ in list(os.walk(where, topdown=False)):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
    shutil.rmtree(at, ignore_errors=True)


def find_engine():
    """An engine, or Skip with the reason why there is none."""
    if docker_program() is None:
        raise Skip("there is no docker")
    if os.environ.get("DOCKER_HOST"):
        engine = Engine(os.environ["DOCKER_HOST"], is_ours=False)
        if not engine.answers():
            raise Skip("nobody answers at DOCKER_HOST")
        return engine
    if os.path.exists("/var/run/docker.sock"):
        engine = Engine("unix:///var/run/docker.sock", is_ours=False)
        if engine.answers():
            return engine
    if os.getuid() != 0:
        raise Skip("no container engine runs, and only root can start one")
    return own_engine()


class Project:
    """A compose file, brought up under a name of its own and put away whole."""

    def __init__(self, engine, file, **variables):
        self.engine, self.name = engine, f"holdfast-{os.getpid()}-{os.path.basename(file).split('.')[-2]}"
        self.env = {**engine.env, "BASE": engine.base, **variables}
        self.words = [*engine.compose(), "-p", self.name, "-f", file]
        at_end(self.down)

    def run(self, *words, **more):
        return run([*self.words, *words], self.env, **more)

    def do(self, *words, **more):
        done = self.run(*words, **more)
        assert done.returncode == 0, f"docker-compose {' '.join(words)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def tell(self, *words, on_line):
        """The same, line by line as it is printed; what it exits with."""
        with subprocess.Popen([*self.words, *words], env=self.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as process:
            clock = threading.Timer(2 * PATIENCE, process.kill)
            clock.start()
            for line in process.stdout:
                on_line(line.rstrip("\n"))
            clock.cancel()
            return process.wait()

    def created(self, service):
        """Its container, which has not begun."""
        self.do("up", "--no-start")
        return self.do("ps", "-a", "-q", service, stderr=subprocess.DEVNULL).strip()

    def down(self):
        self.run("down", "--volumes", "--remove-orphans", "-t", "10")

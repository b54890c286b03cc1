"""docker/: the image, and Holdfast as the only way out of a container, in an engine that runs here or in one of our own."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib

import compose_story
from engine import ROOT, Project, find_engine
from patience import until
from promise import Skip, at_end, main, promise, skip_file

LIMIT = 20_000_000
FILTERS = os.path.join(ROOT, "docker/filters")
DEV = os.path.join(ROOT, "docker/compose.dev.yaml")
STORY = os.path.join(ROOT, "docker/story")
# Without a network of its own the door of docker/filters has no address to stand on.
ON_LOOPBACK = ('listen = "10.213.15.2:', 'listen = "127.0.0.1:')

try:
    engine = find_engine()
    story = compose_story.story_project(engine)
    compose_story.build(story)
except Skip as missing:
    skip_file(missing)
IMAGE, CAST = compose_story.IMAGE, compose_story.IMAGE + "-story"


def save(path, text):
    """As editors do: another file, renamed into its place. uid 1337 reads it."""
    with open(path + "~", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + "~", 0o644)
    os.rename(path + "~", path)


def filters(*changes):
    """A copy of docker/filters with its text changed here and there."""
    at = tempfile.mkdtemp(prefix="holdfast-filters-")
    at_end(lambda: shutil.rmtree(at, ignore_errors=True))
    shutil.copytree(FILTERS, at, dirs_exist_ok=True)
    os.chmod(at, 0o755)
    with open(f"{at}/holdfast.conf", encoding="utf-8") as f:
        text = f.read()
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    save(f"{at}/holdfast.conf", text)
    return at


class Container:
    """One of the image by itself; gone at exit."""

    def __init__(self, *changes):
        self.id = engine.ask("run", "-d", "--network", "none", "--read-only", "--cap-drop", "ALL", "--health-interval", "100ms",
                             "--tmpfs", "/run/holdfast:uid=1337,gid=1337,mode=0711", "--tmpfs",
                             "/var/lib/holdfast:uid=1337,gid=1337,mode=0700", "-v",
                             f"{filters(ON_LOOPBACK, *changes)}:/etc/holdfast:ro", IMAGE)
        at_end(lambda: engine.try_to("rm", "-f", self.id))

    def look(self, what):
        return engine.ask("inspect", "-f", what, self.id)

    def wait_health(self, wanted):
        until(lambda: self.look("{{.State.Health.Status}}") == wanted, what=wanted)


def files_of(image):
    """Every file, as tar tells of it."""
    container = engine.ask("create", image)
    with subprocess.Popen([engine.program, "export", container], env=engine.env, stdout=subprocess.PIPE) as packed:
        with tarfile.open(fileobj=packed.stdout, mode="r|") as tar:
            files = list(tar)
    engine.ask("rm", container)
    return files


# ---- the image

@promise
def the_image_is_smaller_than_20_mb_compressed():
    packer, size = zlib.compressobj(9), 0
    with subprocess.Popen([engine.program, "save", IMAGE], env=engine.env, stdout=subprocess.PIPE) as saved:
        while piece := saved.stdout.read(1 << 20):
            size += len(packer.compress(piece))
    size += len(packer.flush())
    print(f"  {size / 1e6:.1f} MB")
    assert 1_000_000 < size < LIMIT, size


@promise
def the_image_runs_as_holdfasts_own_user_and_holds_nothing_to_become_another():
    config = json.loads(engine.ask("image", "inspect", "-f", "{{json .Config}}", IMAGE))
    assert (config["User"], config["StopSignal"], config["Healthcheck"]["Test"]) == (
        "1337:1337", "SIGTERM", ["CMD", "/usr/bin/holdfast", "status"]), config
    files = files_of(IMAGE)
    assert any(f.name == "usr/bin/holdfast" for f in files)
    assert not [f.name for f in files if f.isfile() and f.mode & 0o6000], "a file that gives its caller another identity"
    owned = {f.name.rstrip("/") for f in files if f.uid == 1337}
    assert owned == {"run/holdfast", "run/holdfast/public", "var/lib/holdfast"}, owned
    programs = {f.name for f in files if f.isfile() and f.mode & 0o111 and os.path.dirname(f.name).endswith("bin")}
    assert programs == {"usr/bin/holdfast", "usr/sbin/nft"}, programs


@promise
def the_image_has_the_roots_of_public_cas_and_tells_a_scanner_its_packages():
    names = {f.name for f in files_of(IMAGE) if f.isfile() and f.size > 0}
    assert {"etc/ssl/certs/ca-certificates.crt", "etc/os-release", "usr/share/doc/holdfast/copyright"} <= names
    assert {f"var/lib/dpkg/status.d/{package}" for package in ("libc6", "libssl3", "nftables")} <= names, names


@promise
def nft_of_the_image_loads_rules_where_it_may():
    done = engine.try_to("run", "--rm", "--network", "none", "--user", "0", "--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--entrypoint",
                         "/usr/sbin/nft", IMAGE, "add table inet tried; list tables")
    assert (done.returncode, done.stdout) == (0, "table inet tried\n"), done


@promise
def a_container_is_healthy_while_it_serves_and_stops_when_it_is_told():
    c = Container()
    c.wait_health("healthy")
    told = engine.ask("run", "--rm", "--network", "none", "--pid", f"container:{c.id}", "--entrypoint", "cat", CAST, "/proc/1/status")
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    assert status["Name"] == "holdfast" and set(status["Uid"].split()) == {"1337"}, status
    assert int(status["CapEff"], 16) == 0 == int(status["CapBnd"], 16) and status["NoNewPrivs"] == "1", status
    print(f"  resident: {int(status['VmRSS'].split()[0]) / 1024:.1f} MiB")
    engine.ask("stop", "-t", "300", c.id)
    assert c.look("{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false", engine.ask("logs", c.id)


@promise
def a_container_whose_holdfast_cannot_be_asked_is_not_healthy():
    done = engine.try_to("run", "--rm", "--network", "none", "-v", f"{filters()}:/etc/holdfast:ro", IMAGE, "status")
    assert done.returncode == 1 and "nobody listens on" in done.stdout, done
    c = Container(('control   = {', '# control   = {'))
    c.wait_health("unhealthy")


# ---- one network namespace

@promise
def in_one_network_namespace_steering_leaves_no_way_but_holdfast():
    network = f"holdfast-{os.getpid()}-steered"
    engine.ask("network", "create", network)
    at_end(lambda: engine.try_to("network", "rm", network))

    def start(*words):
        id_ = engine.ask("run", "-d", "--network", network, *words)
        at_end(lambda: engine.try_to("rm", "-f", id_))
        return id_
    web = start("--init", CAST, "-m", "http.server", "80")
    address = engine.ask("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", web)
    at = filters(ON_LOOPBACK)
    save(f"{at}/conf.d/tried.conf", f'''grants = (
  {{ name = "tried"; owner = "me"; approved_by = "you"; ticket = "1"; approved_at = "2026-11-01"; expires_at = "2099-01-01";
    purposes = ["tests"]; task = "standing"; ttl = "15m"; caller = {{ uid = 1000; }};
    rules = ( {{ host = "{address}"; scheme = "http"; methods = ["GET"]; paths = "any"; addresses = ["{address}"]; }} ); }}
);
''')
    mounted = ["-v", f"{at}:/etc/holdfast:ro"]
    holdfast = start("--tmpfs", "/run/holdfast:uid=1337,gid=1337,mode=0711", "--tmpfs", "/var/lib/holdfast:uid=1337,gid=1337,mode=0700",
                     "--health-interval", "100ms", *mounted, IMAGE)
    until(lambda: engine.ask("inspect", "-f", "{{.State.Health.Status}}", holdfast) == "healthy", what="Holdfast")

    def beside(*words):
        return engine.try_to("run", "--rm", "--network", f"container:{holdfast}", "--cap-drop", "ALL", *words)

    def status(*words):
        return beside("--user", "1000", "--entrypoint", "curl", CAST, "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60", *words,
                      f"http://{address}/").stdout
    until(lambda: status() == "200", what="the way past Holdfast, while there is one")
    done = beside("--user", "0", "--cap-add", "NET_ADMIN", *mounted, IMAGE, "steer", "--mode", "drop", "--load")
    assert done.returncode == 0 and "is in force" in done.stdout, done
    assert (status(), status("-x", "http://127.0.0.1:15001")) == ("000", "200")
    done = beside("--user", "1000", *mounted, IMAGE, "steer", "--mode", "drop", "--check")
    assert done.returncode == 0 and "nothing leads past Holdfast" in done.stdout, done


# ---- the story

@promise
def the_story_of_the_compose_file_passes_in_every_step():
    code, spoken, heard = compose_story.tell(story, lambda line: None)
    told = "\n".join(spoken)
    assert code == 0, "\n".join(heard)
    last = re.search(r"^(\d+) steps, all passed", told, re.M)
    assert last and int(last[1]) >= 10 and "FAIL" not in told, told
    assert [int(n) for n in re.findall(r"^(\d+)\. ", told, re.M)] == list(range(1, int(last[1]) + 1)), told
    volume = f"{story.name}_ca-public"
    listed = engine.ask("run", "--rm", "--network", "none", "-v", f"{volume}:/public:ro", "--entrypoint", "grep", CAST, "-rl", "-e", "BEGIN",
                        "/public")
    assert "/public/bundle.pem" in listed and "/public/ca.pem" in listed, listed
    keys = engine.try_to("run", "--rm", "--network", "none", "-v", f"{volume}:/public:ro", "--entrypoint", "grep", CAST, "-rl", "-e",
                         "PRIVATE", "/public")
    assert (keys.returncode, keys.stdout) == (1, ""), keys
    story.down()


# ---- the file that is copied

@promise
def the_filters_that_are_copied_and_the_secret_of_the_readme_are_without_errors():
    with open(os.path.join(ROOT, "docker/README.md"), encoding="utf-8") as f:
        secret = next(b for b in f.read().split("```") if b.strip().startswith("credentials"))
    at = filters()
    save(f"{at}/conf.d/github.conf", secret)
    done = engine.try_to("run", "--rm", "--network", "none", "-v", f"{at}:/etc/holdfast:ro", IMAGE, "check", "--lint")
    # That the door keeps nobody out is so, and what its network is for.
    expected = ("note:", "/run/secrets/github-token", 'whoever reaches the door "agent" may use it')
    found = [line for line in done.stdout.splitlines() if not any(words in line for words in expected)]
    assert not found and done.returncode in (0, 1), (found, done.stdout)


def compose_dev(at):
    return Project(engine, DEV, HOLDFAST_IMAGE=IMAGE, AGENT_IMAGE=CAST, FILTERS=at, AGENT_COMMAND="-c 'import signal; signal.pause()'")


@promise
def the_agent_of_the_copyable_file_has_all_that_env_prints():
    printed = engine.ask("run", "--rm", "--network", "none", "-v", f"{filters()}:/etc/holdfast:ro", IMAGE, "env", "--format", "docker")
    assert "HTTPS_PROXY=http://10.213.15.2:15001" in printed
    dev = compose_dev(filters())
    given = json.loads(engine.ask("inspect", "-f", "{{json .Config.Env}}", dev.created("agent")))
    assert set(printed.splitlines()) <= set(given), set(printed.splitlines()) - set(given)
    dev.down()


@promise
def a_filter_that_is_edited_beside_the_copyable_file_holds_after_sighup():
    at = filters()
    dev = compose_dev(at)
    dev.do("up", "-d")

    def status(host):
        return dev.run("exec", "-T", "agent", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{host}/",
                       stderr=subprocess.DEVNULL).stdout

    def log():
        return dev.do("logs", "--no-color", "holdfast")
    assert status("127.0.0.9") == "403"
    rule = ('grants = ( { name = "edited"; owner = "me"; approved_by = "you"; ticket = "1"; approved_at = "2026-11-01"; expires_at = "2099-01-01";'
            ' purposes = ["tests"]; task = "standing"; ttl = "15m"; caller = { door = "agent"; }; rules = ( { host = "127.0.0.9"; scheme = "http"; methdos = '
            '["GET"]; paths = "any"; addresses = ["127.0.0.9"]; } ); } );\n')
    save(f"{at}/conf.d/edited.conf", rule)
    dev.do("kill", "-s", "HUP", "holdfast")
    until(lambda: "did you mean methods?" in log(), what="what is wrong with it")
    assert status("127.0.0.9") == "403"
    save(f"{at}/conf.d/edited.conf", rule.replace("methdos", "methods"))
    dev.do("kill", "-s", "HUP", "holdfast")
    until(lambda: "config reloaded" in log(), what="the new config")
    assert status("127.0.0.9") == "502"       # allowed, and nobody is there
    said = dev.run("exec", "-T", "holdfast", "holdfast", "reload", "--wait")
    assert said.returncode == 0 and "generation" in said.stdout, said
    direct = dev.run("exec", "-T", "agent", "curl", "-sS", "--noproxy", "*", "--max-time", "60", "http://192.0.2.1/")
    assert direct.returncode == 7, direct
    dev.down()


main()

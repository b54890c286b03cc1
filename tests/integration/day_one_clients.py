"""The tools of the first day, each as its users start it: `client(scene, way)` asks through one of the two ways and looks at what it
prints; the scene asks the other two witnesses. What it needs beyond the variables of `holdfast env` is written in ROWS, and nowhere
else: README.md prints that table."""

import os
import re

from day_one_services import NOTE, head_of
from day_one_scene import SYSTEM_BUNDLE
from strangers import PYTHON, node_folder, node_knows_proxies, python_has, python_script, tool

ECHO = "https://web.test/echo"
BODY = "x" * 70000
ASKED = ("POST", "/echo")


def by_file_or_by_option(scene, way):
    """GnuTLS looks at no variable: (what lies over the system's bundle, whether the command says it instead)."""
    mounts = [(scene.h.bundle, SYSTEM_BUNDLE)] if way == "transparent" else []
    return mounts, way == "forward"


def had_all(told):
    assert re.search(r'"body_bytes": ?70000\b', told), told


# ---- commands

def curl(scene, way):
    with scene.witnessed(way, "web.test", ASKED):
        had_all(scene.run(way, [tool("curl"), "-sS", "--data", BODY, ECHO]))


def wget(scene, way):
    mounts, said = by_file_or_by_option(scene, way)
    option = ["--ca-directory=" + scene.environment(way)["SSL_CERT_DIR"]] if said else []
    with scene.witnessed(way, "web.test", ASKED):
        had_all(scene.run(way, [tool("wget"), "-qO-", *option, "--post-data", BODY, ECHO], mounts=mounts))


GIT = """
cd "$HOME" && git clone -q https://git.test/one.git && cd one && cat note
echo "$1" > note && git -c user.name=a -c user.email=a@example commit -q -a -m "$1" && git push -q
"""


def git(scene, way):
    said = f"pushed through {way}"
    with scene.witnessed(way, "git.test", ("GET", "/one.git/info/refs"), ("POST", "/one.git/git-upload-pack"),
                         ("POST", "/one.git/git-receive-pack")):
        assert scene.run(way, ["sh", "-ec", GIT, tool("git"), said]).strip()
    assert head_of(scene.services.repositories) == said


NPM = 'cd "$HOME" && echo {} > package.json && npm install --no-fund --no-update-notifier @day/one >&2 && node -p "require(\'@day/one\')"'


def npm(scene, way):
    tool("npm")
    with scene.witnessed(way, "npm.test", ("GET", "/@day%2Fone"), ("GET", "/@day/one/-/one-1.0.0.tgz")):
        assert scene.run(way, ["sh", "-ec", NPM], {"npm_config_registry": "https://npm.test/"}).strip() == NOTE


PIP = f"""
{PYTHON} -m pip install -q --index-url https://pypi.test/simple --target "$HOME/packages" one-day
PYTHONPATH="$HOME/packages" {PYTHON} -B -c "import one_day; print(one_day.NOTE)"
"""


def pip(scene, way):
    python_has("pip", "python3-pip")
    with scene.witnessed(way, "pypi.test", ("GET", "/simple/one-day/"), ("GET", "/files/one_day-1.0-py3-none-any.whl")):
        assert scene.run(way, ["sh", "-ec", PIP]).strip() == NOTE


# Everything of apt's and dpkg's own lies in a directory of the workload's.
APT = """
cd "$HOME" && mkdir -p etc/apt/apt.conf.d etc/apt/preferences.d etc/apt/sources.list.d etc/apt/trusted.gpg.d var/log/apt \
    var/lib/apt/lists/partial var/cache/apt/archives/partial var/lib/dpkg/info var/lib/dpkg/updates
: > var/lib/dpkg/status
echo "deb [trusted=yes] https://debian.test/ stable main" > etc/apt/sources.list
cat > apt.conf <<END
Dir "$HOME";
Dir::State::status "$HOME/var/lib/dpkg/status";
Dpkg::Options { "--root=$HOME"; "--force-not-root"; "--force-bad-path"; "--log=$HOME/dpkg.log"; };
END
export APT_CONFIG="$HOME/apt.conf"
apt-get "$@" update >&2 && apt-get "$@" install -y one-day >&2
cat usr/share/one-day/note
"""


def apt(scene, way):
    mounts, said = by_file_or_by_option(scene, way)
    option = ["-o", "Acquire::https::CaInfo=" + scene.h.bundle] if said else []
    with scene.witnessed(way, "debian.test", ("GET", "/dists/stable/Release"), ("GET", "/pool/one-day.deb")):
        assert scene.run(way, ["sh", "-ec", APT, "sh", *option], mounts=mounts) == NOTE


AWS = """
cd "$HOME" && echo "$1" > note
aws --endpoint-url https://s3.test s3 cp note s3://day-one/note >&2
aws --endpoint-url https://s3.test s3 cp s3://day-one/note -
"""


def aws(scene, way):
    """Its signature is a credential like any other, and goes no further."""
    account = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "a-secret", "AWS_DEFAULT_REGION": "eu-west-1"}
    tool("/usr/bin/aws")
    with scene.witnessed(way, "s3.test", ("PUT", "/day-one/note"), ("GET", "/day-one/note")):
        told = scene.run(way, ["sh", "-ec", AWS, "sh", NOTE], {**account, "PATH": "/usr/bin:/bin"})
        assert told.strip() == NOTE, told
    assert "authorization" not in {n for n, _ in scene.services.fields["s3.test"]}


# ---- programs

def go(scene, way):
    program = os.path.join(scene.ws.path, "day_one_go")
    if not os.path.exists(program):
        scene.build_go(tool("go"), program)
    with scene.witnessed(way, "web.test", ASKED):
        had_all(scene.run(way, [program, ECHO]))


def java(scene, way):
    with scene.witnessed(way, "web.test", ASKED):
        had_all(scene.run(way, [tool("java"), "-Xshare:auto", python_script(scene.ws, "DayOne.java"), ECHO]))


def node(what, url, host, *asked, heard="70000", knows=False):
    """knows: Node's own may know the variables by itself."""
    def client(scene, way):
        script = os.path.join(node_folder(scene.ws, "undici", "https-proxy-agent", "eventsource", "ws"), "day_one.mjs")
        agent = ["agent"] if way == "forward" and not (knows and node_knows_proxies()) else []
        with scene.witnessed(way, host, *asked):
            assert scene.run(way, [tool("node"), script, what, url, *agent]).strip() == heard
    return client


def python(module, package, source):
    def client(scene, way):
        python_has(module, package)
        with scene.witnessed(way, "web.test", ASKED):
            had_all(scene.run(way, [PYTHON, "-B", "-c", source, ECHO, way]))
    return client


REQUESTS = "import requests, sys; print(requests.post(sys.argv[1], data=b'x' * 70000, timeout=300).text)"
HTTPX = "import httpx, sys; print(httpx.post(sys.argv[1], content=b'x' * 70000, timeout=300).text)"
AIOHTTP = """
import aiohttp, asyncio, sys
async def main():
    async with aiohttp.ClientSession(trust_env=sys.argv[2] == "forward") as session:
        async with session.post(sys.argv[1], data=b"x" * 70000) as answer:
            print(await answer.text())
asyncio.run(main())
"""
WEBSOCKETS = """
import asyncio, http.client, os, sys, urllib.parse, websockets
def tunnel():
    proxy = http.client.HTTPConnection(urllib.parse.urlsplit(os.environ["https_proxy"]).netloc)
    proxy.set_tunnel("sockets.test", 443)
    proxy.connect()
    return {"sock": proxy.sock, "server_hostname": "sockets.test"}
async def main():
    async with websockets.connect("wss://sockets.test/chat", open_timeout=300, **(tunnel() if sys.argv[1] == "forward" else {})) as socket:
        await socket.send("hello")
        print(await socket.recv())
asyncio.run(main())
"""


def python_websockets(scene, way):
    python_has("websockets", "python3-websockets")
    with scene.witnessed(way, "sockets.test", ("GET", "/chat")):
        assert scene.run(way, [PYTHON, "-B", "-c", WEBSOCKETS, way]).strip() == "hello"


def grpc(scene, way, argv):
    with scene.witnessed(way, "grpc.test", ("POST", "/a.Echo/Say")):
        assert scene.run(way, [*argv, "grpc.test:443", "/a.Echo/Say", "tls"]).strip() == "0 hello"


def grpc_js(scene, way):
    grpc(scene, way, [tool("node"), node_folder(scene.ws, "@grpc/grpc-js") + "/calls_env.mjs"])


def grpcio(scene, way):
    python_has("grpc", "python3-grpcio")
    grpc(scene, way, [PYTHON, "-B", python_script(scene.ws, "calls_env.py")])


CHROMIUM = """
mkdir -p "$HOME/.pki/nssdb" && certutil -d "sql:$HOME/.pki/nssdb" -N --empty-password
certutil -d "sql:$HOME/.pki/nssdb" -A -t C,, -n holdfast -i "$NODE_EXTRA_CA_CERTS"
exec chromium-headless-shell --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking \
    --disable-component-update --no-first-run "$@"
"""


def chromium(scene, way):
    tool("chromium-headless-shell"), tool("certutil")
    with scene.witnessed(way, "web.test", ("GET", "/page"), ASKED):
        told = scene.run(way, ["sh", "-ec", CHROMIUM, "sh", "--dump-dom", "https://web.test/page"])
        assert "the service had 70000" in told, told


AS_IT_IS = "as it is"
UNSIGNED = "as it is, but its signature is taken out"
FILE = "`bundle.pem` mounted over `/etc/ssl/certs/ca-certificates.crt`"
AGENT = "`setGlobalDispatcher(new EnvHttpProxyAgent())` of npm `undici`"
STORE = "the CA in its store: `certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n holdfast -i $NODE_EXTRA_CA_CERTS`"
# client, what it needs beyond `holdfast env` through `transparent`, and through `forward`, and the client
ROWS = [
    ("curl", AS_IT_IS, AS_IT_IS, curl),
    ("wget", FILE, "`--ca-directory=$SSL_CERT_DIR`, or the same file", wget),
    ("git: clone, push", AS_IT_IS, AS_IT_IS, git),
    ("npm install", AS_IT_IS, AS_IT_IS, npm),
    ("pip install", AS_IT_IS, AS_IT_IS, pip),
    ("apt-get: update, install", FILE, "`-o Acquire::https::CaInfo=$SSL_CERT_FILE`, or the same file", apt),
    ("aws s3", UNSIGNED, UNSIGNED, aws),
    ("Go `net/http`", AS_IT_IS, AS_IT_IS, go),
    ("Java `java.net.http`", AS_IT_IS, AS_IT_IS, java),
    ("Node `fetch`", AS_IT_IS, f"Node 22.21, 24 or later: {AS_IT_IS}; an older one: {AGENT}", node("fetch", ECHO, "web.test", ASKED, knows=True)),
    ("Node `undici`", AS_IT_IS, AGENT.replace(" of npm `undici`", ""), node("undici", ECHO, "web.test", ASKED)),
    ("Python requests", AS_IT_IS, AS_IT_IS, python("requests", "python3-requests", REQUESTS)),
    ("Python httpx", AS_IT_IS, AS_IT_IS, python("httpx", "python3-httpx", HTTPX)),
    ("Python aiohttp", AS_IT_IS, "`ClientSession(trust_env=True)`", python("aiohttp", "python3-aiohttp", AIOHTTP)),
    ("gRPC, Node", AS_IT_IS, AS_IT_IS, grpc_js),
    ("gRPC, Python", AS_IT_IS, AS_IT_IS, grpcio),
    ("WebSocket, npm `ws`", AS_IT_IS, "`agent: new HttpsProxyAgent(process.env.https_proxy)` of npm `https-proxy-agent`",
     node("ws", "wss://sockets.test/chat", "sockets.test", ("GET", "/chat"), heard="hello")),
    ("WebSocket, Python websockets", AS_IT_IS, "before version 15: `sock=` a connection through `http.client`'s `set_tunnel`", python_websockets),
    ("Server-sent events, npm `eventsource`", AS_IT_IS, "as Node's `fetch`",
     node("events", "https://web.test/events", "web.test", ("GET", "/events"), heard="event 0\nevent 1\nevent 2", knows=True)),
    ("Chromium", STORE, STORE, chromium),
]

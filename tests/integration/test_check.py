"""`holdfast check` tells beforehand what the start would stumble over on this machine, and touches nothing of it."""

import os
import shutil
import subprocess
import time

from cryptography.x509.oid import ExtendedKeyUsageOID

from holdfast import BINARY, OTHER_UID, PROXY_UID, WORKLOAD_UID, Holdfast, Workspace, main, own_network, promise, rows

own_network([])
ws = Workspace()
CHECKER = shutil.copy(BINARY, os.path.join(ws.path, "checker"))     # the project may lie where only root comes
numbers = iter(range(1000))

CONFIG = """
workload = {{ id = "spiffe://prod.example/sa/builder"; uid = {workload}; }};
user = "{user}";
ca = {{ keep = "{home}/ca"; publish = "{home}/public"; }};
authority = {{ keep = "{home}/authority"; name = "prod.example"; }};
ledger = {{ keep = "{home}/ledger"; }};
control = {{ socket = "{home}/control/control.sock"; }};
log = {{ path = "{home}/log"; }};
doors = (
  {{ kind = "forward"; listen = "127.0.0.1:0"; }},
  {{ kind = "gate"; listen = "127.0.0.1:0"; certificate = "{home}/gate.pem"; key = "{home}/gate.key";
     names = ["https://orders.test"]; upstream = "https://127.0.0.1:1"; upstream_trust = "{home}/service.pem";
     trust = ( {{ domain = "prod.example"; jwks_file = "{home}/jwks.json"; subjects = ["spiffe://prod.example/sa/*"]; }} );
     rules = ( {{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; }} ); }}
);
credentials = {{
  hub = {{ owner = "a@example"; approved_by = "b@example"; ticket = "T-1"; rotate_every = "30d"; privileges = "read";
          source = {{ kind = "file"; path = "{home}/secret"; }}; }};
}};
grants = (
  {{ name = "tests"; owner = "a@example"; approved_by = "c@example"; ticket = "T-2"; approved_at = "2026-11-01";
     expires_at = "2099-01-01"; purposes = ["testing"]; task = "standing"; ttl = "15m"; caller = {{ uid = {workload}; }};
     rules = ( {{ host = "hub.test"; methods = ["GET"]; paths = "any"; upstream_trust = "{home}/service.pem";
                  credential = "hub"; bind = ["bearer"]; unbound_because = "nothing better is taken"; }} ); }}
);
"""


class House:
    """All that the config names, as it should be: except the directories Holdfast makes."""

    def __init__(self):
        self.name = f"house-{next(numbers)}"
        self.home = ws.directory(self.name)
        leaf = ws.leaf("orders.test")
        for name, source, mode in (("gate.pem", leaf.certificate, 0o644), ("gate.key", leaf.key, 0o600),
                                   ("service.pem", ws.ca.file, 0o644)):
            with open(source, "rb") as f:
                self.put(name, f.read(), mode)
        self.put("jwks.json", b'{"keys":[]}', 0o644)
        self.put("secret", b"not-to-be-seen-by-anybody\n", 0o600)
        self.config = CONFIG.format(home=self.home, user=PROXY_UID, workload=WORKLOAD_UID)

    def at(self, name):
        return os.path.join(self.home, name)

    def put(self, name, content, mode):
        return ws.file(f"{self.name}/{name}", content, mode, PROXY_UID)

    def folder(self, name, mode=0o700, owner=PROXY_UID):
        return ws.directory(f"{self.name}/{name}", owner, mode)

    def say(self, old, new):
        assert old in self.config, old
        self.config = self.config.replace(old, new)

    def grants(self):
        return self.config[self.config.index("grants = (") + len("grants = ("):self.config.rindex(");")].rstrip()

    def state(self):
        """Everything in it: name, mode, owner, size and time."""
        found = {}
        for folder, names, files in os.walk(self.home):
            for name in [".", *names, *files]:
                s = os.lstat(os.path.join(folder, name))
                found[os.path.join(folder, name)] = (s.st_mode, s.st_uid, s.st_size, s.st_mtime_ns)
        return found

    def check(self, *options, uid=0):
        path = ws.file(f"{self.name}.conf", self.config)
        before = self.state()
        done = subprocess.run([CHECKER, "check", "-c", path, *options], capture_output=True, text=True, timeout=60,
                              user=uid, group=uid, extra_groups=[], env={"ASAN_OPTIONS": "detect_leaks=0"})
        assert self.state() == before, "it touched what it looked at"
        assert "not-to-be-seen" not in done.stdout + done.stderr
        return done

    def start(self):
        return Holdfast(ws, self.config, name=f"{self.name}-run", wait=False)


def move_away(name):
    return lambda h: os.rename(h.at(name), h.at(name) + ".away")


def folder(name, **how):
    return lambda h: h.folder(name, **how)


def linked(name):
    def link(h):
        h.folder("elsewhere")
        os.symlink(h.at("elsewhere"), h.at(name))
    return link


@promise
def a_start_that_fails_says_so_to_whoever_started_it_and_the_log_why():
    house = House()
    house.folder("ledger", mode=0o755)
    path = ws.file(f"{house.name}.conf", house.config)
    done = subprocess.run([BINARY, "run", "-c", path], capture_output=True, text=True, timeout=300,
                          env={"ASAN_OPTIONS": "detect_leaks=0"}, check=False)
    assert done.returncode == 78 and "did not start" in done.stderr and house.at("log") in done.stderr, done
    with open(house.at("log"), encoding="utf-8") as f:
        assert "mode 0755 is open to others: chmod 0700 it" in f.read()


def also(accept, more):
    """The gate takes another proof beside, by something of which the file is not there."""
    def add(h):
        h.say('names = ["https://orders.test"];', f'names = ["https://orders.test"]; accept = ["wimse", "{accept}"]; '
              + more.replace("GONE", h.at("gone")))
    return add


ISSUER = 'issuers = ( { issuer = "https://as.test"; audience = "https://orders.test"; %s } );'


# What is spoilt, the key that is named, and the words beside it.
STUMBLES = [
    ("no-such-user", lambda h: h.say(f'user = "{PROXY_UID}"', 'user = "no-such-user-here"'), "user", "no-such-user-here"),
    ("user-is-root", lambda h: h.say(f'user = "{PROXY_UID}"', 'user = "root"'), "user", "as root"),
    ("user-is-the-workload", lambda h: h.say(f'user = "{PROXY_UID}"', f'user = "{WORKLOAD_UID}"'), "workload.uid", "Holdfast's own"),
    ("key-gone", move_away("gate.key"), "doors", "gate.key"),
    ("key-of-root-alone", lambda h: os.chown(h.at("gate.key"), 0, 0), "doors", "gate.key"),
    ("key-open", lambda h: os.chmod(h.at("gate.key"), 0o640), "doors", "gate.key"),
    ("certificate-gone", move_away("gate.pem"), "doors", "gate.pem"),
    ("trust-gone", move_away("service.pem"), "upstream_trust", "service.pem"),
    ("trust-unreadable", lambda h: (os.chown(h.at("service.pem"), 0, 0), os.chmod(h.at("service.pem"), 0o600)), "upstream_trust",
     "service.pem"),
    ("anchors-gone", move_away("jwks.json"), "doors[1].trust[0].jwks_file", "jwks.json"),
    ("issuers-keys-gone", also("dpop", ISSUER % 'jwks_file = "GONE";'), "doors[1].issuers[0].jwks_file", "gone"),
    ("issuers-trust-gone", also("dpop", ISSUER % 'jwks_url = "https://as.test/jwks"; trust = "GONE";'), "trust", "gone"),
    ("signers-keys-gone", also("httpsig", 'signature = { jwks_file = "GONE"; };'), "doors[1].signature.jwks_file", "gone"),
    ("clients-trust-gone", also("mtls", 'clients_trust = "GONE";'), "clients_trust", "gone"),
    ("keep-open", folder("ca", mode=0o755), "ca.keep", "shut to others"),
    ("keep-of-another", folder("ca", owner=OTHER_UID), "ca.keep", "Holdfast's or root's"),
    ("keep-not-writable", folder("authority", owner=0), "authority.keep", "cannot be written to"),
    ("keep-is-a-link", linked("ca"), "ca.keep", "no directory"),
    ("keep-is-a-file", lambda h: h.put("ca", b"", 0o600), "ca.keep", "no directory"),
    ("keep-below-a-file", lambda h: (h.put("file", b"", 0o600), h.say("/authority\"", "/file/authority\"")), "authority.keep",
     "cannot be made"),
    ("ledger-open", folder("ledger", mode=0o750), "ledger.keep", "shut to others"),
    ("ledger-of-another", folder("ledger", owner=OTHER_UID), "ledger.keep", "Holdfast's or root's"),
    ("ledger-is-a-link", linked("ledger"), "ledger.keep", "no directory"),
    ("publish-open", folder("public", mode=0o777), "ca.publish", "shut to others"),
    ("control-open", folder("control", mode=0o777), "control.socket", "shut to others"),
    ("log-in-no-directory", lambda h: h.say("/log\"", "/logs/log\""), "log.path", "cannot be written"),
    ("one-handle-for-two-callers", lambda h: (h.say('source = {', 'handle = { value = "0123456789abcdef"; }; source = {'),
                                              h.say(h.grants(), h.grants() + "," + h.grants().replace('"tests"', '"more"').replace(
                                                  f"uid = {WORKLOAD_UID}", f"uid = {OTHER_UID}"))), "credentials.hub.handle.value",
     "two callers"),
    ("log-of-another", lambda h: os.chown(h.put("log", b"", 0o644), 0, 0), "log.path", "cannot be written"),
]


@rows(STUMBLES)
def what_check_refuses_would_not_have_started(row):
    _, spoil, key, words = row
    house = House()
    spoil(house)
    done = house.check()
    assert done.returncode == 78, done
    assert any(f": {key}: " in line and words in line for line in done.stderr.splitlines()), done
    assert ".conf:" in done.stderr and "no errors" not in done.stdout, done
    if key not in ("control.socket", "ledger.keep"):     # which another start than this build's may serve
        h = house.start()
        assert h.wait_exit() != 0, "\n".join(h.text)
        assert not any(li.get("msg") == "ready" for li in h.lines)


@promise
def what_check_passes_starts():
    house = House()
    done = house.check()
    assert done.returncode == 0 and "no errors" in done.stdout and '"error"' not in done.stderr, done
    house.say(house.at("log"), "-")     # where the test can wait for it
    h = house.start()
    h.wait_for("ready")
    h.stop()


@promise
def directories_that_stand_already_are_as_good():
    house = House()
    for name, mode in (("ca", 0o700), ("authority", 0o700), ("ledger", 0o700), ("public", 0o755), ("control", 0o755)):
        house.folder(name, mode=mode)
    assert house.check().returncode == 0


@promise
def every_stumble_is_told_at_once():
    house = House()
    move_away("gate.key")(house)
    folder("ca", mode=0o755)(house)
    house.say("/log\"", "/logs/log\"")
    done = house.check()
    for key in ("ca.keep", "log.path", "doors"):
        assert f": {key}: " in done.stderr, done


def old(house):
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(house.at("secret"), (long_ago, long_ago))


SECRETS = [
    ("gone", move_away("secret"), "No such file"),
    ("unreadable", lambda h: os.chown(h.at("secret"), 0, 0), f"Permission denied for uid {PROXY_UID}: chown {PROXY_UID} it, and chmod 0400"),
    ("a-directory", lambda h: (os.unlink(h.at("secret")), h.folder("secret")), "what needs it is refused"),
    ("everybodys", lambda h: os.chmod(h.at("secret"), 0o644), "mode 0644 lets others in, or group write: chmod 0400 it; what needs it"),
    ("empty", lambda h: h.put("secret", b"\n", 0o600), "is empty"),
    ("two-lines", lambda h: h.put("secret", b"not-to-be-seen\nby-anybody\n", 0o600), "write the secret alone, on one line"),
    ("old", old, "its rotation is overdue"),
]


@rows(SECRETS)
def a_secret_that_is_not_as_it_should_be_is_a_warning(row):
    _, spoil, words = row
    house = House()
    spoil(house)
    done = house.check()
    assert done.returncode == 0 and "no errors" in done.stdout, done
    told = [line for line in done.stdout.splitlines() if "no errors" not in line]
    assert len(told) == 1 and house.at("secret") not in done.stderr, ("not told once", done)
    assert ".conf:" in told[0] and ": credentials.hub.source.path: " in told[0] and words in told[0], done
    linted = house.check("--lint")
    assert linted.returncode == 1 and any(": warning: " in line and words in line for line in linted.stdout.splitlines()), linted


# ---- credentials of other sources, and a gate that takes their proofs

PAPERS = 'owner = "a@example"; approved_by = "b@example"; ticket = "T-3"; rotate_every = "30d"; privileges = "read";'

SOURCES = f"""
  signer = {{ {PAPERS} source = {{ kind = "key"; path = "HOME/signer.pem"; }}; }};
  client = {{ {PAPERS} source = {{ kind = "certificate"; certificate = "HOME/client.pem"; key = "HOME/client.key"; }}; }};
  helped = {{ {PAPERS} source = {{ kind = "command"; command = ["/bin/true"]; }}; }};
  minted = {{ {PAPERS} source = {{ kind = "oauth"; token_endpoint = "https://idp.test/token"; client_id = "builder";
             client_auth = "client_secret_post"; client_secret = "HOME/idp"; client_certificate = "client"; }}; }};
"""

USES = """,
  { host = "signed.test"; methods = ["GET"]; paths = "any"; credential = "signer"; bind = ["httpsig"]; inject = "always"; },
  { host = "tls.test"; methods = ["GET"]; paths = "any"; credential = "client"; bind = ["mtls"]; inject = "always"; },
  { host = "helped.test"; methods = ["GET"]; paths = "any"; credential = "helped"; bind = ["bearer"]; unbound_because = "none better"; },
  { host = "minted.test"; methods = ["GET"]; paths = "any"; credential = "minted"; bind = ["dpop", "mtls"]; },
  { host = "own.test"; methods = ["GET"]; paths = "any"; own_proof = "pass"; } ); }
);
"""


def bound_house():
    """A house whose rules bind in every way that takes a file."""
    house = House()
    leaf = ws.leaf("client.test", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    for name, source in (("client.pem", leaf.certificate), ("client.key", leaf.key), ("signer.pem", leaf.key)):
        with open(source, "rb") as f:
            house.put(name, f.read(), 0o600)
    house.put("idp", b"not-to-be-seen-either\n", 0o600)
    house.say("};\ngrants = (", SOURCES.replace("HOME", house.home) + "};\ngrants = (")
    house.config = house.config[:house.config.rindex(" ); }")] + USES
    return house


@promise
def every_kind_of_source_passes_where_its_files_are():
    done = bound_house().check()
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and "no errors" in done.stdout, done


@rows([("client.pem", "client"), ("client.key", "client"), ("idp", "minted")])
def a_file_that_a_source_lacks_is_a_warning(row):
    house = bound_house()
    os.unlink(house.at(row[0]))
    done = house.check()
    assert done.returncode == 0 and house.at(row[0]) in done.stdout and "is refused until then" in done.stdout, done
    assert any(f": credentials.{row[1]}.source: " in line for line in done.stdout.splitlines()), done


# What is changed, the key that is named, and what its message says to write.
CROSSED = [
    ('bind = ["dpop", "mtls"]', 'bind = ["mtls", "dpop"]', "grants[0].rules[4].bind", 'write "dpop" before "mtls"'),
    ('bind = ["dpop", "mtls"]', 'bind = ["wimse"]', "grants[0].rules[4].bind[0]", 'write "dpop", "mtls" or "bearer"'),
    (' client_certificate = "client";', "", "grants[0].rules[4].bind[1]", 'write client_certificate = "NAME";'),
    ('client_certificate = "client"', 'client_certificate = "signer"', "credentials.minted.source.client_certificate", "certificate"),
    ('"client_secret_post"', '"private_key_jwt"', "credentials.minted.source.client_key", "write client_key = "),
    ("/idp\"", "/public/idp\"", "credentials.minted.source.client_secret", "write another directory"),
    ("/client.key\"", "/public/client.key\"", "credentials.client.source.key", "write another directory"),
    ("https://idp.test/token", "http://idp.test/token", "credentials.minted.source.token_endpoint", "begins with https://"),
    ('bind = ["mtls"]; inject = "always";', 'bind = ["mtls"];', "grants[0].rules[2].inject", 'write inject = "always";'),
    ('own_proof = "pass"', 'own_proof = "pass"; signature = { }', "grants[0].rules[5].signature", 'write credential = "..."'),
    ('own_proof = "pass"', 'own_proof = "pass"; credential = "minted"; bind = ["dpop"]', "grants[0].rules[5].own_proof", "remove one"),
    ('names = ["https://orders.test"];', 'names = ["https://orders.test"]; accept = ["mtls"];', "doors[1].clients_trust",
     "write clients_trust = "),
    ('names = ["https://orders.test"];', 'names = ["https://orders.test"]; accept = ["wimse", "dpop"];', "doors[1].issuers",
     "write issuers = "),
    ('names = ["https://orders.test"];', 'names = ["https://orders.test"]; nonce = "demand";', "doors[1].nonce",
     'write "dpop" in accept'),
    ('purposes = "any";', 'purposes = "any"; bindings = ["dpop"];', "doors[1].rules[0].bindings[0]", "add it to its accept"),
]


@rows(CROSSED)
def keys_that_do_not_fit_together_are_refused_with_what_to_write(row):
    old_text, new_text, key, words = row
    house = bound_house()
    house.say(old_text, new_text)
    done = house.check()
    told = done.stderr.splitlines()
    assert done.returncode == 78 and any(f": {key}: " in line and words in line for line in told), done


@promise
def lint_tells_of_a_proof_that_passes_by_us_and_fails_nobody():
    done = bound_house().check("--lint")
    assert done.returncode == 0 and any(": note: grant tests: " in line and "own.test" in line for line in done.stdout.splitlines()), done


@promise
def that_root_must_name_a_user_stands_before_all_else():
    house = House()
    house.say(f'user = "{PROXY_UID}";', "")
    os.unlink(house.at("secret"))
    done = house.check()  # its gate's key is not root's
    told = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 78 and ": user: is missing" in told[0] and len(told) > 2, done
    os.chown(house.at("gate.key"), 0, 0)
    done = house.check()
    told = done.stdout.splitlines()
    assert done.returncode == 0 and ": user: is missing" in told[0] and len(told) > 2, done


@promise
def the_user_itself_sees_what_root_sees_with_its_eyes():
    house = House()
    assert house.check(uid=PROXY_UID).returncode == 0
    os.chmod(house.at("gate.key"), 0o640)
    done = house.check(uid=PROXY_UID)
    assert done.returncode == 78 and "gate.key" in done.stderr, done


@promise
def somebody_else_is_told_what_was_not_looked_at():
    house = House()
    os.unlink(house.at("gate.key"))
    done = house.check(uid=OTHER_UID)
    assert done.returncode == 0 and ": note: user: " in done.stdout and "were not looked at" in done.stdout, done
    house.say("methods =", "methdos =")
    assert house.check(uid=OTHER_UID).returncode == 78


main(ws.remove)

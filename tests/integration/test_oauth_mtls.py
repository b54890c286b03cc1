"""Access tokens bound to a client certificate (RFC 8705): the server that gives them and the service that takes them see the
same certificate, also when it is rotated."""

import secrets
import threading

import jose
from client_certs import Clients, Kept, asking, shown
from holdfast import ADDRESSES, PATIENCE, main, own_network, promise
from patience import until

own_network(ADDRESSES)

from oauth_scene import begin, get, line_of, refusal, s, stop, verb  # noqa: E402

BY_CERTIFICATE = 'client_auth = "mtls"; client_certificate = "shop";'


class Shown:
    """Both services ask for a certificate; tokens are bound to the one that was shown, as their own text says."""

    def __init__(self, told=BY_CERTIFICATE, **changed):
        self.clients = Clients(s.ws)
        self.kept = Kept(s.ws, "shop", self.clients.make("shop.client"))
        inside = s.config(source=s.source(auth=told), bind='["mtls"]', **changed)
        self.config = lambda h: inside(h).replace("credentials = {", "credentials = {" + self.kept.credential("shop"), 1)
        self.h = s.start(config=self.config)
        s.server.clients["agent:7%"] = "certificate"
        self.ask()
        s.server.answer = self.give
        s.service._judge = self.judge
        self.bound, self.given = {}, []         # by token: the certificate's x5t
        self.judged = []

    def ask(self):
        s.server.origin._context = asking(s.ws.leaf("as.test"), self.clients)
        s.service.origin._context = asking(s.ws.leaf("api.test"), self.clients)

    def give(self, connection, request, form):
        del request, form
        x5t = shown(connection.sock)
        header = jose.b64('{"alg":"ES256","typ":"at+jwt"}')
        claims = jose.b64('{"cnf":{"x5t#S256":"%s"},"jti":"%s"}' % (self.says(x5t), secrets.token_hex(8)))
        value = f"{header}.{claims}.c2ln"
        self.bound[value] = x5t
        self.given.append(value)
        s.server.reply(connection, 200, {"access_token": value, "token_type": "Bearer", "expires_in": 600})
        return True

    says = staticmethod(lambda x5t: x5t)

    def judge(self, request):
        (authorization,) = request.all("authorization")
        scheme, _, value = authorization.partition(" ")
        seen = shown(request.connection.sock)
        self.judged.append((value, seen))
        assert scheme == "Bearer" and self.bound[value] == seen, (authorization, seen)


@promise
def a_token_is_bound_to_the_certificate_that_both_are_shown():
    scene = Shown()
    task = begin(scene.h)
    assert [get(scene.h).status for _ in range(2)] == [200, 200], (s.server.faults, scene.h.tail())
    (value,) = scene.given
    assert {seen for _, seen in scene.judged} == {scene.bound[value]}
    line = scene.h.wait_requests(1)[0]
    assert (line["binding"], line["key"]) == ("mtls", scene.bound[value]) and "proof" not in line, line
    assert line_of(scene.h, "token minted")["form"] == "mtls"
    assert verb(scene.h, "task_end", id=task)["revocation"] == "revoked", s.server.faults
    stop(scene.h)


@promise
def a_rotated_certificate_gets_a_token_of_its_own_and_no_request_is_lost():
    scene = Shown()
    begin(scene.h)
    assert get(scene.h).status == 200, (s.server.faults, scene.h.tail())
    first = scene.judged[-1][1]
    scene.kept.put(scene.clients.make("shop.client"))

    def shows_the_next():
        answer = get(scene.h)
        assert answer.status == 200, (answer.status, answer.body, scene.h.tail())
        return scene.judged[-1][1] != first
    until(shows_the_next, what="the next certificate")
    assert len(scene.given) == 2, scene.given
    stop(scene.h)


class Held:
    """A TLS context whose first handshake waits until it is let."""

    def __init__(self, context):
        self.context, self.begun, self.let = context, threading.Event(), threading.Event()

    def wrap_socket(self, sock, server_side):
        if not self.begun.is_set():
            self.begun.set()
            self.let.wait()
        return self.context.wrap_socket(sock, server_side=server_side)


@promise
def who_connects_with_a_certificate_of_a_config_and_files_that_are_no_more_is_refused():
    slowly = dict(more='limits = { handshake_timeout = "1h"; };', task="standing", workers=1)
    scene = Shown(**slowly)
    held = s.service.origin._context = Held(s.service.origin._context)
    found = []
    late = threading.Thread(target=lambda: found.append(get(scene.h)))
    late.start()
    assert held.begun.wait(PATIENCE)
    assert scene.h.reload(lambda h: scene.config(h) + "# another\nlog = { level = \"debug\"; };\n")["msg"] == "config reloaded"
    scene.kept.put(scene.clients.make("shop.client"))
    until(lambda: get(scene.h).status == 200 and len(scene.given) == 2, what="the next certificate")
    held.let.set()
    late.join()
    assert found[0].status == 503, (found[0].status, found[0].body)
    scene.h.wait_line(lambda li: li.get("reason") == "certificate_changed", what="its line")
    stop(scene.h)


@promise
def a_token_that_is_bound_to_another_certificate_or_to_none_is_not_presented():
    scene = Shown()
    begin(scene.h)
    scene.says = lambda x5t: x5t[::-1]
    refusal(scene.h, "token_unbound")
    assert not s.service.origin.requests
    stop(scene.h)


if __name__ == "__main__":
    main(s.end)

"""Access tokens once they are there: the nonces that their proofs carry, whose they are and for how long, how they are taken
back, and what a workload may bring of its own."""

import os
import secrets
import signal
import threading

import access
import jose
from authorization_server import AuthorizationServer, Refused
from control import Control
from holdfast import ADDRESSES, PUBLIC2, WORKLOAD_UID, main, own_network, promise
from patience import until

own_network(ADDRESSES)

from oauth_scene import SECRET, begin, get, line_of, records, refusal, s, says_nothing, stop, verb  # noqa: E402


# ---- nonces

@promise
def a_nonce_that_the_server_wants_is_learned_in_one_more_try_and_from_any_answer():
    h = s.start()
    s.server.nonce = "first"
    begin(h)
    assert get(h).status == 200
    assert len(s.server.asked) == 2 and len(s.server.tokens) == 1
    stop(h)


@promise
def a_server_that_wants_one_nonce_after_the_other_is_asked_twice():
    h = s.start()
    def always(connection, request, form):
        del request, form
        s.server.nonce = secrets.token_hex(8)
        raise Refused("use_dpop_nonce")
    s.server.answer = always
    begin(h)
    refusal(h, "as_refused")
    assert len(s.server.asked) == 2
    stop(h)


@promise
def a_nonce_that_the_service_wants_is_learned_in_one_more_try():
    h = s.start(workers=1)                      # each learns for itself
    s.service.nonce = "one"
    begin(h)
    answers = [get(h), get(h, method="POST", body=b"x" * 1000)]
    s.service.nonce = "two"
    answers += [get(h, method="POST", body=b"y" * 1000), get(h)]
    assert [a.status for a in answers] == [200] * 4, [(a.status, a.body) for a in answers]
    seen = [r.method for r in s.service.origin.requests]
    assert seen == ["GET", "GET", "POST", "POST", "POST", "GET"], seen
    assert [a.get("dpop-nonce") for a in answers] == [None] * 4
    stop(h)


@promise
def a_nonce_given_with_a_good_answer_is_used_in_the_next_request():
    h = s.start(workers=1)
    begin(h)
    s.service.tell_nonce = "from-a-200"
    assert get(h).status == 200
    s.service.nonce = "from-a-200"
    since = len(s.service.origin.requests)
    assert get(h).status == 200 and len(s.service.origin.requests) - since == 1
    stop(h)


@promise
def a_service_that_wants_one_nonce_after_the_other_is_asked_twice_and_its_401_is_passed_on():
    h = s.start()
    begin(h)
    real = s.service._judge
    def always(request):
        s.service.nonce = secrets.token_hex(8)
        real(request)
    s.service._judge = always
    answer = get(h)
    assert answer.status == 401 and len(s.service.origin.requests) == 2, (answer.status, len(s.service.origin.requests))
    stop(h)


@promise
def a_body_that_is_not_held_is_not_sent_twice():
    h = s.start()
    s.service.nonce = "one"
    begin(h)
    answer = get(h, method="POST", body=b"z" * 300000)
    assert answer.status == 401 and len(s.service.origin.requests) == 1
    stop(h)


# ---- whose it is, and for how long

@promise
def two_tasks_have_two_tokens_and_the_end_of_one_is_not_the_others():
    h = s.start()
    first, _ = begin(h), get(h)
    verb(h, "task_end", id=first)
    second, _ = begin(h), get(h)
    a, b = s.server.tokens
    assert a.jkt != b.jkt and a.revoked.is_set() and not b.revoked.is_set()
    verb(h, "task_end", id=second)
    assert b.revoked.is_set()
    stop(h)


@promise
def many_requests_at_once_wait_for_one_token():
    h = s.start()
    begin(h)
    gate = threading.Event()
    def slowly(connection, request, form):
        del connection, request, form
        gate.wait(60)
        return False
    s.server.answer = slowly
    found = []
    threads = [threading.Thread(target=lambda: found.append(get(h).status)) for _ in range(12)]
    for t in threads:
        t.start()
    s.server.wait_asked()
    until(lambda: sum(h_state["exchanges"] for h_state in h._states()) == 12, what="twelve that wait")
    gate.set()
    for t in threads:
        t.join()
    assert found == [200] * 12 and len(s.server.asked) == 1, (found, len(s.server.asked))
    stop(h)


@promise
def a_token_is_replaced_before_it_ends_while_the_one_before_is_used():
    h = s.start()
    s.server.life = 8                           # the next is asked for in its second half
    begin(h)
    assert get(h).status == 200
    def used_the_next():
        answer = get(h)
        assert answer.status == 200, (answer.status, answer.body)
        return len({value for value, _ in s.service.shown}) >= 3
    until(used_the_next, what="the third token")
    assert len({t.jkt for t in s.server.tokens}) == 1, "the task has one key"
    stop(h)


@promise
def a_task_that_ends_while_its_token_is_awaited_leaves_none_behind():
    h = s.start()
    task = begin(h)
    gate = threading.Event()
    def slowly(connection, request, form):
        del connection, request, form
        gate.wait(60)
        return False
    s.server.answer = slowly
    found = []
    t = threading.Thread(target=lambda: found.append(get(h)))
    t.start()
    s.server.wait_asked()
    assert verb(h, "task_end", id=task)["revocation"] == "none"
    t.join()
    assert found[0].status == 403, found[0].body
    gate.set()
    s.server.wait_revoked()
    (token,) = s.server.tokens
    until(token.revoked.is_set, what="the late token's revocation")
    until(lambda: [r["outcome"] for r in records(h, "revocation")] == ["revoked"], what="its record")
    stop(h)


# ---- taking back

def takes_back(answers):
    """Each of these once, then as it should."""
    left = list(answers)
    def revoke(connection, request, form):
        del request, form
        if not left:
            return False
        connection.reply(left.pop(0), b"")
        return True
    return revoke


@promise
def a_revocation_that_fails_is_tried_again_and_its_end_recorded():
    h = s.start()
    task = begin(h)
    assert get(h).status == 200
    s.server.revoke = takes_back([503])
    over = verb(h, "task_end", id=task)
    assert over["revocation"] in ("revoked", "pending"), over
    line = line_of(h, "token revoked")
    assert line["tries"] == 2, line
    stop(h)
    told = [r["revocation"] for r in records(h, "task_end")] + [r["outcome"] for r in records(h, "revocation")]
    assert told in (["revoked"], ["pending", "revoked"]), told


@promise
def a_revocation_that_is_refused_is_told_as_failed():
    h = s.start()
    task = begin(h)
    assert get(h).status == 200
    s.server.revoke = takes_back([400])
    assert verb(h, "task_end", id=task)["revocation"] == "failed:as_refused"
    assert len(s.server.revoked) == 1
    stop(h)


@promise
def an_end_does_not_wait_for_a_server_that_says_nothing():
    h = s.start()
    task = begin(h)
    assert get(h).status == 200
    s.server.revoke = says_nothing
    assert verb(h, "task_end", id=task)["revocation"] == "pending"
    s.server.revoke = None
    until(s.server.tokens[0].revoked.is_set, what="the second try")
    stop(h)


@promise
def holdfasts_own_end_takes_back_what_its_tasks_had():
    h = s.start(task="standing")
    assert get(h).status == 200
    h.stop()
    assert s.server.tokens[0].revoked.is_set()
    assert [r["revocation"] for r in records(h, "task_end")] == ["revoked"], records(h, "task_end")


@promise
def what_changes_while_the_last_token_is_taken_back_disturbs_nothing():
    h = s.start(task="standing")
    assert get(h).status == 200
    s.server.revoke = says_nothing
    h.kill(signal.SIGTERM)
    s.server.wait_revoked()
    line_of(h, "ended")
    s.file("client-secret", SECRET)
    assert verb(h, "status")["workers"] == []
    assert h.wait_exit() == 0, h.tail()
    h.assert_clean()
    assert [r["revocation"] for r in records(h, "task_end")] in (["pending"], ["failed:as_timeout"])


@promise
def a_credential_that_a_reload_changes_is_asked_for_anew_and_the_token_before_is_taken_back():
    h = s.start(task="standing")
    assert get(h).status == 200
    assert h.reload(s.config(source=s.source('scope = "more";'), task="standing"))["msg"] == "config reloaded"
    assert get(h).status == 200
    assert s.server.asked[1]["scope"] == ["more"] and s.service.shown[1][0] == s.server.tokens[1].value
    assert s.server.tokens[0].jkt != s.server.tokens[1].jkt
    until(s.server.tokens[0].revoked.is_set, what="the revocation of what was got before")
    assert not s.server.tokens[1].revoked.is_set()
    h.stop()


@promise
def a_credential_that_comes_back_is_asked_for_anew():
    h = s.start(task="standing")
    assert get(h).status == 200
    for more in ('scope = "more";', ""):
        assert h.reload(s.config(source=s.source(more), task="standing"))["msg"] == "config reloaded"
    def used_another():
        answer = get(h)
        return answer.status == 200 and s.service.shown[-1][0] != s.server.tokens[0].value
    until(used_another, what="another token than the one that is taken back")
    h.stop()


@promise
def who_waits_for_a_token_by_a_credential_that_a_reload_changes_is_refused_and_the_next_is_served():
    h = s.start(task="standing")
    gate = threading.Event()
    def slowly(connection, request, form):
        del connection, request, form
        gate.wait(60)
        return False
    s.server.answer = slowly
    since, found = h.mark(), []
    t = threading.Thread(target=lambda: found.append(get(h)))
    t.start()
    s.server.wait_asked()
    s.server.answer = None
    for more in ('scope = "more";', ""):
        assert h.reload(s.config(source=s.source(more), task="standing"))["msg"] == "config reloaded"
    t.join()
    assert h.wait_requests(1, since)[0]["reason"] == "credential_unavailable", found[0].body
    until(lambda: get(h).status == 200, what="a token")
    gate.set()
    h.stop()


@promise
def a_refresh_token_that_was_replaced_is_not_shown_again_after_a_reload():
    grant = f'''grant_type = "refresh_token"; refresh_token = "{s.file('rotated', 'rt-1')}";'''
    h = s.start(source=s.source(grant=grant), task="standing")
    s.server.refresh_tokens["rt-1"] = True
    assert get(h).status == 200
    assert h.reload(s.config(source=s.source('scope = "more";', grant=grant), task="standing"))["msg"] == "config reloaded"
    assert get(h).status == 200
    assert [form["refresh_token"][0] for form in s.server.asked] == list(s.server.refresh_tokens)[:2]
    h.stop()


@promise
def a_secret_that_comes_late_is_used_without_waiting_for_the_next_try():
    h = s.start()
    begin(h)
    os.remove(s.secret)
    h.wait_line(lambda li: li.get("msg") == "secrets read" and li["unavailable"] == 1, what="the secret missing")
    refusal(h, "credential_unavailable")
    since = h.index()
    s.secret = s.file("client-secret", SECRET)
    h.wait_line(lambda li: li.get("msg") == "secrets read" and li["unavailable"] == 0, since, what="the secret back")
    until(lambda: get(h).status == 200, what="a token")
    stop(h)


@promise
def a_task_that_is_renewed_has_a_token_of_its_own_and_what_the_one_before_had_is_taken_back():
    h = s.start(task="standing", ttl="12s")     # renewed five seconds before its end
    assert get(h).status == 200
    (first,) = s.server.tokens

    def has_another():
        answer = get(h)
        assert answer.status == 200, (answer.status, answer.body)
        return len(s.server.tokens) > 1
    until(has_another, what="the next task's token")
    assert s.server.tokens[1].jkt != first.jkt
    until(first.revoked.is_set, what="the revocation of what the one before had")
    h.stop()
    assert all(t.revoked.is_set() for t in s.server.tokens), [t.revoked.is_set() for t in s.server.tokens]
    assert "pending" in {r["revocation"] for r in records(h, "task_end")}
    assert {r["outcome"] for r in records(h, "revocation")} == {"revoked"}, records(h, "revocation")


@promise
def what_was_judged_before_holdfast_stops_gets_its_token_still():
    h = s.start(task="standing")
    gate = threading.Event()

    def slowly(connection, request, form):
        del connection, request, form
        gate.wait(60)
        return False
    s.server.answer = slowly
    found = []
    t = threading.Thread(target=lambda: found.append(get(h).status))
    t.start()
    s.server.wait_asked()
    h.kill(signal.SIGTERM)
    h.wait_draining()
    gate.set()
    t.join()
    assert found == [200] and h.wait_exit() == 0
    assert [token.revoked.is_set() for token in s.server.tokens] == [True]


# ---- servers that keep each other waiting

CROWD = range(20000, 20070)


def start_with_second():
    """A crowd whose tokens are of one server, and "nightly", whose is of another."""
    inside = s.config(source=s.source('timeout = "4m";'), workers=1)
    def config(h):
        told = inside(h)
        one = told[told.index('  { name = "nightly"'):told.index(" ); } );") + 5]
        credential = told[told.index("  crm = {"):told.index("  orders = {")]
        other = credential.replace("crm =", "other =").replace("https://as.test/", "https://second.test/")
        grants = [one.replace("nightly", f"n{uid}").replace(f"uid = {WORKLOAD_UID}", f"uid = {uid}") for uid in CROWD]
        grants.append(one.replace('"crm"', '"other"'))
        return told.replace(one, ",".join(grants)).replace(credential, credential + other).replace(
            'hosts = ( ', f'hosts = ( {{ name = "second.test"; addresses = ["{PUBLIC2}"]; }}, ')
    h = s.start(config=config)
    second = AuthorizationServer(PUBLIC2, s.ws.leaf("second.test"), name="second.test")
    s.standing.append(second)
    second.clients["agent:7%"] = SECRET
    s.service._judge = lambda request: None
    return h, second, [verb(h, "task_start", grant=f"n{uid}")["id"] for uid in CROWD]


@promise
def a_server_that_says_nothing_keeps_nobody_from_the_token_of_another():
    h, second, _ = start_with_second()
    s.server.answer = says_nothing
    begin(h)
    waiting = [h.tls("api.test:443", uid=uid) for uid in CROWD]
    for c in waiting:
        c.send(b"GET /v1/x HTTP/1.1\r\nHost: api.test\r\n\r\n")
    until(lambda: sum(state["exchanges"] for state in h._states()) == len(CROWD), what="all that wait")
    s.server.wait_asked(16)
    assert get(h).status == 200 and len(second.tokens) == 1 and len(s.server.asked) == 16
    for c in waiting:
        c.close()
    stop(h)


@promise
def a_server_that_says_nothing_delays_no_revocation_by_another():
    h, second, crowd = start_with_second()
    task = begin(h)
    assert [h.get("/v1/x", target="api.test:443", uid=uid).status for uid in CROWD] == [200] * len(CROWD)
    assert get(h).status == 200 and len(second.tokens) == 1
    s.server.revoke = says_nothing
    for one in crowd:                           # nobody waits to hear of these ends
        with Control(h.run + "/control.sock") as c:
            c.say("task_end", id=one)
            until(lambda: all(t["id"] != one for t in verb(h, "task_list")["tasks"]), what="its end")
    s.server.wait_revoked(16)
    verb(h, "task_end", id=task)
    second.wait_revoked()
    assert len(s.server.revoked) < 64, len(s.server.revoked)    # whom all turns had been given would have been heard before
    s.server.revoke = None
    until(lambda: all(token.revoked.is_set() for token in s.server.tokens), what="the crowd's turns")
    stop(h)


# ---- proofs of a workload's own

def with_own_proof():
    own = f''', {{ host = "api.test"; methods = ["GET"]; paths = ["/own/**"]; upstream_trust = "{s.ws.ca.file}"; own_proof = "pass"; }}'''
    inside = s.config()
    return s.start(config=lambda h: inside(h).replace('inject = "always";   }', 'inject = "always";   }' + own))


@promise
def a_workloads_own_proof_passes_only_where_the_rule_says_so_and_spelt_as_it_is_sent():
    h = with_own_proof()
    begin(h)
    s.service._judge = lambda request: None
    s.service.tell_nonce = "for-the-workload"
    token = secrets.token_urlsafe(24)
    own = jose.Key()
    def with_own(path):
        return [*access.shown(own, token, s.service.base + path), ("X-Api-Key", "k"), ("Cookie", "a=b")]
    def sent_with(path, fields):
        answer = get(h, path, fields=fields)
        sent = s.service.origin.requests[-1]
        return answer, sent.all("authorization"), sent.all("dpop")
    fields = with_own("/own/a")
    answer, authorization, proofs = sent_with("/own/a?q", fields)
    assert answer.status == 200 and authorization == ["DPoP " + token] and proofs == [fields[1][1]]
    sent = s.service.origin.requests[-1]
    assert sent.get("x-api-key") is None and sent.get("cookie") is None
    assert answer.get("dpop-nonce") == "for-the-workload", answer.fields
    bare = access.proof(own, token, s.service.base + "/own/a", ath=None)        # as at an authorization server
    assert sent_with("/own/a", [("DPoP", bare)])[1:] == ([], [bare])
    since = h.mark()
    assert get(h, "/own/%61", fields=fields).status == 403
    assert h.wait_requests(1, since)[0]["reason"] == "own_proof_path"
    answer, _, proofs = sent_with("/v1/x", fields)
    assert proofs != [fields[1][1]] and len(proofs) == 1 and answer.status == 200
    stop(h)


@promise
def what_is_no_proof_or_not_of_this_token_is_no_workloads_own():
    h = with_own_proof()
    begin(h)
    s.service._judge = lambda request: None
    own, url = jose.Key(), s.service.base + "/own/a"
    proof = access.proof(own, "own", url)
    stolen = ("Authorization", "DPoP stolen")
    for fields, passes in [
            ([("Authorization", "Bearer stolen")], []),
            ([stolen], []),
            ([stolen, ("DPoP", "stolen")], []),
            ([stolen, ("DPoP", proof)], [proof]),
            ([("Authorization", "DPoP own, Bearer stolen"), ("DPoP", proof)], [proof]),
            ([("Authorization", "DPoP own"), ("Authorization", "Bearer stolen"), ("DPoP", proof)], [proof]),
            ([("Authorization", "DPoP own"), ("DPoP", proof), ("DPoP", "stolen")], []),
            ([("Authorization", "DPoP own"), ("DPoP", access.proof(own, "own", url, header={"typ": "JWT"}))], [])]:
        assert get(h, "/own/a", fields=fields).status == 200
        sent = s.service.origin.requests[-1]
        assert sent.all("dpop") == passes and sent.get("authorization") is None, (fields, sent.fields)
    stop(h)


if __name__ == "__main__":
    main(s.end)

/* What we send, read by others. Whatever requests our wire takes from a client are
 * written anew, as the proxy does it, and given to llhttp and to http-parser: each must
 * find exactly one message, and no byte left, with the method, target, Host, fields and
 * framing we meant. And what our wire takes, llhttp takes for the same, but for the
 * commented list in tests/unit/http/partner.h. */
#include "tests/fuzz/cuts.h"

#include "base/path.h"
#include "tests/fuzz/second.h"
#include "tests/unit/http/partner.h"

enum { SECONDS_MAX = 4 };

PREPARE_NOTHING

/* ---- the proxy in one breath */

struct passage {
    struct arena *arena;
    struct buf from_client, to_client, to_upstream, from_upstream;
    struct wire *down, *up;
    struct stream *asked, *passed;
    struct request request;
    struct text path, query, host;
    struct buf body;
};

static void
passage_open(struct passage *p, struct text bytes)
{
    *p = (struct passage){ .arena = arena_new() };
    buf_add(&p->from_client, bytes);
    p->down = wire_new(WIRE_HTTP1, WIRE_SERVER, &narrow_limits, &p->from_client,
                       &p->to_client);
    p->up = wire_new(WIRE_HTTP1, WIRE_CLIENT, &narrow_limits, &p->from_upstream,
                     &p->to_upstream);
    wire_read_closed(p->down);
}

static void
passage_close(struct passage *p)
{
    if (p->asked != NULL)
        stream_close(p->asked);
    if (p->passed != NULL)
        stream_close(p->passed);
    wire_free(p->down);
    wire_free(p->up);
    arena_free(p->arena);
    buf_free(&p->from_client);
    buf_free(&p->to_client);
    buf_free(&p->to_upstream);
    buf_free(&p->from_upstream);
    buf_free(&p->body);
}

/* The head is one that goes on: no tunnel, names that agree, a path in one spelling. */
static bool
judge_head(struct passage *p)
{
    char *room = arena_alloc(p->arena, AUTHORITY_PRINT_SIZE);
    struct request *r = &p->request;
    struct authority named;
    struct text name = r->form == TARGET_ABSOLUTE ? r->authority : r->host;

    /* A WebSocket's handshake is ours on either side, not passed on. */
    if (r->upgrade == UPGRADE_WEBSOCKET || r->form == TARGET_AUTHORITY ||
        judge_names(r) != REASON_OK || name.n == 0 ||
        authority_parse(name, 80, &named) != REASON_OK)
        return false;
    p->host = authority_print(&named, 80, room);
    return path_normalise(p->arena, r->target, &p->path, &p->query) == REASON_OK;
}

static bool
pass_head(struct passage *p)
{
    enum reason why;

    if (wire_next(p->down, &p->asked) != FLOW_OK ||
        stream_read_request(p->asked, p->arena, &p->request, &why) != FLOW_OK ||
        !judge_head(p))
        return false;
    p->passed = wire_open(p->up);
    PROMISE(p->passed != NULL);
    stream_write_request(p->passed, &p->request, p->path, p->query, p->host);
    return true;
}

/* False when the client's body never came whole: what was sent is not a message then.
 */
static bool
pass_body(struct passage *p)
{
    struct text piece;
    enum reason why;
    enum flow flow;

    while ((flow = stream_read_body(p->asked, p->arena, &piece, &why)) == FLOW_OK) {
        stream_write_body(p->passed, piece);
        buf_add(&p->body, piece);
    }
    if (flow != FLOW_END)
        return false;
    stream_write_end(p->passed, stream_trailers(p->asked));
    return true;
}

/* ---- the readers behind us */

static void
expect(const struct passage *p, struct buf *told)
{
    buf_add(told, p->request.method);
    buf_add_z(told, " ");
    buf_add(told, p->path);
    if (p->query.at != NULL) {
        buf_add_z(told, "?");
        buf_add(told, p->query);
    }
    buf_add_z(told, "\n");
    tell_fields(told, &p->request.headers);
    buf_add_z(told, "\n");
    buf_add(told, buf_text(&p->body));
    buf_add_z(told, "\n");
    tell_fields(told, stream_trailers(p->asked));
}

static void
print_both(const char *who, struct text sent, struct text theirs, struct text ours)
{
    fprintf(stderr, "sent:\n");
    print_bytes(sent.at, sent.n);
    fprintf(stderr, "%s:\n", who);
    print_bytes(theirs.at, theirs.n);
    fprintf(stderr, "ours:\n");
    print_bytes(ours.at, ours.n);
}

static size_t
count_fields(const struct partner *p, const char *name, struct text *value)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_fields; i++) {
        if (!text_equals_nocase(buf_text(&p->names[i]), text_z(name)))
            continue;
        *value = buf_text(&p->values[i]);
        n++;
    }
    return n;
}

static void
promise_llhttp(const struct passage *p)
{
    static struct partner theirs;
    struct buf told = { 0 };
    struct text value, sent = buf_text(&p->to_upstream);

    expect(p, &told);
    partner_read(&theirs, HTTP_REQUEST, sent);
    if (!text_equals(buf_text(&theirs.told), buf_text(&told)))
        print_both("llhttp", sent, buf_text(&theirs.told), buf_text(&told));
    PROMISE(theirs.error == HPE_OK && theirs.n_whole == 1);
    PROMISE(text_equals(buf_text(&theirs.told), buf_text(&told)));
    PROMISE(count_fields(&theirs, "Host", &value) == 1 && text_equals(value, p->host));
    PROMISE(count_fields(&theirs, "Content-Length", &value) +
                count_fields(&theirs, "Transfer-Encoding", &value) <=
            1);
    PROMISE(count_fields(&theirs, "Connection", &value) == 0);
    partner_free(&theirs);
    buf_free(&told);
}

/* True when one went through. */
static bool
pass_one(struct text bytes, size_t *taken)
{
    struct passage p;
    bool went;

    passage_open(&p, bytes);
    went = pass_head(&p) && pass_body(&p);
    if (went) {
        struct buf told = { 0 };

        promise_llhttp(&p);
        expect(&p, &told);
        PROMISE(second_reads(buf_text(&p.to_upstream), buf_text(&told), p.host));
        buf_free(&told);
        *taken = bytes.n - buf_length(&p.from_client);
    }
    passage_close(&p);
    return went;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = input_of(data, size);
    size_t taken;

    partner_compares("an input", t.at, t.n);
    for (unsigned i = 0; i < SECONDS_MAX && t.n > 0 && pass_one(t, &taken); i++)
        t = text_of(t.at + taken, t.n - taken);
    return 0;
}

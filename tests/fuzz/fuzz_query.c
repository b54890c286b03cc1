/* DNS queries. What is taken for one is exactly one question with at most one OPT
 * record behind it, to a plain reader too; what is answered fits where it is to go,
 * repeats the question byte for byte, and is itself no query. The first byte says what
 * is answered.
 */
#include "tests/fuzz/fuzz.h"

#include "base/dns_message.h"

PREPARE_NOTHING

/* How long the question at the front is, read as plainly as can be; 0: there is none.
 */
static size_t
measure_question(struct text t)
{
    size_t at = 0;

    while (at < t.n && t.at[at] != 0) {
        if ((unsigned char)t.at[at] > 63)
            return 0;
        at += 1 + (size_t)t.at[at];
    }
    return at + 5 <= t.n && at + 1 <= DNS_NAME_MAX ? at + 5 : 0;
}

static unsigned
u16_at(struct text t, size_t at)
{
    return (unsigned)((unsigned char)t.at[at] << 8 | (unsigned char)t.at[at + 1]);
}

static void
promise_question(struct text message, const struct dns_query *q)
{
    struct text behind = text_of(message.at + DNS_HEAD, message.n - DNS_HEAD);
    size_t n = measure_question(behind);

    PROMISE(n > 0 && q->n_question == n && memcmp(q->question, behind.at, n) == 0);
    PROMISE(q->type == u16_at(behind, n - 4) && q->class == u16_at(behind, n - 2));
    PROMISE(q->n_name == (n == 5 ? 0 : n - 6));
    PROMISE(q->has_edns == (message.n > DNS_HEAD + n));
    PROMISE(!q->has_edns || (behind.at[n] == 0 && u16_at(behind, n + 1) == DNS_OPT &&
                             behind.n == n + 11 + u16_at(behind, n + 9)));
    PROMISE(u16_at(message, 4) == 1 && u16_at(message, 6) == 0 &&
            u16_at(message, 8) == 0 && u16_at(message, 10) == q->has_edns);
}

static void
promise_name(const struct dns_query *q)
{
    size_t at = 0, n = 0;

    while (q->question[at] != 0) {
        size_t label = (size_t)q->question[at++];

        PROMISE(n == 0 || q->name[n++] == '.');
        PROMISE(memcmp(q->name + n, q->question + at, label) == 0);
        PROMISE(!q->is_text || memchr(q->name + n, '.', label) == NULL);
        n += label;
        at += label;
    }
    PROMISE(n == q->n_name);
}

static void
promise_answer(const struct dns_query *q, unsigned char how)
{
    static const enum dns_code codes[] = { DNS_NOERROR,  DNS_FORMERR, DNS_SERVFAIL,
                                           DNS_NXDOMAIN, DNS_NOTIMP,  DNS_REFUSED,
                                           DNS_BADVERS,  DNS_NOERROR };
    static const struct address some[64] = { { .family = AF_INET },
                                             { .family = AF_INET6 },
                                             { .family = AF_INET } };
    struct dns_answer a = {
        .code = codes[how % 8], .addresses = some, .n = how / 8, .ttl_s = how
    };
    char out[DNS_UDP_MOST + 1] = { 0 };
    size_t room = dns_room(q), n;
    struct dns_query back;

    PROMISE(room >= DNS_UDP_LEAST && room <= DNS_UDP_MOST);
    out[room] = 0x55;
    n = dns_answer_write(q, &a, out, room);
    PROMISE(n <= room && n >= DNS_HEAD + (size_t)q->n_question && out[room] == 0x55);
    PROMISE(memcmp(out + DNS_HEAD, q->question, q->n_question) == 0);
    PROMISE(u16_at(text_of(out, n), 0) == q->id);
    PROMISE(dns_query_read(text_of(out, n), &back) == DNS_SILENCE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text in = input_of(data, size);
    unsigned char how = take_byte(&in);
    struct text message = copy_exactly(in);
    struct dns_query q;
    enum dns_code code = dns_query_read(message, &q);

    if (code == DNS_NOERROR || code == DNS_BADVERS) {
        promise_question(message, &q);
        promise_name(&q);
    }
    PROMISE((code == DNS_SILENCE) ==
            (message.n < DNS_HEAD || ((unsigned char)message.at[2] & 0x80) != 0));
    if (code != DNS_SILENCE)
        promise_answer(&q, how);
    free_copy(message);
    return 0;
}

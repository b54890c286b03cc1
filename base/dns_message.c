#include "base/dns_message.h"

#include <assert.h>
#include <stdio.h>

enum {
    FLAG_RESPONSE = 0x8000,
    OPCODE = 0x7800,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION_DESIRED = 0x0100,
    FLAG_RECURSION_AVAILABLE = 0x0080,
    FLAG_CHECKING_DISABLED = 0x0010,
    /* Nobody who asks has any of these to say: AA, TC, RA, Z, and a code. */
    FLAGS_OF_ANSWERS = 0x06cf,
    LABEL_MOST = 63,
    DNSSEC_OK = 0x8000,
    POINTER_TO_QUESTION = 0xc000 | DNS_HEAD,
    OPT_SIZE = 11, /* without options */
    RECORD_HEAD = 12
};

/* ---- reading */

struct reader {
    const unsigned char *at, *end;
};

static bool
take_u8(struct reader *r, uint8_t *out)
{
    if (r->at == r->end)
        return false;
    *out = *r->at++;
    return true;
}

static bool
take_u16(struct reader *r, uint16_t *out)
{
    if (r->end - r->at < 2)
        return false;
    *out = (uint16_t)(r->at[0] << 8 | r->at[1]);
    r->at += 2;
    return true;
}

static bool
skip(struct reader *r, size_t n)
{
    if ((size_t)(r->end - r->at) < n)
        return false;
    r->at += n;
    return true;
}

/* One label behind those that are there. A length above 63 is a pointer, or nothing at
 * all: in the only name of a message there is nothing to point to. */
static bool
take_label(struct reader *r, size_t n, struct dns_query *out)
{
    const unsigned char *label = r->at;

    if (n > LABEL_MOST || !skip(r, n) || out->n_name + n + 1 > sizeof out->name)
        return false;
    if (out->n_name > 0)
        out->name[out->n_name++] = '.';
    memcpy(out->name + out->n_name, label, n);
    out->n_name = (uint16_t)(out->n_name + n);
    if (memchr(label, '.', n) != NULL)
        out->is_text = false;
    return true;
}

static bool
take_name(struct reader *r, struct dns_query *out)
{
    const unsigned char *begin = r->at;
    uint8_t n;

    out->is_text = true;
    while (take_u8(r, &n)) {
        if (n == 0)
            return r->at - begin <= DNS_NAME_MAX;
        if (!take_label(r, n, out))
            return false;
    }
    return false;
}

static bool
take_question(struct reader *r, struct dns_query *out)
{
    const unsigned char *begin = r->at;

    if (!take_name(r, out) || !take_u16(r, &out->type) || !take_u16(r, &out->class))
        return false;
    out->n_question = (uint16_t)(r->at - begin);
    memcpy(out->question, begin, out->n_question);
    return true;
}

/* RFC 6891: at the root, its class a size, its TTL a version and flags, in it options
 * that we have no use for. */
static bool
take_opt(struct reader *r, struct dns_query *out, uint8_t *version)
{
    uint16_t type, flags, n;
    uint8_t root, code;
    struct reader options;

    if (!take_u8(r, &root) || root != 0 || !take_u16(r, &type) || type != DNS_OPT ||
        !take_u16(r, &out->udp_size) || !take_u8(r, &code) || !take_u8(r, version) ||
        !take_u16(r, &flags) || !take_u16(r, &n))
        return false;
    options = (struct reader){ r->at, r->at + n };
    if (!skip(r, n))
        return false;
    while (options.at < options.end)
        if (!take_u16(&options, &type) || !take_u16(&options, &n) || !skip(&options, n))
            return false;
    out->has_edns = true;
    out->wants_dnssec = (flags & DNSSEC_OK) != 0;
    return true;
}

/* How many questions, answers, authorities and additions it has. */
static bool
take_counts(struct reader *r, uint16_t counts[4])
{
    for (size_t i = 0; i < 4; i++)
        if (!take_u16(r, &counts[i]))
            return false;
    return true;
}

enum dns_code
dns_query_read(struct text message, struct dns_query *out)
{
    const unsigned char *at = (const unsigned char *)message.at;
    struct reader r = { at, at + message.n };
    uint16_t counts[4];
    uint8_t version = 0;

    out->n_question = out->n_name = out->type = out->class = 0;
    out->udp_size = DNS_UDP_LEAST;
    out->has_edns = out->wants_dnssec = out->is_text = false;
    if (!take_u16(&r, &out->id) || !take_u16(&r, &out->flags) ||
        !take_counts(&r, counts) || (out->flags & FLAG_RESPONSE) != 0)
        return DNS_SILENCE;
    if ((out->flags & OPCODE) != 0)
        return DNS_NOTIMP;
    if ((out->flags & FLAGS_OF_ANSWERS) != 0 || counts[0] != 1 || counts[1] != 0 ||
        counts[2] != 0 || counts[3] > 1 || !take_question(&r, out))
        return DNS_FORMERR;
    if ((counts[3] == 1 && !take_opt(&r, out, &version)) || r.at != r.end)
        return DNS_FORMERR;
    return version == 0 ? DNS_NOERROR : DNS_BADVERS;
}

/* ---- words */

static const struct {
    uint16_t type;
    const char *word;
} types[] = {
    { DNS_A, "A" },   { 2, "NS" },     { 5, "CNAME" },     { 6, "SOA" },
    { 12, "PTR" },    { 15, "MX" },    { 16, "TXT" },      { DNS_AAAA, "AAAA" },
    { 33, "SRV" },    { 35, "NAPTR" }, { DNS_OPT, "OPT" }, { 43, "DS" },
    { 48, "DNSKEY" }, { 64, "SVCB" },  { 65, "HTTPS" },    { 251, "IXFR" },
    { 252, "AXFR" },  { 255, "ANY" },
};

const char *
dns_type_print(uint16_t type, char out[DNS_TYPE_PRINT_SIZE])
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].word;
    snprintf(out, DNS_TYPE_PRINT_SIZE, "TYPE%u", type);
    return out;
}

const char *
dns_code_word(enum dns_code code)
{
    static const char *const words[] = {
        [DNS_NOERROR] = "NOERROR",   [DNS_FORMERR] = "FORMERR",
        [DNS_SERVFAIL] = "SERVFAIL", [DNS_NXDOMAIN] = "NXDOMAIN",
        [DNS_NOTIMP] = "NOTIMP",     [DNS_REFUSED] = "REFUSED",
        [DNS_BADVERS] = "BADVERS",
    };

    assert(code != DNS_SILENCE);
    return words[code];
}

/* ---- writing */

static char *
put_u16(char *out, unsigned n)
{
    out[0] = (char)(n >> 8 & 0xff);
    out[1] = (char)(n & 0xff);
    return out + 2;
}

static char *
put_bytes(char *out, const void *from, size_t n)
{
    memcpy(out, from, n);
    return out + n;
}

static int
family_of(uint16_t type)
{
    return type == DNS_A ? AF_INET : type == DNS_AAAA ? AF_INET6 : -1;
}

static size_t
count_family(const struct dns_answer *a, int family)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++)
        n += a->addresses[i].family == family;
    return n;
}

static char *
put_head(char *out, const struct dns_query *q, enum dns_code code, bool cut, size_t n)
{
    unsigned kept = OPCODE | FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED;

    out = put_u16(out, q->id);
    out = put_u16(out, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | (q->flags & kept) |
                           (cut ? FLAG_TRUNCATED : 0) | ((unsigned)code & 0xf));
    out = put_u16(out, q->n_question > 0);
    out = put_u16(out, (unsigned)n);
    out = put_u16(out, 0);
    return put_u16(out, q->has_edns);
}

static char *
put_address(char *out, const struct dns_query *q, const struct address *a,
            uint32_t ttl_s)
{
    size_t n = a->family == AF_INET ? 4 : 16;

    out = put_u16(out, POINTER_TO_QUESTION);
    out = put_u16(out, q->type);
    out = put_u16(out, DNS_IN);
    out = put_u16(out, ttl_s >> 16);
    out = put_u16(out, ttl_s & 0xffff);
    out = put_u16(out, (unsigned)n);
    return put_bytes(out, a->bytes, n);
}

static char *
put_opt(char *out, const struct dns_query *q, enum dns_code code)
{
    *out++ = 0;
    out = put_u16(out, DNS_OPT);
    out = put_u16(out, DNS_UDP_MOST);
    *out++ = (char)((unsigned)code >> 4);
    *out++ = 0;
    out = put_u16(out, q->wants_dnssec ? DNSSEC_OK : 0);
    return put_u16(out, 0);
}

size_t
dns_answer_write(const struct dns_query *q, const struct dns_answer *a, char *out,
                 size_t room)
{
    int family = a->code == DNS_NOERROR ? family_of(q->type) : -1;
    size_t n = count_family(a, family),
           each = RECORD_HEAD + (family == AF_INET ? 4 : 16);
    bool cut = DNS_HEAD + q->n_question + n * each + OPT_SIZE > room;
    char *at = put_head(out, q, a->code, cut, cut ? 0 : n);

    assert(room >= DNS_UDP_LEAST);
    at = put_bytes(at, q->question, q->n_question);
    for (size_t i = 0; i < a->n && !cut; i++)
        if (a->addresses[i].family == family)
            at = put_address(at, q, &a->addresses[i], a->ttl_s);
    if (q->has_edns)
        at = put_opt(at, q, a->code);
    return (size_t)(at - out);
}

size_t
dns_room(const struct dns_query *q)
{
    if (q->udp_size < DNS_UDP_LEAST)
        return DNS_UDP_LEAST;
    return q->udp_size < DNS_UDP_MOST ? q->udp_size : DNS_UDP_MOST;
}

/* DNS messages (RFC 1035, RFC 6891), as far as a door needs them that answers which
 * address a name has: a question read strictly, an answer written. Values alone: no
 * socket, no clock, no memory of its own.
 *
 * A question is one plain question: opcode QUERY, one name without compression, nothing
 * but an OPT record behind it, and not a byte more. Of an answer the question is the
 * very bytes that were asked, so that a client which varies their case (0x20) knows it
 * for its own. */
#ifndef BASE_DNS_MESSAGE_H
#define BASE_DNS_MESSAGE_H

#include "base/address.h"

enum {
    DNS_HEAD = 12,
    DNS_NAME_MAX = 255,                  /* on the wire */
    DNS_QUESTION_MAX = DNS_NAME_MAX + 4, /* with type and class */
    DNS_UDP_LEAST = 512,                 /* what every client takes, … */
    DNS_UDP_MOST = 1232,                 /* … and what we send and take at most */
    DNS_TCP_MOST = 65535
};

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_OPT = 41 };
enum dns_class { DNS_IN = 1 };

enum dns_code {
    DNS_SILENCE = -1, /* no question at all: an answer would answer an answer */
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16
};

struct dns_query {
    uint16_t id, flags;
    uint16_t type, class;
    uint16_t udp_size; /* the most the client takes in one datagram */
    bool has_edns, wants_dnssec;
    bool is_text; /* no label holds a dot, so that `name` says what was asked */
    uint16_t n_question;
    uint16_t n_name;
    char
        question[DNS_QUESTION_MAX]; /* as it came; n_question 0: it could not be read */
    char name[DNS_NAME_MAX];        /* its labels, a dot between two; bytes as they
                                       came, of any value */
};

/* DNS_NOERROR, or what is to be answered instead; `out` has then what could be read. */
MUST_USE enum dns_code dns_query_read(struct text message, struct dns_query *out);

static inline struct text
dns_query_name(const struct dns_query *q)
{
    return text_of(q->name, q->n_name);
}

/* "A", "AAAA" …, or "TYPE65" in `out`. */
enum { DNS_TYPE_PRINT_SIZE = sizeof "TYPE65535" };
const char *dns_type_print(uint16_t type, char out[DNS_TYPE_PRINT_SIZE]);
/* "NOERROR", "REFUSED" … */
const char *dns_code_word(enum dns_code code);

struct dns_answer {
    enum dns_code code;
    const struct address *addresses; /* those of the type that was asked for are told */
    size_t n;
    uint32_t ttl_s;
};

/* At most `room` bytes, at least DNS_UDP_LEAST; how many. Addresses are told whole or,
 * where they do not fit, not at all, with the sign to come again over TCP. */
size_t dns_answer_write(const struct dns_query *q, const struct dns_answer *a,
                        char *out, size_t room);
/* What a client that asked so takes in one datagram. */
size_t dns_room(const struct dns_query *q);

#endif

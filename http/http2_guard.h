/* What a peer may cost: frames are counted before anyone acts on them, also those that
 * the library swallows without a word. Two budgets, each refilled by the clock: one of
 * streams taken back, by either side, since a peer can make us reset what it asked for
 * (CVE-2023-44487, CVE-2025-8671), or break it so that we refuse it, which each request
 * that was let be answered refills by one too; one of frames that move nothing, which
 * streams and body bytes refill too. It knows frame headers alone.
 */
#ifndef HTTP_HTTP2_GUARD_H
#define HTTP_HTTP2_GUARD_H

#include "base/text.h"

enum {
    GUARD_RESETS = 200, /* at once … */
    GUARD_RESETS_PER_S = 20,
    GUARD_IDLE = 1000, /* frames that move nothing, at once … */
    GUARD_IDLE_PER_S = 10,
    GUARD_SETTINGS = 8,    /* one of these costs like so many others */
    GUARD_PER_STREAM = 16, /* what a stream earns, … */
    GUARD_PER_DATA_IN = 2, /* a piece of body that came, … */
    GUARD_PER_DATA_OUT =
        8, /* and one that went: its receiver answers with windows, … */
    GUARD_BYTES_OUT = 256,    /* … some with one for every so many of its bytes */
    GUARD_BYTES_AS_ONE = 1024 /* of a frame that nobody reads */
};

struct budget {
    int32_t left, most, per_s;
    int64_t filled_ms;
};

struct guard {
    struct budget resets, idle;
    bool of_client;
    unsigned preface_left; /* of the client's magic bytes */
    uint8_t header[9];
    uint8_t n_header;
    uint32_t payload_left; /* of the frame that is coming */
    bool is_body;          /* it is DATA */
    bool in_head;          /* a head's first frame has begun, its last has not ended */
    bool ends_head;
};

/* of_client: the peer is one; else a service. */
void guard_init(struct guard *g, bool of_client);
/* Reads on, up to the frame that spends a budget: returns how many bytes may be acted
 * on. What they bring in may fill it again. */
size_t guard_watch(struct guard *g, struct text bytes);
/* A budget is spent. */
bool guard_is_spent(const struct guard *g);

/* Something other than a body has begun to come and has not come whole. */
bool guard_is_amid(const struct guard *g);

void guard_note_reset(struct guard *g);
/* A client's request was whole, and was answered whole. */
void guard_note_answer(struct guard *g);
void guard_earn(struct guard *g, int32_t n);

#endif

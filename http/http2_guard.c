#include "http/http2_guard.h"

#include "base/clock.h"

#include <string.h>

/* RFC 9113 section 6. */
enum {
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    GOAWAY = 7,
    CONTINUATION = 9,
    END_HEADERS = 0x04,
    HEADER_BYTES = 9,
    MAGIC_BYTES = 24, /* a client's first (section 3.4) */
    FRAME_MAX = 16384 /* we offer no more */
};

void
guard_init(struct guard *g, bool of_client)
{
    int64_t now = clock_monotonic_ms();

    *g = (struct guard){ .of_client = of_client };
    g->preface_left = of_client ? MAGIC_BYTES : 0;
    g->resets = (struct budget){ GUARD_RESETS, GUARD_RESETS, GUARD_RESETS_PER_S, now };
    g->idle = (struct budget){ GUARD_IDLE, GUARD_IDLE, GUARD_IDLE_PER_S, now };
}

static void
earn(struct budget *b, int64_t n)
{
    b->left = n >= b->most - b->left ? b->most : b->left + (int32_t)n;
}

static void
refill(struct budget *b)
{
    int64_t now = clock_monotonic_ms(), n = (now - b->filled_ms) * b->per_s / 1000;

    if (n <= 0)
        return;
    earn(b, n);
    b->filled_ms = now;
}

/* The clock is asked only when half is gone: most peers never get there. */
static void
spend(struct budget *b, int32_t n)
{
    b->left -= n;
    if (b->left < b->most / 2)
        refill(b);
}

/* What is read to be thrown away costs by its length too. A frame that is too long is
 * the session's to refuse. */
static int32_t
cost_of(const struct guard *g)
{
    uint32_t n = g->payload_left < FRAME_MAX ? g->payload_left : FRAME_MAX;
    uint8_t type = g->header[3];

    if (type == SETTINGS)
        return GUARD_SETTINGS;
    if (type == GOAWAY || type > CONTINUATION)
        return (int32_t)(1 + n / GUARD_BYTES_AS_ONE);
    return 1;
}

static void
begin_frame(struct guard *g)
{
    const uint8_t *h = g->header;
    bool is_head = h[3] == HEADERS || h[3] == CONTINUATION;

    g->payload_left = (uint32_t)h[0] << 16 | (uint32_t)h[1] << 8 | h[2];
    g->n_header = 0;
    g->is_body = h[3] == DATA;
    if (is_head)
        g->in_head = true;
    g->ends_head = is_head && (h[4] & END_HEADERS) != 0;
    spend(&g->idle, cost_of(g));
    /* A service takes back only what we asked it for. */
    if (h[3] == RST_STREAM && g->of_client)
        spend(&g->resets, 1);
}

static void
pass_payload(struct guard *g, size_t n)
{
    g->payload_left -= (uint32_t)n;
    if (g->payload_left == 0 && g->ends_head)
        g->in_head = g->ends_head = false;
}

static size_t
take_header(struct guard *g, struct text rest)
{
    size_t n = HEADER_BYTES - g->n_header;

    n = n < rest.n ? n : rest.n;
    memcpy(g->header + g->n_header, rest.at, n);
    g->n_header = (uint8_t)(g->n_header + n);
    return n;
}

size_t
guard_watch(struct guard *g, struct text bytes)
{
    size_t at = g->preface_left < bytes.n ? g->preface_left : bytes.n, n;

    g->preface_left -= (unsigned)at;
    while (at < bytes.n) {
        struct text rest = text_of(bytes.at + at, bytes.n - at);

        if (g->payload_left > 0) {
            n = g->payload_left < rest.n ? g->payload_left : rest.n;
            pass_payload(g, n);
            at += n;
            continue;
        }
        n = take_header(g, rest);
        if (g->n_header < HEADER_BYTES)
            return bytes.n;
        at += n;
        begin_frame(g);
        pass_payload(g, 0);
        if (guard_is_spent(g))
            return at;
    }
    return bytes.n;
}

bool
guard_is_spent(const struct guard *g)
{
    return g->resets.left < 0 || g->idle.left < 0;
}

bool
guard_is_amid(const struct guard *g)
{
    bool in_preface = g->preface_left > 0 && g->preface_left < MAGIC_BYTES;

    return g->in_head || in_preface || g->n_header > 0 ||
           (g->payload_left > 0 && !g->is_body);
}

void
guard_note_reset(struct guard *g)
{
    spend(&g->resets, 1);
}

/* Who takes back no more than he waits for costs less than twice what an honest client
 * does; a flood of resets lets nothing be answered, or too little. */
void
guard_note_answer(struct guard *g)
{
    earn(&g->resets, 1);
}

void
guard_earn(struct guard *g, int32_t n)
{
    earn(&g->idle, n);
}

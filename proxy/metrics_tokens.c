#include "proxy/metrics_sections.h"

#include "proxy/metrics_page.h"

static void
write_result(struct exposition *w, const struct family *f, const char *result,
             uint64_t n)
{
    sample_begin(w, f, "_total");
    sample_label(w, "result", result);
    sample_value(w, n);
}

/* Where there are no tasks there are no tokens. */
static void
write_obtained(struct exposition *w, const struct family *f)
{
    if (w->page->mint == NULL)
        return;
    write_result(w, f, "obtained", w->page->mint->minted);
    write_result(w, f, "failed", w->page->mint->failed);
}

static void
write_revoked(struct exposition *w, const struct family *f)
{
    if (w->page->revocation == NULL)
        return;
    write_result(w, f, "revoked", w->page->revocation->revoked);
    write_result(w, f, "failed", w->page->revocation->failed);
}

static void
write_asking(struct exposition *w, const struct family *f)
{
    if (w->page->mint != NULL)
        sample_one(w, f, w->page->mint->asking + w->page->mint->waiting);
}

static void
write_unrevoked(struct exposition *w, const struct family *f)
{
    if (w->page->revocation != NULL)
        sample_one(w, f, w->page->revocation->waiting);
}

/* ---- docs/OPERATING.md has the same rows */

/* clang-format off */
static const struct family families[] = {
    { "holdfast_access_tokens", COUNTER, "Tries to get an access token for a task, by what came of them.", write_obtained, 0 },
    { "holdfast_access_tokens_awaited", GAUGE, "Access tokens that a server is being asked for, or will be.", write_asking, 0 },
    { "holdfast_revocations", COUNTER, "Access tokens of tasks that have ended, by whether the server has taken them back.", write_revoked, 0 },
    { "holdfast_revocations_waiting", GAUGE, "Access tokens that are still to be taken back.", write_unrevoked, 0 },
};
/* clang-format on */

const struct section metrics_of_tokens = { families,
                                           sizeof families / sizeof families[0] };

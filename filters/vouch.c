/* vouch: forged facts out, proved facts in. */
#include "filters/vouch.h"

#include "filters/positions.h"
#include "tokens/dpop_verify.h"
#include "tokens/httpsig_verify.h"

static enum reason
vouch_open(const struct conf *conf, const void *settings, struct buf *report,
           void **state)
{
    (void)conf;
    (void)settings;
    (void)report;
    *state = positions_new();
    return REASON_OK;
}

static void
vouch_close(void *state)
{
    positions_free(state);
}

/* A credential that goes on to the service goes on as one. */
static void
take_steering(const struct positions *p, struct view *v, struct headers *h)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->n; i++) {
        enum position position = positions_header(p, h->at[i].name);

        if (position == POSITION_STEERING) {
            note_stripped(v, h->at[i].name);
            continue;
        }
        if (kept != i)
            h->at[kept] = h->at[i];
        h->at[kept++].never_index |= position != POSITION_PLAIN;
    }
    h->n = kept;
}

/* All that could be shown elsewhere, or here once more. A token that this gate did not
 * look at is the service's own affair. */
static void
take_proof(const struct view *v, struct headers *h)
{
    proof_strip(h);
    if (v->facts.binding == BINDING_DPOP || !text_is_empty(v->facts.issuer))
        dpop_strip(h);
    if (v->facts.binding == BINDING_HTTPSIG)
        httpsig_strip(h);
}

/* A workload is told by its own name. */
static struct text
subject_beside(const struct facts *f)
{
    return text_is_empty(f->context.workload) ? f->subject : text_z(NULL);
}

static struct verdict
vouch_request(void *state, struct view *v)
{
    const struct facts *f = &v->facts;
    const struct field said[] = {
        { .name = TEXT("X-Holdfast-Workload"), .value = f->context.workload },
        { .name = TEXT("X-Holdfast-Task"), .value = f->context.task },
        { .name = TEXT("X-Holdfast-Grant"), .value = f->context.grant },
        { .name = TEXT("X-Holdfast-Purpose"), .value = f->context.purpose },
        { .name = TEXT("X-Holdfast-Owner"), .value = f->context.owner },
        { .name = TEXT("X-Holdfast-Pod"), .value = f->context.pod },
        { .name = TEXT("X-Holdfast-Container"), .value = f->context.container },
        { .name = TEXT("X-Holdfast-Proof"), .value = f->proof_id },
        { .name = TEXT("X-Holdfast-Key"), .value = f->thumbprint },
        { .name = TEXT("X-Holdfast-Binding"),
          .value = text_z(binding_word(f->binding)) },
        { .name = TEXT("X-Holdfast-Subject"), .value = subject_beside(f) },
        { .name = TEXT("X-Holdfast-Issuer"), .value = f->issuer },
        { .name = TEXT("X-Holdfast-Client"), .value = f->client_id },
        { .name = TEXT("X-Holdfast-Scope"), .value = f->scope },
    };
    struct headers *h = &v->request->headers;
    size_t kept;

    if (v->gate_rule == NULL) /* nothing was proved */
        return deny(REASON_TOKEN_MISSING);
    take_steering(state, v, h);
    if (!v->door->keep_proof)
        take_proof(v, h);
    kept = h->n;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        if (!text_is_empty(said[i].value)) /* what this proof says nothing of */
            headers_add(h, said[i].name, said[i].value);
    v->presented = true;
    v->presented_at = kept;
    return pass();
}

/* A fact is forged behind the body as well as before it. */
static struct verdict
vouch_trailers(void *state, struct view *v, struct headers *trailers)
{
    take_steering(state, v, trailers);
    if (!v->door->keep_proof)
        take_proof(v, trailers);
    return pass();
}

const struct filter vouch_filter = {
    .name = "vouch",
    .open = vouch_open,
    .on_request = vouch_request,
    .on_trailers = vouch_trailers,
    .close = vouch_close,
};

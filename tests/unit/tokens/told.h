/* Messages as they are printed in a standard, read into the scene that a signature over
 * them is made of. */
#ifndef TESTS_TOKENS_TOLD_H
#define TESTS_TOKENS_TOLD_H

#include "tests/unit/tokens/published.h"

#include "base/path.h"
#include "tokens/signature_base.h"

struct told {
    struct presented presented;
    struct headers headers;
    struct signature_scene scene;
    struct text body;
};

/* "  folded": behind the line before. */
static inline struct text
told_line(struct text *rest, struct arena *a)
{
    struct text line = { "", 0 }, more;

    if (!text_split(rest, '\n', &line))
        return line;
    while (rest->n > 0 && rest->at[0] == ' ') {
        (void)text_split(rest, '\n', &more);
        more = text_trim(more);
        line = arena_printf(a, "%.*s %.*s", TEXT_ARG(line), TEXT_ARG(more));
    }
    return line;
}

static inline void
told_authority(struct told *t, struct text written)
{
    assert_int_equal(authority_parse(written, 443, &t->presented.authority), REASON_OK);
}

static inline void
told_target(struct told *t, struct text target, struct arena *a)
{
    struct text rest = target;

    t->scene.target = target;
    if (text_starts(target, TEXT("https://"))) {
        rest = text_of(target.at + 8, target.n - 8);
        while (rest.n > 0 && rest.at[0] != '/')
            rest = text_of(rest.at + 1, rest.n - 1);
    }
    if (text_starts(rest, TEXT("/")))
        assert_int_equal(
            path_normalise(a, rest, &t->presented.path, &t->presented.query),
            REASON_OK);
}

/* "POST /path HTTP/1.1", "HTTP/1.1 200 OK", or no such line at all. */
static inline bool
told_start(struct told *t, struct text line, struct arena *a)
{
    struct text word;

    if (text_starts(line, TEXT("HTTP/1.1 "))) {
        t->scene.status = atoi(line.at + 9);
        return true;
    }
    if (!text_ends(line, TEXT(" HTTP/1.1")))
        return false;
    (void)text_split(&line, ' ', &t->presented.method);
    (void)text_split(&line, ' ', &word);
    told_target(t, word, a);
    return true;
}

static inline void
told_field(struct told *t, struct signature_fields *f, struct text line)
{
    struct text name;

    assert_true(text_split(&line, ':', &name));
    if (text_ends(line, TEXT("(SP)")))
        line.n -= 4;
    line = text_trim(line);
    if (text_equals_nocase(name, TEXT("Content-Length"))) {
        f->has_length = text_to_u64(line, UINT64_MAX, &f->length);
        return;
    }
    if (!text_equals_nocase(name, TEXT("Host"))) {
        headers_add(&t->headers, name, line);
        return;
    }
    f->host = line;
    told_authority(t, line);
}

/* `t` must stay where it is while its scene is used. */
static inline void
told_read(struct told *t, struct text message, struct arena *a)
{
    struct signature_fields *f;
    struct text line;

    memset(t, 0, sizeof *t);
    t->presented.scheme = TEXT("https");
    t->scene.request = &t->presented;
    headers_init(&t->headers, a);
    line = told_line(&message, a);
    if (told_start(t, line, a))
        line = told_line(&message, a);
    f = t->scene.status == 0 ? &t->scene.asked : &t->scene.answered;
    f->headers = &t->headers;
    for (; line.n > 0; line = told_line(&message, a))
        told_field(t, f, line);
    t->body = message;
}

/* What the answer is to. */
static inline void
told_join(struct told *answer, const struct told *request)
{
    answer->scene.request = &request->presented;
    answer->scene.target = request->scene.target;
    answer->scene.asked = request->scene.asked;
}

/* A message of rfc9421/appendix-b2.json. */
static inline struct text
told_text(const struct json *m, struct arena *a)
{
    struct text start = member_text(m, "start_line");
    struct buf out = { 0 };
    struct text t;

    buf_add(&out, start);
    for (size_t i = 0; i < json_count(json_get(m, "fields")); i++) {
        const struct json *field = json_at(json_get(m, "fields"), i);
        struct text name = { NULL, 0 }, value = { NULL, 0 };

        assert_true(json_string(json_at(field, 0), &name));
        assert_true(json_string(json_at(field, 1), &value));
        buf_printf(&out, "\n%.*s: %.*s", TEXT_ARG(name), TEXT_ARG(value));
    }
    t = arena_copy(a, buf_text(&out));
    buf_free(&out);
    return t;
}

/* The inner list of a signature's input, as it stands behind the label. */
static inline struct sf_member
told_input(const char *input, struct arena *a)
{
    struct sf_field f;

    assert_true(sf_parse(SF_LIST, text_z(input), a, &f));
    assert_int_equal(f.n, 1);
    return f.at[0];
}

#endif

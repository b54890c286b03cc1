#include "tests/fuzz/second.h"

#include "tests/unit/http/driver.h"

#include <http_parser.h>

enum { SECOND_FIELDS = 64 };

struct second {
    struct http_parser parser;
    struct buf url, body;
    struct buf names[SECOND_FIELDS], values[SECOND_FIELDS];
    size_t n_fields, n_head_fields;
    bool in_value;
    unsigned n_begun, n_whole;
};

static int
on_begin(http_parser *hp)
{
    ((struct second *)hp->data)->n_begun++;
    return 0;
}

static int
on_url(http_parser *hp, const char *at, size_t n)
{
    buf_add(&((struct second *)hp->data)->url, text_of(at, n));
    return 0;
}

static int
on_name(http_parser *hp, const char *at, size_t n)
{
    struct second *s = hp->data;

    if (s->in_value || s->n_fields == 0)
        s->n_fields++;
    s->in_value = false;
    if (s->n_fields > SECOND_FIELDS)
        return 1;
    buf_add(&s->names[s->n_fields - 1], text_of(at, n));
    return 0;
}

static int
on_value(http_parser *hp, const char *at, size_t n)
{
    struct second *s = hp->data;

    s->in_value = true;
    buf_add(&s->values[s->n_fields - 1], text_of(at, n));
    return 0;
}

static int
on_head(http_parser *hp)
{
    struct second *s = hp->data;

    s->n_head_fields = s->n_fields;
    return 0;
}

static int
on_body(http_parser *hp, const char *at, size_t n)
{
    buf_add(&((struct second *)hp->data)->body, text_of(at, n));
    return 0;
}

static int
on_end(http_parser *hp)
{
    ((struct second *)hp->data)->n_whole++;
    return 0;
}

static void
tell_some(const struct second *s, size_t from, size_t to, struct buf *told)
{
    for (size_t i = from; i < to; i++)
        if (field_kind(buf_text(&s->names[i])) == FIELD_PLAIN)
            tell_field(told, buf_text(&s->names[i]),
                       text_trim(buf_text(&s->values[i])));
}

static void
tell(const struct second *s, struct buf *told)
{
    buf_add_z(told, http_method_str((enum http_method)s->parser.method));
    buf_add_z(told, " ");
    buf_add(told, buf_text(&s->url));
    buf_add_z(told, "\n");
    tell_some(s, 0, s->n_head_fields, told);
    buf_add_z(told, "\n");
    buf_add(told, buf_text(&s->body));
    buf_add_z(told, "\n");
    tell_some(s, s->n_head_fields, s->n_fields, told);
}

static bool
has_one_host(const struct second *s, struct text host)
{
    size_t n = 0, same = 0;

    for (size_t i = 0; i < s->n_fields; i++) {
        bool is_host = text_equals_nocase(buf_text(&s->names[i]), TEXT("Host"));

        n += is_host;
        same += is_host && text_equals(buf_text(&s->values[i]), host);
    }
    return n == 1 && same == 1;
}

static size_t
run(struct second *s, struct text sent)
{
    static const http_parser_settings settings = {
        .on_message_begin = on_begin,
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_end,
    };

    http_parser_init(&s->parser, HTTP_REQUEST);
    s->parser.data = s;
    return http_parser_execute(&s->parser, &settings, sent.at, sent.n);
}

static void
forget(struct second *s)
{
    for (size_t i = 0; i < SECOND_FIELDS; i++) {
        buf_free(&s->names[i]);
        buf_free(&s->values[i]);
    }
    buf_free(&s->url);
    buf_free(&s->body);
}

bool
second_reads(struct text sent, struct text told, struct text host)
{
    struct second s = { .n_fields = 0 };
    struct buf theirs = { 0 };
    bool fine = run(&s, sent) == sent.n && HTTP_PARSER_ERRNO(&s.parser) == HPE_OK &&
                s.n_begun == 1 && s.n_whole == 1;

    tell(&s, &theirs);
    fine = fine && text_equals(buf_text(&theirs), told) && has_one_host(&s, host);
    if (!fine)
        fprintf(stderr, "http-parser (%s) read %u messages:\n%.*s\n",
                http_errno_name(HTTP_PARSER_ERRNO(&s.parser)), s.n_whole,
                TEXT_ARG(buf_text(&theirs)));
    forget(&s);
    buf_free(&theirs);
    return fine;
}

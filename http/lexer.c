#include "http/lexer.h"

#include "http/octet.h"

#include <string.h>

enum {
    EXTENSION_MAX = 256, /* of one chunk line */
    EXTENSIONS_MAX =
        8 << 10, /* of one message: many bytes of nothing per byte of body */
    SIZE_DIGITS_MAX = 16,
    FIELDS_AT_ONCE = 16
};
/* No sender makes larger ones; a reader of 32 bits would see another size (ck-2p32 of
 * tests/vectors/http1-framing). */
static const uint64_t CHUNK_SIZE_MAX = INT32_MAX;

/* The methods http-parser knows, the frequent ones first. Not TRACE and TRACK: they
 * echo to the asker what we added for the upstream alone. */
static const char *const methods[] = {
    "GET",         "POST",    "PUT",       "DELETE",     "HEAD",       "PATCH",
    "OPTIONS",     "CONNECT", "PROPFIND",  "PROPPATCH",  "MKCOL",      "COPY",
    "MOVE",        "LOCK",    "UNLOCK",    "SEARCH",     "BIND",       "REBIND",
    "UNBIND",      "ACL",     "REPORT",    "MKACTIVITY", "CHECKOUT",   "MERGE",
    "M-SEARCH",    "NOTIFY",  "SUBSCRIBE", "PURGE",      "MKCALENDAR", "LINK",
    "UNSUBSCRIBE", "UNLINK",  "SOURCE",
};

enum state {
    METHOD_BYTE,
    TARGET_BYTE,
    VERSION_BYTE,
    VERSION_CR, /* behind a request's version */
    STATUS_BYTE,
    PHRASE_BYTE,
    LINE_LF,
    LINE_START, /* of a field, or of the empty line */
    NAME_BYTE,
    VALUE_START,
    VALUE_BYTE,
    LAST_LF, /* of the empty line */
    SIZE_BYTE,
    EXTENSION_NAME,
    EXTENSION_VALUE,
    EXTENSION_QUOTED,
    EXTENSION_PAIR, /* behind a backslash */
    EXTENSION_END,  /* behind a quoted value */
    SIZE_LF,
    DATA_CR, /* behind a chunk's data */
    DATA_LF,
    N_WORKING, /* from here on there is nothing to do */
    HEAD_WHOLE = N_WORKING,
    CHUNK_LINE_WHOLE,
    END_WHOLE,
    BAD
};

struct cursor {
    const unsigned char *base, *p, *end;
};

static enum state
refuse(struct lexer *l, enum reason why)
{
    bool is_of_field = why == REASON_LINE_END || why == REASON_FIELD_NAME ||
                       why == REASON_FIELD_VALUE || why == REASON_FIELD_FOLDED;

    l->why = l->in_trailer && is_of_field ? REASON_TRAILER : why;
    return BAD;
}

static uint32_t
offset(const struct cursor *c)
{
    return (uint32_t)(c->p - c->base);
}

static void
skip(struct cursor *c, unsigned class)
{
    const unsigned char *p = c->p;

    while (p < c->end && octet_is(*p, class))
        p++;
    c->p = p;
}

bool
lexer_knows_method(struct text name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strncmp(methods[i], name.at, name.n) == 0 && methods[i][name.n] == '\0')
            return true;
    return false;
}

static enum state
lex_method(struct lexer *l, struct cursor *c)
{
    skip(c, OCTET_TOKEN);
    if (c->p - c->base > LEXER_METHOD_MAX)
        return refuse(l, REASON_METHOD);
    if (c->p == c->end)
        return METHOD_BYTE;
    if (*c->p != ' ' || c->p == c->base)
        return refuse(l, REASON_REQUEST_LINE);
    l->method = (struct span){ 0, offset(c) };
    if (!lexer_knows_method(text_of((const char *)c->base, l->method.n)))
        return refuse(l, REASON_METHOD);
    c->p++;
    l->target.at = offset(c);
    return TARGET_BYTE;
}

static enum state
lex_target(struct lexer *l, struct cursor *c)
{
    skip(c, OCTET_TARGET);
    l->target.n = offset(c) - l->target.at;
    if (l->target.n > l->limits->target_bytes)
        return refuse(l, REASON_TARGET_TOO_LONG);
    if (c->p == c->end)
        return TARGET_BYTE;
    if (*c->p == '\r' || *c->p == '\n' || l->target.n == 0)
        return refuse(l, REASON_REQUEST_LINE);
    if (*c->p != ' ')
        return refuse(l, REASON_TARGET);
    c->p++;
    l->index = 0;
    return VERSION_BYTE;
}

/* "HTTP/" digit "." digit, in capitals (RFC 9112 section 2.3). */
static enum state
lex_version(struct lexer *l, struct cursor *c)
{
    static const char form[] = "HTTP/0.0";

    for (; c->p < c->end && form[l->index] != '\0'; c->p++, l->index++) {
        if (form[l->index] != '0') {
            if (*c->p != form[l->index])
                return refuse(l, REASON_REQUEST_LINE);
        } else if (octet_is(*c->p, OCTET_DIGIT)) {
            l->version = l->version * 10 + (*c->p - '0');
        } else {
            return refuse(l, REASON_VERSION);
        }
    }
    if (form[l->index] != '\0')
        return VERSION_BYTE;
    if (l->version != 10 && l->version != 11)
        return refuse(l, REASON_VERSION);
    l->index = 0;
    return l->role == WIRE_SERVER ? VERSION_CR : STATUS_BYTE;
}

static enum state
lex_version_cr(struct lexer *l, struct cursor *c)
{
    unsigned char byte = *c->p++;

    if (byte == '\r')
        return LINE_LF;
    if (byte == '\n')
        return refuse(l, REASON_LINE_END);
    return refuse(l,
                  octet_is(byte, OCTET_DIGIT) ? REASON_VERSION : REASON_REQUEST_LINE);
}

/* SP, three digits, and SP before the phrase; many servers that have no phrase leave
 * out that SP too, which no two readers take differently. */
static enum state
lex_status(struct lexer *l, struct cursor *c)
{
    unsigned char byte = *c->p++;

    if (l->index == 0 && byte != ' ')
        return refuse(l, REASON_REQUEST_LINE);
    if (l->index >= 1 && l->index <= 3) {
        if (!octet_is(byte, OCTET_DIGIT))
            return refuse(l, REASON_REQUEST_LINE);
        l->status = l->status * 10 + (byte - '0');
    }
    if (l->index++ < 4)
        return STATUS_BYTE;
    if (l->status < 100 || l->status > 599)
        return refuse(l, REASON_REQUEST_LINE);
    l->phrase = (struct span){ offset(c), 0 };
    if (byte == ' ')
        return PHRASE_BYTE;
    return byte == '\r' ? LINE_LF : refuse(l, REASON_REQUEST_LINE);
}

static enum state
lex_phrase(struct lexer *l, struct cursor *c)
{
    skip(c, OCTET_VALUE);
    if (c->p == c->end)
        return PHRASE_BYTE;
    if (*c->p != '\r')
        return refuse(l, *c->p == '\n' ? REASON_LINE_END : REASON_REQUEST_LINE);
    l->phrase.n = offset(c) - l->phrase.at;
    c->p++;
    return LINE_LF;
}

static enum state
lex_line_lf(struct lexer *l, struct cursor *c)
{
    return *c->p++ == '\n' ? LINE_START : refuse(l, REASON_LINE_END);
}

static enum state
lex_line_start(struct lexer *l, struct cursor *c)
{
    switch (*c->p) {
    case '\r':
        c->p++;
        return LAST_LF;
    case '\n':
        return refuse(l, REASON_LINE_END);
    case ' ':
    case '\t':
        return refuse(l, REASON_FIELD_FOLDED);
    default:
        break;
    }
    if (l->n_fields == l->limits->fields)
        return refuse(l, REASON_TOO_MANY_FIELDS);
    l->field = (struct lexed_field){ .name = { offset(c), 0 } };
    return NAME_BYTE;
}

static enum state
lex_name(struct lexer *l, struct cursor *c)
{
    skip(c, OCTET_PLAIN_NAME);
    if (c->p < c->end && *c->p == '_') {
        l->field.has_underscore = true;
        skip(c, OCTET_TOKEN);
    }
    if (c->p == c->end)
        return NAME_BYTE;
    l->field.name.n = offset(c) - l->field.name.at;
    /* A space before the colon hides a field from one reader and not from the next (RFC
     * 9112 section 5.1). */
    if (*c->p != ':' || l->field.name.n == 0)
        return refuse(l, REASON_FIELD_NAME);
    c->p++;
    return VALUE_START;
}

static bool
is_white(unsigned char c)
{
    return c == ' ' || c == '\t';
}

static enum state
lex_value_start(struct lexer *l, struct cursor *c)
{
    while (c->p < c->end && is_white(*c->p))
        c->p++;
    if (c->p == c->end)
        return VALUE_START;
    l->field.value.at = offset(c);
    return VALUE_BYTE;
}

static void
keep_field(struct lexer *l, const struct cursor *c)
{
    const unsigned char *end = c->p, *begin = c->base + l->field.value.at;

    while (end > begin && is_white(end[-1]))
        end--;
    l->field.value.n = (uint32_t)(end - begin);
    if (l->n_fields % FIELDS_AT_ONCE == 0) {
        buf_reserve(&l->fields, FIELDS_AT_ONCE * sizeof l->field);
        buf_commit(&l->fields, FIELDS_AT_ONCE * sizeof l->field);
    }
    ((struct lexed_field *)(void *)l->fields.mem)[l->n_fields] = l->field;
    l->n_fields++;
}

static enum state
lex_value(struct lexer *l, struct cursor *c)
{
    c->p = octet_skip_value(c->p, c->end);
    if (c->p == c->end)
        return VALUE_BYTE;
    if (*c->p != '\r')
        return refuse(l, *c->p == '\n' ? REASON_LINE_END : REASON_FIELD_VALUE);
    keep_field(l, c);
    c->p++;
    return LINE_LF;
}

static enum state
lex_last_lf(struct lexer *l, struct cursor *c)
{
    if (*c->p++ != '\n')
        return refuse(l, REASON_LINE_END);
    return l->in_trailer ? END_WHOLE : HEAD_WHOLE;
}

static unsigned
hex_value(unsigned char c)
{
    return octet_is(c, OCTET_DIGIT) ? c & 0x0fu : (c & 0x0fu) + 9;
}

/* Extensions are read to be dropped (RFC 9112 section 7.1.1). Bounded by the line and
 * by the message: CVE-2023-39326 of another server. */
static bool
is_within_extensions(struct lexer *l, size_t n)
{
    l->index += (unsigned)n;
    l->extension += n;
    l->extensions += n;
    return l->extension <= EXTENSION_MAX && l->extensions <= EXTENSIONS_MAX;
}

static enum state
end_extension(struct lexer *l, unsigned char byte)
{
    l->index = 0;
    if (byte == ';')
        return EXTENSION_NAME;
    return byte == '\r' ? SIZE_LF : refuse(l, REASON_CHUNK);
}

static enum state
lex_extension_name(struct lexer *l, struct cursor *c)
{
    const unsigned char *begin = c->p;

    skip(c, OCTET_TOKEN);
    if (!is_within_extensions(l, (size_t)(c->p - begin)))
        return refuse(l, REASON_CHUNK);
    if (c->p == c->end)
        return EXTENSION_NAME;
    if (l->index == 0 || *c->p != '=')
        return l->index == 0 ? refuse(l, REASON_CHUNK) : end_extension(l, *c->p++);
    c->p++;
    l->index = 0;
    return EXTENSION_VALUE;
}

static enum state
lex_extension_value(struct lexer *l, struct cursor *c)
{
    const unsigned char *begin = c->p;

    if (l->index == 0 && *c->p == '"') {
        c->p++;
        return EXTENSION_QUOTED;
    }
    skip(c, OCTET_TOKEN);
    if (!is_within_extensions(l, (size_t)(c->p - begin)))
        return refuse(l, REASON_CHUNK);
    if (c->p == c->end)
        return EXTENSION_VALUE;
    return l->index == 0 ? refuse(l, REASON_CHUNK) : end_extension(l, *c->p++);
}

static enum state
lex_extension_quoted(struct lexer *l, struct cursor *c)
{
    const unsigned char *begin = c->p;
    bool is_cut;

    skip(c, OCTET_QUOTED);
    is_cut = c->p == c->end;
    /* The byte behind is counted when it is read, not once for each cut before it. */
    if (!is_within_extensions(l, (size_t)(c->p - begin) + !is_cut))
        return refuse(l, REASON_CHUNK);
    if (is_cut)
        return EXTENSION_QUOTED;
    switch (*c->p++) {
    case '"':
        return EXTENSION_END;
    case '\\':
        return EXTENSION_PAIR;
    default:
        return refuse(l, REASON_CHUNK);
    }
}

static enum state
lex_extension_pair(struct lexer *l, struct cursor *c)
{
    return octet_is(*c->p++, OCTET_VALUE) ? EXTENSION_QUOTED : refuse(l, REASON_CHUNK);
}

static enum state
lex_extension_end(struct lexer *l, struct cursor *c)
{
    return end_extension(l, *c->p++);
}

static enum state
lex_size(struct lexer *l, struct cursor *c)
{
    for (; c->p < c->end && octet_is(*c->p, OCTET_HEX); c->p++) {
        if (l->index++ == SIZE_DIGITS_MAX)
            return refuse(l, REASON_CHUNK);
        l->chunk_size = l->chunk_size * 16 + hex_value(*c->p);
    }
    if (c->p == c->end)
        return SIZE_BYTE;
    if (l->index == 0 || (*c->p != ';' && *c->p != '\r') ||
        l->chunk_size > CHUNK_SIZE_MAX)
        return refuse(l, REASON_CHUNK);
    return end_extension(l, *c->p++);
}

/* Trailers are held until they are whole, so from here they have a head's ceiling. */
static enum state
begin_trailer(struct lexer *l, struct cursor *c)
{
    l->in_trailer = true;
    l->n_fields = 0;
    l->ceiling = offset(c) + l->limits->head_bytes;
    if ((size_t)(c->end - c->base) > l->ceiling)
        c->end = c->base + l->ceiling;
    return LINE_START;
}

static enum state
lex_size_lf(struct lexer *l, struct cursor *c)
{
    if (*c->p++ != '\n')
        return refuse(l, REASON_CHUNK);
    return l->chunk_size == 0 ? begin_trailer(l, c) : CHUNK_LINE_WHOLE;
}

static enum state
begin_size(struct lexer *l)
{
    l->index = 0;
    l->chunk_size = 0;
    l->extension = 0;
    return SIZE_BYTE;
}

static enum state
lex_data_cr(struct lexer *l, struct cursor *c)
{
    return *c->p++ == '\r' ? DATA_LF : refuse(l, REASON_CHUNK);
}

static enum state
lex_data_lf(struct lexer *l, struct cursor *c)
{
    return *c->p++ == '\n' ? begin_size(l) : refuse(l, REASON_CHUNK);
}

/* Each is called with at least one byte to read. */
static enum state (*const steps[N_WORKING])(struct lexer *l, struct cursor *c) = {
    [METHOD_BYTE] = lex_method,
    [TARGET_BYTE] = lex_target,
    [VERSION_BYTE] = lex_version,
    [VERSION_CR] = lex_version_cr,
    [STATUS_BYTE] = lex_status,
    [PHRASE_BYTE] = lex_phrase,
    [LINE_LF] = lex_line_lf,
    [LINE_START] = lex_line_start,
    [NAME_BYTE] = lex_name,
    [VALUE_START] = lex_value_start,
    [VALUE_BYTE] = lex_value,
    [LAST_LF] = lex_last_lf,
    [SIZE_BYTE] = lex_size,
    [EXTENSION_NAME] = lex_extension_name,
    [EXTENSION_VALUE] = lex_extension_value,
    [EXTENSION_QUOTED] = lex_extension_quoted,
    [EXTENSION_PAIR] = lex_extension_pair,
    [EXTENSION_END] = lex_extension_end,
    [SIZE_LF] = lex_size_lf,
    [DATA_CR] = lex_data_cr,
    [DATA_LF] = lex_data_lf,
};

void
lexer_init(struct lexer *l, enum wire_role role, const struct wire_limits *limits)
{
    *l = (struct lexer){ .role = role, .limits = limits };
    lexer_begin_head(l);
}

void
lexer_forget(struct lexer *l)
{
    buf_free(&l->fields);
    l->n_fields = 0;
}

void
lexer_begin_head(struct lexer *l)
{
    lexer_forget(l);
    l->state = l->role == WIRE_SERVER ? METHOD_BYTE : VERSION_BYTE;
    l->method = l->target = l->phrase = (struct span){ 0, 0 };
    l->version = l->status = l->index = 0;
    l->at = l->extensions = 0;
    l->ceiling = l->limits->head_bytes;
    l->in_trailer = false;
}

void
lexer_begin_chunks(struct lexer *l)
{
    lexer_forget(l);
    l->state = begin_size(l);
    l->at = 0;
    l->ceiling = SIZE_MAX; /* chunk lines bound themselves */
}

enum lexed
lexer_read(struct lexer *l, struct text section)
{
    size_t n = section.n < l->ceiling ? section.n : l->ceiling;
    struct cursor c;

    c.base = (const unsigned char *)section.at;
    c.p = c.base + l->at;
    c.end = c.base + n;
    while (l->state < N_WORKING && c.p < c.end)
        l->state = steps[l->state](l, &c);
    l->at = (size_t)(c.p - c.base);
    if (l->state < N_WORKING && l->at == l->ceiling)
        l->state = refuse(l, REASON_HEAD_TOO_LARGE);
    switch (l->state) {
    case HEAD_WHOLE:
        return LEXED_HEAD;
    case CHUNK_LINE_WHOLE:
        return LEXED_CHUNK;
    case END_WHOLE:
        return LEXED_END;
    case BAD:
        return LEXED_BAD;
    default:
        return LEXED_MORE;
    }
}

void
lexer_take_chunk(struct lexer *l)
{
    l->at = 0;
    l->state = DATA_CR;
}

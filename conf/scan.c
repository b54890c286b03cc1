/* A lexer and a recursive descent over libconfig's grammar that keep nothing: they only
 * find the first slip in a file and say what to write instead. Integers are checked
 * all, since a wrapped one is the slip nobody would see. */
#include "conf/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, SHOWN_BEFORE = 100, SHOWN_MAX = 160 };

enum token_kind {
    TOKEN_END = 'e',
    TOKEN_NAME = 'n',
    TOKEN_NUMBER = '0',
    TOKEN_BOOL = 'b',
    TOKEN_STRING = '"',
    TOKEN_INCLUDE = '@',
    TOKEN_STRANGE = '?',
    TOKEN_TOLD = '!' /* a slip inside the token, already reported */
};

struct token {
    int kind; /* enum token_kind, or the punctuation byte itself */
    struct text text;
    unsigned line;
};

struct scan {
    const char *file;
    struct text all;
    size_t at;
    unsigned line;
    size_t end; /* of the token before this one */
    struct token token;
    unsigned depth;
    bool clean;
    struct pieces *pieces;
    struct problems *problems;
};

/* ---- pointing at a place */

static struct text
line_at(struct text t, unsigned line)
{
    struct text part = { "", 0 };

    for (unsigned i = 0; i < line; i++)
        if (!text_split(&t, '\n', &part))
            return text_of("", 0);
    if (part.n > 0 && part.at[part.n - 1] == '\r')
        part.n--;
    return part;
}

static void
show_line(struct buf *out, struct text line, size_t from)
{
    struct text shown = line.n > from ? text_of(line.at + from, line.n - from)
                                      : text_of("", 0);

    buf_add_z(out, "\n    ");
    for (size_t i = 0; i < shown.n && i < SHOWN_MAX; i++) {
        unsigned char c = (unsigned char)shown.at[i];

        /* The report goes to a terminal. */
        buf_add_byte(out, (c < 0x20 && c != '\t') || c == 0x7f ? '?' : shown.at[i]);
    }
}

static void
show_caret(struct buf *out, struct text line, size_t from, size_t column)
{
    buf_add_z(out, "\n    ");
    for (size_t i = from; i < column && i < line.n; i++) {
        if (line.at[i] == '\t')
            buf_add_byte(out, '\t');
        else if (((unsigned char)line.at[i] & 0xc0) != 0x80)
            buf_add_byte(out, ' ');
    }
    buf_add_byte(out, '^');
}

void
scan_point(const char *file, struct text t, unsigned line, size_t column,
           struct text message, struct problems *problems)
{
    struct text here = line_at(t, line);
    size_t from = column > SHOWN_BEFORE ? column - SHOWN_BEFORE : 0;
    struct buf out = { 0 };

    buf_add(&out, message);
    if (line > 1)
        show_line(&out, line_at(t, line - 1), 0);
    show_line(&out, here, from);
    show_caret(&out, here, from, column);
    problem_add(problems, (struct place){ file, line }, buf_text(&out));
    buf_free(&out);
}

static size_t
column_of(const struct scan *s, const char *at)
{
    const char *start = at;

    while (start > s->all.at && start[-1] != '\n')
        start--;
    return (size_t)(at - start);
}

__attribute__((format(printf, 3, 4))) static bool
slip(struct scan *s, struct token at, const char *format, ...)
{
    char message[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof message)
        n = (int)strlen(message);
    scan_point(s->file, s->all, at.line, column_of(s, at.text.at),
               text_of(message, (size_t)n), s->problems);
    s->clean = false;
    return false;
}

/* ---- the lexer */

static int
peek(const struct scan *s, size_t ahead)
{
    size_t i = s->at + ahead;

    return i < s->all.n ? (unsigned char)s->all.at[i] : -1;
}

/* What a byte may stand in the middle of. */
enum { DIGIT = 1, NUMBER = 2, NAME = 4, STRING = 8, BLANK = 16 };

/* clang-format off */
static const unsigned char kinds[256] = {
    ['\t'] = BLANK | STRING, ['\r'] = BLANK | STRING, [' '] = BLANK | STRING,
    ['!'] = STRING, ['#' ... ')'] = STRING, ['*'] = NAME | STRING,
    ['+' ... ','] = STRING, ['-'] = NAME | STRING, ['.'] = NUMBER | STRING,
    ['/'] = STRING, ['0' ... '9'] = DIGIT | NUMBER | NAME | STRING,
    [':' ... '@'] = STRING, ['A' ... 'Z'] = NUMBER | NAME | STRING,
    ['['] = STRING, [']' ... '^'] = STRING, ['_'] = NUMBER | NAME | STRING,
    ['`'] = STRING, ['a' ... 'z'] = NUMBER | NAME | STRING,
    ['{' ... '~'] = STRING, [0x80 ... 0xff] = STRING,
};
/* clang-format on */

static bool
is_kind(int c, unsigned char kind)
{
    return c >= 0 && (kinds[c] & kind) != 0;
}

static bool
is_digit(int c)
{
    return is_kind(c, DIGIT);
}

static void
skip(struct scan *s, unsigned char kind)
{
    const char *at = s->all.at + s->at, *end = s->all.at + s->all.n;

    while (at < end && (kinds[(unsigned char)*at] & kind) != 0)
        at++;
    s->at = (size_t)(at - s->all.at);
}

static void
skip_line(struct scan *s)
{
    const char *from = s->all.at + s->at, *end = memchr(from, '\n', s->all.n - s->at);

    s->at = end != NULL ? (size_t)(end - s->all.at) : s->all.n;
}

static bool
skip_comment(struct scan *s)
{
    struct token opened = { '/', text_of(s->all.at + s->at, 2), s->line };

    for (s->at += 2; peek(s, 0) != -1; s->at++) {
        if (peek(s, 0) == '*' && peek(s, 1) == '/') {
            s->at += 2;
            return true;
        }
        if (peek(s, 0) == '\n')
            s->line++;
    }
    return slip(s, opened, "this comment is never closed: end it with */");
}

/* False: a comment has no end. */
static bool
skip_blank(struct scan *s)
{
    for (;;) {
        int c = peek(s, 0);

        if (c == '#' || (c == '/' && peek(s, 1) == '/')) {
            skip_line(s);
        } else if (c == '/' && peek(s, 1) == '*') {
            if (!skip_comment(s))
                return false;
        } else if (c == '\n') {
            s->line++;
            s->at++;
        } else if (is_kind(c, BLANK)) {
            skip(s, BLANK);
        } else {
            return true;
        }
    }
}

/* After the backslash. libconfig keeps an unknown escape as it stands and lets \x00 cut
 * the string short. */
static bool
read_escape(struct scan *s, unsigned line)
{
    struct token at = { '\\', text_of(s->all.at + s->at, 1), line };

    if (peek(s, 1) == 'x')
        return slip(s, at, "\\x is not taken here: write the character itself");
    if (peek(s, 1) == -1 || strchr("\"\\nrtf", peek(s, 1)) == NULL)
        return slip(s, at, "no such escape: a backslash is written \\\\");
    s->at += 2;
    return true;
}

static int
read_string(struct scan *s)
{
    struct token opened = { '"', text_of(s->all.at + s->at, 1), s->line };

    s->at++;
    for (;;) {
        skip(s, STRING);
        if (peek(s, 0) == '"')
            break;
        if (peek(s, 0) != '\\') {
            slip(s, opened, "this string does not end on its line: a quote is missing");
            return TOKEN_TOLD;
        }
        if (!read_escape(s, s->line))
            return TOKEN_TOLD;
    }
    s->at++;
    return TOKEN_STRING;
}

static int
read_number(struct scan *s)
{
    if (peek(s, 0) == '-' || peek(s, 0) == '+')
        s->at++;
    skip(s, NUMBER);
    return TOKEN_NUMBER;
}

static int
read_name(struct scan *s)
{
    struct text name = { s->all.at + s->at, 0 };

    skip(s, NAME);
    name.n = (size_t)(s->all.at + s->at - name.at);
    if (text_equals_nocase(name, TEXT("true")) ||
        text_equals_nocase(name, TEXT("false")))
        return TOKEN_BOOL;
    return TOKEN_NAME;
}

static int
read_token(struct scan *s)
{
    int c = peek(s, 0);

    if (c == -1)
        return TOKEN_END;
    if (c == '"')
        return read_string(s);
    if (is_digit(c) || ((c == '-' || c == '+' || c == '.') && (is_digit(peek(s, 1)))))
        return read_number(s);
    if (is_kind(c, NAME) && c != '_' && c != '-')
        return read_name(s);
    s->at++;
    if (strchr("{}()[];,", c) != NULL)
        return c;
    if (c == '=' || c == ':')
        return '=';
    return c == '@' ? TOKEN_INCLUDE : TOKEN_STRANGE;
}

static void
next(struct scan *s)
{
    size_t start;

    s->end = s->at;
    if (!skip_blank(s)) {
        s->token.kind = TOKEN_TOLD;
        return;
    }
    start = s->at;
    s->token.line = s->line;
    s->token.kind = read_token(s);
    s->token.text = text_of(s->all.at + start, s->at - start);
}

/* ---- numbers */

static bool
spells_integer(struct text t, bool *hex)
{
    size_t i = t.n > 0 && (t.at[0] == '-' || t.at[0] == '+');
    size_t digits = 0;

    *hex = t.n > i + 2 && t.at[i] == '0' && (t.at[i + 1] == 'x' || t.at[i + 1] == 'X');
    if (*hex)
        i += 2;
    for (; i < t.n &&
           (is_digit(t.at[i]) || (*hex && strchr("abcdefABCDEF", t.at[i]) != NULL));
         i++)
        digits++;
    return digits > 0 && i == t.n;
}

/* "30s" and its like are what newcomers write for a duration. */
static bool
refuse_number(struct scan *s)
{
    struct token at = s->token;

    if (text_has_byte(at.text, '.'))
        return slip(s, at, "no key takes a fraction: write a whole number");
    return slip(s, at, "%.*s is not a number: a value with a unit is written \"%.*s\"",
                TEXT_ARG(at.text), TEXT_ARG(at.text));
}

static bool
read_long(struct text t, bool hex, int64_t *out)
{
    char copy[40];

    if (t.n >= sizeof copy)
        return false;
    memcpy(copy, t.at, t.n);
    copy[t.n] = '\0';
    errno = 0;
    *out = strtoll(copy, NULL, hex ? 16 : 10);
    return errno == 0;
}

/* Reports and reads on: one file may hold several. */
static bool
check_number(struct scan *s)
{
    struct text digits = s->token.text;
    bool is_long = false, hex;
    int64_t value;

    for (int i = 0; i < 2 && digits.n > 0 && digits.at[digits.n - 1] == 'L'; i++) {
        digits.n--;
        is_long = true;
    }
    if (!spells_integer(digits, &hex))
        return refuse_number(s);
    if (!read_long(digits, hex, &value))
        slip(s, s->token, "%.*s is larger than any number here",
             TEXT_ARG(s->token.text));
    else if (!is_long && (value > INT32_MAX || value < INT32_MIN))
        slip(s, s->token, "%.*s needs a suffix: write %.*sL", TEXT_ARG(digits),
             TEXT_ARG(digits));
    return true;
}

/* ---- the grammar */

static bool read_value(struct scan *s, char list);
static bool read_settings(struct scan *s);

static char
closer_of(int opener)
{
    return opener == '{' ? '}' : opener == '(' ? ')' : ']';
}

static bool
close_bracket(struct scan *s, struct token opened)
{
    char closer = closer_of(opened.kind);

    if (s->token.kind == closer) {
        next(s);
        return true;
    }
    if (s->token.kind == TOKEN_TOLD)
        return false;
    if (s->token.kind == TOKEN_END)
        return slip(s, opened, "this %c is never closed: a %c is missing", opened.kind,
                    closer);
    if (strchr(")]}", s->token.kind) != NULL)
        return slip(s, s->token, "a %c closes the %c of line %u: write %c first",
                    s->token.kind, opened.kind, opened.line, closer);
    if (opened.kind == '{')
        return slip(s, s->token, "a key or } is expected here (the { is on line %u)",
                    opened.line);
    return slip(s, s->token, "a comma or %c is expected here (the %c is on line %u)",
                closer, opened.kind, opened.line);
}

static size_t
offset(const struct scan *s, struct token t)
{
    return (size_t)(t.text.at - s->all.at);
}

static bool
read_elements(struct scan *s, struct token opened)
{
    char closer = closer_of(opened.kind);

    while (s->token.kind != closer) {
        struct token comma;
        size_t end;

        if (!read_value(s, (char)opened.kind))
            return false;
        end = s->end;
        if (s->token.kind != ',')
            break;
        comma = s->token;
        next(s);
        if (s->token.kind == closer)
            return slip(s, comma, "a comma stands before the closing %c: remove it",
                        closer);
        if (opened.kind == '(')
            pieces_comma(s->pieces, end, offset(s, comma) + 1, comma.line);
    }
    return s->token.kind == closer || close_bracket(s, opened);
}

static bool
read_list(struct scan *s, struct token opened)
{
    struct pieces_list list = pieces_enter(s->pieces, offset(s, opened) + 1,
                                           opened.line);

    if (!read_elements(s, opened))
        return false;
    pieces_leave(s->pieces, list, s->end, offset(s, s->token), s->token.line);
    return close_bracket(s, opened);
}

static bool
read_nested(struct scan *s)
{
    struct token opened = s->token;
    bool ok;

    /* libconfig recurses as deep as a file asks. */
    if (s->depth == DEPTH_MAX)
        return slip(s, opened, "nested deeper than %d brackets", DEPTH_MAX);
    s->depth++;
    next(s);
    if (opened.kind == '{')
        ok = read_settings(s) && close_bracket(s, opened);
    else if (opened.kind == '(')
        ok = read_list(s, opened);
    else
        ok = read_elements(s, opened) && close_bracket(s, opened);
    s->depth--;
    return ok;
}

static bool
refuse_word(struct scan *s)
{
    static const char *const bools[] = { "yes", "no", "on", "off" };
    struct text word = s->token.text;

    for (size_t i = 0; i < sizeof bools / sizeof *bools; i++)
        if (text_equals_nocase(word, text_z(bools[i])))
            return slip(s, s->token, "write %s instead of %.*s",
                        i % 2 == 0 ? "true" : "false", TEXT_ARG(word));
    return slip(s, s->token, "a string stands in quotes: write \"%.*s\"",
                TEXT_ARG(word));
}

static bool
refuse_value(struct scan *s)
{
    if (s->token.kind == TOKEN_TOLD)
        return false;
    if (s->token.kind == TOKEN_NAME)
        return refuse_word(s);
    if (s->token.kind == TOKEN_STRANGE && s->token.text.at[0] == '\'')
        return slip(s, s->token, "a string stands in double quotes");
    return slip(s, s->token, "a value is expected here");
}

/* list: the bracket this value stands in, '{' for none. */
static bool
read_value(struct scan *s, char list)
{
    switch (s->token.kind) {
    case TOKEN_STRING:
        while (s->token.kind == TOKEN_STRING)
            next(s);
        return true;
    case TOKEN_NUMBER:
        if (!check_number(s))
            return false;
        next(s);
        return true;
    case TOKEN_BOOL:
        next(s);
        return true;
    case '{':
    case '(':
    case '[':
        if (list == '[')
            return slip(s, s->token, "a list of groups or lists is written ( ... )");
        return read_nested(s);
    default:
        return refuse_value(s);
    }
}

static bool
read_setting(struct scan *s)
{
    struct token name = s->token;

    next(s);
    if (s->token.kind == TOKEN_TOLD)
        return false;
    if (s->token.kind != '=')
        return slip(s, name, "a = is missing after %.*s", TEXT_ARG(name.text));
    next(s);
    if (!read_value(s, '{'))
        return false;
    if (s->token.kind == ';' || s->token.kind == ',')
        next(s);
    return true;
}

static bool
read_settings(struct scan *s)
{
    while (s->token.kind == TOKEN_NAME)
        if (!read_setting(s))
            return false;
    if (s->token.kind == TOKEN_INCLUDE)
        return slip(s, s->token,
                    "@include is not taken: put the file into conf.d beside this one");
    return s->token.kind != TOKEN_TOLD;
}

/* ---- bytes */

static size_t
utf8_length(const unsigned char *p, size_t n)
{
    size_t length = p[0] < 0x80                   ? 1
                    : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                    : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                    : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                  : 0;

    if (length > n)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

/* Eight at a time: none is a control byte, or above ASCII. A space behind a control
 * byte may count as one, which the slower way then finds out. */
static bool
are_plain(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t bytes;

    memcpy(&bytes, at, sizeof bytes);
    return ((bytes | (bytes - 0x20 * ones) | (bytes + ones)) & (0x80 * ones)) == 0;
}

/* A NUL would end the file for libconfig; names and purposes end up in JSON and on
 * terminals. */
static bool
check_bytes(struct scan *s)
{
    const unsigned char *p = (const unsigned char *)s->all.at;
    unsigned line = 1;

    for (size_t i = 0, length; i < s->all.n; i += length) {
        struct token at = { 0, text_of(s->all.at + i, 1), line };

        length = sizeof(uint64_t);
        if (i + length <= s->all.n && are_plain(s->all.at + i))
            continue;
        length = utf8_length(p + i, s->all.n - i);
        if (length == 0)
            return slip(s, at, "the byte 0x%02x is not UTF-8", p[i]);
        if ((p[i] < 0x20 && strchr("\t\r\n", p[i]) == NULL) || p[i] == 0 ||
            p[i] == 0x7f)
            return slip(s, at, "the control byte 0x%02x has no place here", p[i]);
        line += p[i] == '\n';
    }
    return true;
}

bool
scan_text(const char *file, struct text t, struct pieces *pieces,
          struct problems *problems)
{
    struct scan s = { .file = file,
                      .all = t,
                      .line = 1,
                      .clean = true,
                      .pieces = pieces,
                      .problems = problems };

    pieces_begin(pieces, t.n);
    if (!check_bytes(&s))
        return false;
    next(&s);
    if (!read_settings(&s) || s.token.kind == TOKEN_END)
        return s.clean;
    if (strchr(")]}", s.token.kind) != NULL)
        return slip(&s, s.token, "nothing is open that this %c closes", s.token.kind);
    return slip(&s, s.token, "a key is expected here");
}

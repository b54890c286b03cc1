#include "proxy/audit_print.h"

#include "proxy/ctl_print.h"

#include <stdio.h>

static bool
is(const struct json *record, const char *name, const char *what)
{
    return text_equals(json_text_of(record, name), text_z(what));
}

static bool
is_earlier(struct text ts, const char since[25])
{
    struct text from = text_z(since);

    for (size_t i = 0; i < ts.n && i < from.n; i++)
        if (ts.at[i] != from.at[i])
            return (unsigned char)ts.at[i] < (unsigned char)from.at[i];
    return ts.n < from.n;
}

static bool
is_of_grant(const struct json *record, const char *grant)
{
    return is(record, "grant", grant) ||
           (is(record, "kind", "grant") && is(record, "name", grant));
}

static bool
is_chosen(const struct audit_choice *c, const struct json *record)
{
    if (c->task != NULL && !is(record, "task", c->task))
        return false;
    if (c->grant != NULL && !is_of_grant(record, c->grant))
        return false;
    if (c->denied && !is(record, "verdict", "refuse") && !is(record, "kind", "alarm"))
        return false;
    return !is_earlier(json_text_of(record, "ts"), c->since);
}

static bool
stands_in_front(struct text name)
{
    return text_equals(name, TEXT("seq")) || text_equals(name, TEXT("prev")) ||
           text_equals(name, TEXT("ts")) || text_equals(name, TEXT("kind")) ||
           text_equals(name, TEXT("jws"));
}

/* "2026-11-22T06:07:08.901Z 12 decision x=7.1 verdict=allow …"; the hash and the
 * signature are for verify. */
static void
say_record(const struct json *record)
{
    const struct json *value;
    struct text name;
    int64_t seq = 0;

    (void)json_number(json_get(record, "seq"), &seq);
    print_text(stdout, json_text_of(record, "ts"));
    printf(" %lld ", (long long)seq);
    print_text(stdout, json_text_of(record, "kind"));
    for (size_t i = 0; (value = json_member(record, i, &name)) != NULL; i++) {
        if (stands_in_front(name))
            continue;
        putchar(' ');
        print_text(stdout, name);
        putchar('=');
        print_value(value);
    }
    putchar('\n');
}

bool
audit_show(void *owner, struct text line, const struct json *record)
{
    const struct audit_choice *c = owner;

    if (!is_chosen(c, record))
        return true;
    if (c->json)
        printf("%.*s\n", TEXT_ARG(line));
    else
        say_record(record);
    return !ferror(stdout);
}

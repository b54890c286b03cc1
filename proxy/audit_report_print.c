/* What was gathered, as text and as JSON. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "proxy/audit_book.h"
#include "proxy/audit_report.h"
#include "proxy/ctl_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- text */

/* The members of a JSON object: name=value, but for one that is said elsewhere. */
static void
say_members(struct text object)
{
    struct json *j = json_parse(object, object.n);
    const struct json *value;
    struct text name;

    for (size_t i = 0; (value = json_member(j, i, &name)) != NULL; i++) {
        putchar(' ');
        print_text(stdout, name);
        putchar('=');
        print_value(value);
    }
    json_free(j);
}

static void
say_tally(const char *what, const struct tally *t, bool counted)
{
    for (const struct tallied *i = t->first; i != NULL; i = i->after) {
        printf("  %-10s", what);
        say_members(i->key);
        if (counted)
            printf(" ×%" PRIu64, i->count);
        putchar('\n');
    }
}

static void
say_credentials(const struct audit_book *b, const struct page *p)
{
    for (const struct tallied *i = p->credentials.first; i != NULL; i = i->after) {
        const struct tallied *known = tally_find(&b->credentials, i->key);

        fputs("  credential ", stdout);
        print_text(stdout, i->key);
        printf(" ×%" PRIu64 "\n", i->count);
        if (known != NULL)
            say_tally("", known->of, false);
    }
}

static void
say_tasks(const struct page *p)
{
    for (const struct tallied *i = p->tasks.first; i != NULL; i = i->after) {
        const struct task_page *t = i->of;

        fputs("  task       ", stdout);
        print_text(stdout, i->key);
        fputs(t->start != NULL ? " started:" : " no start is recorded", stdout);
        say_members(text_z(t->start));
        fputs(t->end != NULL ? "; ended:" : "; no end is recorded", stdout);
        say_members(text_z(t->end));
        if (t->revocation != NULL)
            fputs("; its tokens:", stdout);
        say_members(text_z(t->revocation));
        putchar('\n');
    }
}

/* Nobody takes it any more, whether it was taken back or not. Without a date it may be
 * good still. */
static bool
has_expired(const struct token_page *t)
{
    char now[25];

    clock_format(clock_wall_ms(), now);
    return t->expires[0] != '\0' && strcmp(t->expires, now) <= 0;
}

static void
say_tokens(const struct page *p)
{
    for (const struct tallied *i = p->tokens.first; i != NULL; i = i->after) {
        const struct token_page *t = i->of;

        if (t->left == 0)
            continue;
        fputs("  not revoked:", stdout);
        say_members(text_z(t->got));
        if (t->outcome != NULL) {
            fputs(" outcome=", stdout);
            print_text(stdout, text_z(t->outcome));
        }
        puts(has_expired(t) ? "; it has expired" : "; it is good still");
    }
}

static void
say_page(const struct audit_book *b, struct text name, const struct page *p)
{
    if (name.n == 0) {
        printf("no grant\n");
    } else {
        fputs("grant ", stdout);
        print_text(stdout, name);
        putchar('\n');
    }
    say_tally("approved", &p->approvals, false);
    say_credentials(b, p);
    say_tally("purpose", &p->purposes, true);
    say_tasks(p);
    say_tally("reached", &p->reached, true);
    say_tally("bound", &p->bindings, true);
    say_tally("refused", &p->refusals, true);
    say_tally("alarm", &p->alarms, true);
    say_tokens(p);
    printf("  in all     %" PRIu64 " allowed, %" PRIu64 " refused", p->allowed,
           p->refused);
    if (p->first[0] != '\0')
        printf(", from %s to %s", p->first, p->last);
    putchar('\n');
}

/* ---- JSON */

/* Of a JSON object as it was kept. */
static void
write_members(struct buf *out, struct text object)
{
    if (object.n > 2)
        buf_add(out, text_of(object.at + 1, object.n - 2));
}

/* One as it was kept, with one member more. */
static void
write_kept(struct buf *out, const char *key, struct text object, const char *name,
           uint64_t n)
{
    json_open(out, key, '{');
    write_members(out, object);
    if (name != NULL)
        json_put_number(out, name, (int64_t)n);
    json_close(out, '}');
}

static void
write_tally(struct buf *out, const char *key, const struct tally *t, bool counted)
{
    json_open(out, key, '[');
    for (const struct tallied *i = t->first; i != NULL; i = i->after)
        write_kept(out, NULL, i->key, counted ? "count" : NULL, i->count);
    json_close(out, ']');
}

static void
write_credentials(struct buf *out, const struct audit_book *b, const struct page *p)
{
    static const struct tally none;

    json_open(out, "credentials", '[');
    for (const struct tallied *i = p->credentials.first; i != NULL; i = i->after) {
        const struct tallied *known = tally_find(&b->credentials, i->key);

        json_open(out, NULL, '{');
        json_put_text(out, "name", i->key);
        json_put_number(out, "count", (int64_t)i->count);
        write_tally(out, "approvals", known != NULL ? known->of : &none, false);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void
write_tasks(struct buf *out, const struct page *p)
{
    json_open(out, "tasks", '[');
    for (const struct tallied *i = p->tasks.first; i != NULL; i = i->after) {
        const struct task_page *t = i->of;

        json_open(out, NULL, '{');
        json_put_text(out, "task", i->key);
        if (t->start != NULL)
            write_kept(out, "started", text_z(t->start), NULL, 0);
        if (t->end != NULL)
            write_kept(out, "ended", text_z(t->end), NULL, 0);
        if (t->revocation != NULL)
            write_kept(out, "revocation", text_z(t->revocation), NULL, 0);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void
write_tokens(struct buf *out, const struct page *p)
{
    json_open(out, "not_revoked", '[');
    for (const struct tallied *i = p->tokens.first; i != NULL; i = i->after) {
        const struct token_page *t = i->of;

        if (t->left == 0)
            continue;
        json_open(out, NULL, '{');
        write_members(out, text_z(t->got));
        if (t->outcome != NULL)
            json_put_z(out, "outcome", t->outcome);
        json_put_bool(out, "expired", has_expired(t));
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void
write_page(struct buf *out, const struct audit_book *b, struct text name,
           const struct page *p)
{
    json_open(out, NULL, '{');
    json_put_text(out, "grant", name);
    write_tally(out, "approvals", &p->approvals, false);
    write_credentials(out, b, p);
    write_tally(out, "purposes", &p->purposes, true);
    write_tasks(out, p);
    write_tally(out, "reached", &p->reached, true);
    write_tally(out, "bindings", &p->bindings, true);
    write_tally(out, "refusals", &p->refusals, true);
    write_tally(out, "alarms", &p->alarms, true);
    write_tokens(out, p);
    json_put_number(out, "allowed", (int64_t)p->allowed);
    json_put_number(out, "refused", (int64_t)p->refused);
    if (p->first[0] != '\0') {
        json_put_z(out, "first", p->first);
        json_put_z(out, "last", p->last);
    }
    json_close(out, '}');
}

void
audit_book_print(const struct audit_book *b, bool json)
{
    struct buf out = { 0 };

    if (json)
        json_open(&out, NULL, '[');
    for (const struct tallied *i = b->grants.first; i != NULL; i = i->after) {
        if (json)
            write_page(&out, b, i->key, i->of);
        else
            say_page(b, i->key, i->of);
    }
    if (json) {
        json_close(&out, ']');
        buf_add_byte(&out, '\n');
        fwrite(buf_text(&out).at, 1, buf_length(&out), stdout);
    }
    buf_free(&out);
}

#include "proxy/checkup.h"

#include "base/json_write.h"
#include "proxy/run.h"

#include <stdarg.h>
#include <stdio.h>

enum { SENTENCE_MAX = 1024 };

void
checkup_begin(struct checkup *c, bool json)
{
    *c = (struct checkup){ .json = json };
    if (!json)
        return;
    json_open(&c->out, NULL, '{');
    json_open(&c->out, "checks", '[');
}

static void
write_json(struct checkup *c, bool is_well, const char *name, const char *sentence)
{
    json_open(&c->out, NULL, '{');
    json_put_z(&c->out, "name", name);
    json_put_bool(&c->out, "ok", is_well);
    json_put_z(&c->out, "says", sentence);
    json_close(&c->out, '}');
}

void
checkup_say(struct checkup *c, bool is_well, const char *name, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list values;

    va_start(values, format);
    vsnprintf(sentence, sizeof sentence, format, values);
    va_end(values);
    c->n_failed += !is_well;
    if (c->json)
        write_json(c, is_well, name, sentence);
    else
        buf_printf(&c->out, "%s  %s\n", is_well ? "PASS" : "FAIL", sentence);
}

int
checkup_end(struct checkup *c)
{
    if (c->json) {
        json_close(&c->out, ']');
        json_put_bool(&c->out, "ok", c->n_failed == 0);
        json_close(&c->out, '}');
        buf_add_byte(&c->out, '\n');
    }
    fwrite(buf_text(&c->out).at, 1, buf_length(&c->out), stdout);
    buf_free(&c->out);
    return c->n_failed == 0 ? EXIT_OK : EXIT_RUNTIME;
}

#include "proxy/metrics_page.h"

#include "proxy/metrics_sections.h"

static const struct section *const sections[] = {
    &metrics_of_requests,
    &metrics_of_connections,
    &metrics_of_dns,
    &metrics_of_tokens,
    &metrics_of_process,
};

static void
write_section(struct exposition *w, const struct section *s)
{
    for (size_t i = 0; i < s->n; i++) {
        family_head(w, &s->families[i]);
        s->families[i].samples(w, &s->families[i]);
    }
}

void
metrics_page_write(const struct page *p, enum page_format format, struct buf *out)
{
    struct exposition w = { .page = p, .format = format, .out = out };

    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        write_section(&w, sections[i]);
    if (format == PAGE_OPEN_METRICS)
        buf_add_z(out, "# EOF\n");
}

const char *
metrics_page_type(enum page_format format)
{
    return format == PAGE_OPEN_METRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

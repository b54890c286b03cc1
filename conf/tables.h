/* The tables: every key of the config, one row each, with its default, its range and
 * its sentence. */
#ifndef CONF_TABLES_H
#define CONF_TABLES_H

#include "base/arena.h"
#include "conf/conf.h"

/* The root table, with the filters' own tables under `filters`. What it fills is `size`
 * bytes that begin with a struct conf; the settings of filter i stand at offsets[i].
 * All of it lives in the arena. */
struct tables {
    const struct setting *root;
    size_t size;
    size_t *offsets;
};

struct tables tables_new(struct arena *a, size_t head,
                         const struct conf_filter_table *filters, size_t n);

#endif

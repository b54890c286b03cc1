/* What the kernel says of this process. The files are opened once, at start: when no
 * descriptor is left they can still be read. */
#ifndef PROXY_PROCESS_H
#define PROXY_PROCESS_H

#include <stdint.h>

struct process {
    int64_t started_ms; /* wall clock */
    uint64_t cpu_us;
    uint64_t resident_bytes, virtual_bytes;
    uint64_t descriptors, descriptors_max;
};

struct process_reader;

/* Never NULL; what cannot be opened reads as nought. */
struct process_reader *process_reader_new(void);
void process_reader_free(struct process_reader *r);
void process_read(struct process_reader *r, struct process *out);

#endif

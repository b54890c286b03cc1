/* The memory of nghttp2: from shelves, since it asks for some twenty pieces for each
 * request and gives them back; and wiped when it gives them back, since heads are among
 * them. To be had without fail: none ends the process, as everywhere. */
#ifndef HTTP_HTTP2_MEMORY_H
#define HTTP_HTTP2_MEMORY_H

#include <stddef.h>

/* As nghttp2_mem wants them; `unused` is its user's. */
void *http2_memory_take(size_t n, void *unused);
void *http2_memory_take_zeroed(size_t count, size_t size, void *unused);
void *http2_memory_resize(void *at, size_t n, void *unused);
void http2_memory_give(void *at, void *unused);

#endif

/* What holdfast --help says. */
#ifndef PROXY_USAGE_H
#define PROXY_USAGE_H

extern const char holdfast_usage[];

#endif

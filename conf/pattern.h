/* The grammar of single values: what a host, a path, a method, an identifier may look
 * like in the config. Each call answers NULL, or what is wrong with the value and what
 * to write, as the end of a sentence; it lives in the arena or for ever. */
#ifndef CONF_PATTERN_H
#define CONF_PATTERN_H

#include "base/arena.h"

/* "a.example", "*.a.example", "192.0.2.1", "[2001:db8::1]", in canonical spelling. */
const char *pattern_host_error(struct arena *a, const char *z);
/* Canonical as paths are judged; one star stands for a whole segment, two at the end
 * for any tail. */
const char *pattern_path_error(struct arena *a, const char *z);
/* An upper-case token that Holdfast forwards. */
const char *pattern_method_error(struct arena *a, const char *z);
/* Letters, digits, '.', '_', '-'. */
const char *pattern_name_error(const char *z);

/* A trust domain (STANDARDS.md 5). */
const char *pattern_domain_error(const char *z);
/* spiffe:// or wimse:// with trust domain and path. may_end_in_star: a last segment
 * that is a star means any below. */
const char *pattern_identity_error(const char *z, bool may_end_in_star);
/* The trust domain of an identifier without error. */
struct text pattern_identity_domain(const char *z);

/* "https://host[:port]" (or http:// where that may be), canonical, nothing behind. */
const char *pattern_origin_error(struct arena *a, const char *z, bool may_be_http);
/* "https://host[:port]/path[?query]", canonical, and no metadata service: where
 * Holdfast itself sends something. */
const char *pattern_url_error(struct arena *a, const char *z);
/* "10.96.0.10", "127.0.0.1:5353", "[::1]:53". */
const char *pattern_server_error(const char *z);

/* An absolute URI without fragment, and one of an issuer, which begins with https://:
 * they are compared, byte for byte. */
const char *pattern_uri_error(const char *z);
const char *pattern_issuer_error(const char *z);
/* Visible ASCII; and words of it that OAuth takes as scopes, with a space between. */
const char *pattern_visible_error(const char *z);
const char *pattern_scopes_error(const char *z);

/* From the root, nothing doubled, no "." or "..". */
const char *pattern_file_error(const char *z);

/* The field a secret may be put into: a field name, and none that frames the message,
 * steers it or carries a proof. */
const char *pattern_field_error(const char *z);
/* What stands before the secret there: visible ASCII and spaces. */
const char *pattern_prefix_error(const char *z);
/* "ghp_{36}": how many letters and digits stand in the braces' place, 16 to 128. */
const char *pattern_shape_error(const char *z);
/* A handle that the operator made. */
const char *pattern_handle_error(const char *z);
/* A C identifier in capitals. */
const char *pattern_variable_error(const char *z);

/* What a signature of a request may cover (RFC 9421): a derived component, or a field
 * that no hop takes away. */
const char *pattern_component_error(struct arena *a, const char *z);
/* The name of a signature in its fields, and the value of its tag. */
const char *pattern_label_error(const char *z);
const char *pattern_tag_error(const char *z);

#endif

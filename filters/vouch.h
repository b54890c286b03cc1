/* vouch: tells the service behind a gate what verify proved, as X-Holdfast-Workload,
 * -Task, -Grant, -Purpose, -Owner (of a workload's identity token), -Subject, -Issuer,
 * -Client, -Scope (of an access token), -Binding (by which proof), -Proof (its id) and
 * -Key (the thumbprint of the key that made it). What a proof does not say is not told.
 *
 * Before that it takes away what a client could pass itself off with: X-Holdfast-* of
 * its own making, forwarding fields (X-Forwarded-*, Forwarded, X-Real-IP …: a gate adds
 * none itself), asserted identities, and method and URL overrides, by which a proof for
 * one request would do another (positions.h, POSITION_STEERING). The proof goes too,
 * unless the door says keep_proof. Authorization, Cookie and the like are the service's
 * own affair and pass. */
#ifndef FILTERS_VOUCH_H
#define FILTERS_VOUCH_H

#include "filters/filter.h"

extern const struct filter vouch_filter;

#endif

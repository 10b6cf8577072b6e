/* SPDX-License-Identifier: MIT */
/* trust.h -- what a caller may have the service reach for them. Inside of serve/api.
 *
 * Workers read by the service's rights and with its secrets. Who is no administrator has them read servers in the network, by what they say
 * themselves: no file, socket or variable of this machine, and no secret that is sent to another host than it was given for. All here is
 * PERMISSION where an administrator of the service is needed and the caller is none. */
#ifndef TAIN_SERVE_API_TRUST_H
#define TAIN_SERVE_API_TRUST_H

#include "serve/api/call.h"

/* The remedy says what else there is to do. */
tain_status tain_trust_admin(tain_call *c, const char *otherwise, tain_error *err);
/* A connection's address, without password, that was not there before. */
tain_status tain_trust_address(tain_call *c, const char *url, tain_error *err);
/* Its secret; NULL: none. */
tain_status tain_trust_secret(tain_call *c, const char *secret, tain_error *err);
/* A connection that is there, to be read through or changed. NOT_FOUND. */
tain_status tain_trust_connection(tain_call *c, const char *id, tain_error *err);
/* A definition in the place of another (empty: it is the first). Its connection, its database and the name of what is made there are for
 * contributors of the service, whose the connections are; snapshotFrom, which is sent the connection's password, is the connection's host. What stays as it was may stay. */
tain_status tain_trust_definition(tain_call *c, tain_slice now, tain_slice before, tain_error *err);

#endif

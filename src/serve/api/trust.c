/* SPDX-License-Identifier: MIT */
#include "serve/api/trust.h"

#include "source/source.h"

static tain_status need_admin(tain_call *c, const char *otherwise, tain_error *err)
{
    tain_status st = tain_auth_need(c->api->auth, &c->caller, NULL, TAIN_CONTROL_ADMIN, err);
    if (st == TAIN_E_PERMISSION) tain_error_remedy(err, "%s, or ask an administrator of the service", otherwise);
    return st;
}

tain_status tain_trust_address(tain_call *c, const char *url, tain_error *err)
{
    TAIN_AUTO(tain_free) char *host = tain_source_host(url);
    return host ? TAIN_OK : need_admin(c, "name a server in the network and no files: postgresql://user@host:5432/database?sslmode=require", err);
}

/* Whoever may name a file or a variable of the service can have it sent to a server of theirs. */
tain_status tain_trust_secret(tain_call *c, const char *secret, tain_error *err)
{
    bool reference = secret && (strncmp(secret, "env:", 4) == 0 || strncmp(secret, "file:", 5) == 0);
    return reference ? need_admin(c, "give the password itself, which is sealed", err) : TAIN_OK;
}

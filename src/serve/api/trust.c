/* SPDX-License-Identifier: MIT */
#include "serve/api/trust.h"

#include "base/json.h"
#include "base/text.h"
#include "control/connection.h"
#include "source/source.h"

tain_status tain_trust_admin(tain_call *c, const char *otherwise, tain_error *err)
{
    tain_status st = tain_auth_need(c->api->auth, &c->caller, NULL, TAIN_CONTROL_ADMIN, err);
    if (st == TAIN_E_PERMISSION) tain_error_remedy(err, "%s, or ask an administrator of the service", otherwise);
    return st;
}

tain_status tain_trust_address(tain_call *c, const char *url, tain_error *err)
{
    TAIN_AUTO(tain_free) char *host = tain_source_host(url);
    if (host && tain_source_is_frugal(url)) return TAIN_OK;
    return tain_trust_admin(c, "name a server in the network and no files: postgresql://user@host:5432/database?sslmode=require", err);
}

/* Whoever may name a file or a variable of the service can have it sent to a server of theirs. */
tain_status tain_trust_secret(tain_call *c, const char *secret, tain_error *err)
{
    return secret && tain_secret_is_reference(secret) ? tain_trust_admin(c, "give the password itself, which is sealed", err) : TAIN_OK;
}

tain_status tain_trust_connection(tain_call *c, const char *id, tain_error *err)
{
    tain_control_connection n;
    TAIN_TRY(tain_control_connection_get(c->api->control, id, &n, err));
    TAIN_AUTO(tain_free) char *host = tain_source_host(n.url);
    tain_status st = host ? TAIN_OK : tain_trust_admin(c, "use a connection that leads into the network", err);
    if (st != TAIN_OK) tain_error_context(err, "connection '%s'", n.name);
    tain_control_connection_done(&n);
    return st;
}

/* --- definitions --------------------------------------------------------------------------------------------------------- */

/* What a definition reads from, and the name of what is made there; borrowed from it. NULL: it does not say. */
typedef struct reading {
    const char *connection, *database, *name, *replica;
} reading;

static const char *text_of(const json_t *o, const char *member)
{
    const char *text = tain_json_get_str(o, member, NULL);
    return text && *text ? text : NULL;
}

static reading reading_of(const json_t *definition)
{
    const json_t *properties = json_object_get(definition, "properties");
    const json_t *source = json_object_get(json_object_get(properties, "source"), "typeProperties");
    const json_t *tain = json_object_get(properties, "tain");
    return (reading){text_of(source, "connection"), text_of(source, "database"), text_of(tain, "name"), text_of(tain, "snapshotFrom")};
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_source(const reading *a, const reading *b)
{
    return is_same(a->connection, b->connection) && is_same(a->database, b->database) && is_same(a->name, b->name);
}

/* One that is not there is its worker's trouble. */
static tain_status check_source(tain_call *c, const reading *r, tain_error *err)
{
    if (!r->connection) return TAIN_OK;
    tain_status st = tain_auth_need(c->api->auth, &c->caller, NULL, TAIN_CONTROL_CONTRIBUTOR, err);
    if (st == TAIN_E_PERMISSION) tain_error_remedy(err, "connections, and what is made in their sources, are the whole service's: ask for that role in the service, not in the workspace alone");
    TAIN_TRY(st);
    st = tain_trust_connection(c, r->connection, err);
    return st == TAIN_E_NOT_FOUND ? TAIN_OK : st;
}

static char *host_of_connection(tain_call *c, const char *id)
{
    tain_control_connection n;
    tain_error              ignored;
    if (!id || tain_control_connection_get(c->api->control, id, &n, &ignored) != TAIN_OK) return NULL;
    char *host = tain_source_host(n.url);
    tain_control_connection_done(&n);
    return host;
}

static tain_status check_replica(tain_call *c, const reading *r, tain_error *err)
{
    if (!r->replica) return TAIN_OK;
    TAIN_AUTO(tain_free) char *host = tain_source_host(r->replica), *own = host_of_connection(c, r->connection);
    if (host && own && strcmp(host, own) == 0 && tain_source_is_frugal(r->replica)) return TAIN_OK;
    TAIN_TRY_IN(err, tain_trust_admin(c, "name a standby at the host of the connection", err), "properties.tain.snapshotFrom, which the connection's password is sent to");
    return TAIN_OK;
}

static json_t *parse(tain_slice definition)
{
    tain_error ignored;
    json_t    *root = NULL;
    return definition.size && tain_json_parse(definition.data, definition.size, "", &root, &ignored) == TAIN_OK ? root : NULL;
}

tain_status tain_trust_definition(tain_call *c, tain_slice now, tain_slice before, tain_error *err)
{
    json_t       *to = parse(now), *from = parse(before);
    const reading r = reading_of(to), was = reading_of(from);
    const bool    same = is_same_source(&r, &was);
    tain_status   st = same ? TAIN_OK : check_source(c, &r, err);
    if (st == TAIN_OK && !(same && is_same(r.replica, was.replica))) st = check_replica(c, &r, err);
    json_decref(to);
    json_decref(from);
    return st;
}

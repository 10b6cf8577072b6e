/* SPDX-License-Identifier: MIT */
/* principal.c -- users, their roles, tokens and sessions; who is calling; to whom a mirror belongs */
#include <stdio.h>
#include <strings.h>

#include "base/json.h"
#include "control/role.h"
#include "control/user.h"
#include "serve/api/call.h"

/* --- who is calling ------------------------------------------------------------------------------------------------------ */

static json_t *roles_of(const tain_call *c, const char *user)
{
    tain_control_grants all;
    tain_error          ignored;
    json_t             *roles = json_object();
    if (!*user || tain_control_role_list(c->api->control, user, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, &ignored) != TAIN_OK) return roles;
    for (size_t i = 0; i < all.count; i++)
        if (all.rows[i].workspace) json_object_set_new(roles, all.rows[i].workspace, json_string(tain_control_role_name(all.rows[i].role)));
    tain_control_grants_done(&all);
    return roles;
}

/* login: a name and password lead here: nobody is signed in, or somebody is by a session, which can be ended. */
static tain_status me(tain_call *c, tain_error *err)
{
    const tain_caller *who = &c->caller;
    const bool         nobody = !*who->name;
    c->out = json_pack("{s:o,s:o,s:o,s:o,s:b,s:b}", "id", tain_call_str(*who->user ? who->user : NULL), "name", tain_call_str(nobody ? NULL : who->name),
                       "role", tain_call_str(who->role ? tain_control_role_name(who->role) : NULL), "workspaces", roles_of(c, who->user), "session",
                       who->session, "login", nobody || who->session);
    return TAIN_OK;
}

static tain_status sign_in(tain_call *c, tain_error *err)
{
    const char *name, *password;
    TAIN_TRY(tain_call_text(c, "name", true, &name, err));
    TAIN_TRY(tain_call_text(c, "password", true, &password, err));
    return tain_auth_sign_in(c->api->auth, c->request, name, password, c->reply, err);
}

static tain_status sign_out(tain_call *c, tain_error *err)
{
    tain_auth_sign_out(c->api->auth, &c->caller, c->reply);
    return TAIN_OK;
}

/* --- users --------------------------------------------------------------------------------------------------------------- */

static json_t *user_to_json(const tain_call *c, const tain_control_user *u)
{
    tain_error        ignored;
    tain_control_role role = TAIN_CONTROL_NOBODY;
    if (tain_control_role_get(c->api->control, u->id, NULL, &role, &ignored) != TAIN_OK) role = TAIN_CONTROL_NOBODY;
    return json_pack("{s:s,s:s,s:b,s:b,s:s,s:o,s:o}", "id", u->id, "name", u->name, "disabled", u->disabled, "hasPassword", u->has_password, "role",
                     tain_control_role_name(role), "workspaceRoles", roles_of(c, u->id), "createdDateTime", tain_call_time(u->created));
}

static tain_status show_user(tain_call *c, const char *id, tain_error *err)
{
    tain_control_user u;
    TAIN_TRY(tain_control_user_get(c->api->control, id, &u, err));
    c->out = user_to_json(c, &u);
    tain_control_user_done(&u);
    return TAIN_OK;
}

static tain_status users(tain_call *c, tain_error *err)
{
    tain_control_page  page;
    tain_control_users all;
    TAIN_TRY(tain_call_page(c, &page, err));
    TAIN_TRY(tain_control_user_list(c->api->control, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) json_array_append_new(rows, user_to_json(c, &all.rows[i]));
    tain_call_list(c, "value", rows, all.next);
    tain_control_users_done(&all);
    return TAIN_OK;
}

/* "" and null: nobody. */
static tain_status role_of(const char *name, tain_control_role *ret, tain_error *err)
{
    *ret = TAIN_CONTROL_NOBODY;
    return name && *name ? tain_control_role_parse(name, ret, err) : TAIN_OK;
}

/* "role" and "workspaceRoles", as grants that borrow from the body. Caller frees *ret. */
static tain_status read_grants(tain_call *c, tain_control_grant **ret, size_t *ret_count, tain_error *err)
{
    const json_t       *role = json_object_get(c->in, "role");
    json_t             *each = json_object_get(c->in, "workspaceRoles"), *one;
    tain_control_grant *all = *ret = tain_alloc((json_object_size(each) + 1) * sizeof *all);
    const char         *workspace;
    size_t              n = 0;
    if (role) TAIN_TRY(role_of(json_string_value(role), &all[n++].role, err));
    json_object_foreach(each, workspace, one)
    {
        all[n].workspace = (char *)workspace;
        TAIN_TRY(role_of(json_string_value(one), &all[n++].role, err));
    }
    *ret_count = n;
    return TAIN_OK;
}

static tain_status add_user(tain_call *c, tain_error *err)
{
    const char *name, *password;
    char        id[37];
    size_t      count;
    TAIN_AUTO(tain_free) tain_control_grant *grants = NULL;
    TAIN_TRY(tain_call_text(c, "name", true, &name, err));
    TAIN_TRY(tain_call_text(c, "password", false, &password, err));
    TAIN_TRY(read_grants(c, &grants, &count, err));
    tain_status st = tain_control_user_add_granted(c->api->control, name, password, grants, count, id, err);
    if (st == TAIN_E_EXISTS) c->code = "DuplicateUserName";
    TAIN_TRY(st);
    c->reply->status = 201;
    return show_user(c, id, err);
}

static tain_status change_user(tain_call *c, tain_error *err)
{
    const json_t            *disabled = json_object_get(c->in, "disabled");
    tain_control_user_change to = {.with_password = json_object_get(c->in, "password") != NULL, .with_disabled = json_is_boolean(disabled), .disabled = json_is_true(disabled)};
    TAIN_AUTO(tain_free) tain_control_grant *grants = NULL;
    TAIN_TRY(tain_call_text(c, "password", false, &to.password, err));
    TAIN_TRY(read_grants(c, &grants, &to.count, err));
    to.grants = grants;
    TAIN_TRY(tain_control_user_change_some(c->api->control, c->argument[0], &to, err));
    return show_user(c, c->argument[0], err);
}

/* That nobody would be left to administer the service is no fault of the request. */
static tain_status remove_user(tain_call *c, tain_error *err)
{
    tain_status st = tain_control_user_remove(c->api->control, c->argument[0], err);
    if (st == TAIN_E_INVALID) c->status = 409;
    return st;
}

/* --- tokens -------------------------------------------------------------------------------------------------------------- */

static bool is_admin(const tain_call *c)
{
    return c->caller.role == TAIN_CONTROL_ADMIN;
}

static tain_status tokens(tain_call *c, tain_error *err)
{
    tain_control_page   page;
    tain_control_tokens all;
    TAIN_TRY(tain_call_page(c, &page, err));
    TAIN_TRY(tain_control_token_list(c->api->control, is_admin(c) ? NULL : c->caller.user, page, &all, err));
    json_t *rows = json_array();
    for (size_t i = 0; i < all.count; i++) {
        const tain_control_token *t = &all.rows[i];
        json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:b,s:o,s:o,s:o}", "id", t->id, "userId", t->user, "name", t->name, "role",
                                              tain_control_role_name(t->role), "session", t->session, "createdDateTime", tain_call_time(t->created),
                                              "expiresDateTime", tain_call_time(t->expires), "usedDateTime", tain_call_time(t->used)));
    }
    tain_call_list(c, "value", rows, all.next);
    tain_control_tokens_done(&all);
    return TAIN_OK;
}

/* Whose token it shall be: the caller's own, or, by an administrator, another's. */
static tain_status token_user(tain_call *c, const char **ret, tain_error *err)
{
    TAIN_TRY(tain_call_text(c, "userId", false, ret, err));
    if (*ret && !is_admin(c)) return tain_fail(err, TAIN_E_PERMISSION, "only an administrator makes tokens of others");
    if (!*ret) *ret = c->caller.user;
    if (**ret) return TAIN_OK;
    c->status = 409;
    tain_status st = tain_call_fail(c, "UserNeeded", TAIN_E_INVALID, err, "the body has no \"userId\": a token is a user's");
    tain_error_remedy(err, "make a user first (POST /v1/users), and name it");
    return st;
}

/* A token gives no more than that by which it was made, for no longer. Where nothing is said: as long. */
static tain_status expiry(const tain_call *c, tain_time *ret, tain_error *err)
{
    const int64_t   days = tain_call_number(c, "expiresInDays", 0);
    const tain_time most = c->caller.expires;
    *ret = days ? tain_now() + days * 86400 * TAIN_SECOND : most;
    if (!most || *ret <= most) return TAIN_OK;
    tain_status st = tain_fail(err, TAIN_E_PERMISSION, "a token lasts no longer than the one by which it is made");
    tain_error_remedy(err, "leave expiresInDays out, then it lasts as long; or sign in with a password, and make it then");
    return st;
}

static tain_status add_token(tain_call *c, tain_error *err)
{
    const char       *name, *user, *role;
    char              id[37], text[TAIN_CONTROL_TOKEN_TEXT];
    tain_control_role least;
    tain_time         expires;
    TAIN_TRY(tain_call_text(c, "name", true, &name, err));
    TAIN_TRY(tain_call_text(c, "role", false, &role, err));
    TAIN_TRY(expiry(c, &expires, err));
    TAIN_TRY(role_of(role ? role : "admin", &least, err));
    TAIN_TRY(token_user(c, &user, err));
    least = tain_control_role_least(least, c->caller.most);
    TAIN_TRY(tain_control_token_add(c->api->control, user, name, least, expires, id, text, err));
    c->reply->status = 201;
    c->out = json_pack("{s:s,s:s}", "id", id, "token", text);
    return TAIN_OK;
}

static tain_status is_own_token(tain_call *c, const char *id, tain_error *err)
{
    tain_control_tokens all;
    bool                found = false;
    TAIN_TRY(tain_control_token_list(c->api->control, c->caller.user, (tain_control_page){.most = TAIN_CONTROL_ALL}, &all, err));
    for (size_t i = 0; i < all.count; i++) found = found || strcasecmp(all.rows[i].id, id) == 0;
    tain_control_tokens_done(&all);
    return found ? TAIN_OK : tain_fail(err, TAIN_E_NOT_FOUND, "no token '%s' of yours", id);
}

static tain_status remove_token(tain_call *c, tain_error *err)
{
    if (!is_admin(c)) TAIN_TRY(is_own_token(c, c->argument[0], err));
    return tain_control_token_remove(c->api->control, c->argument[0], err);
}

/* --- owners -------------------------------------------------------------------------------------------------------------- */

static tain_status find_user(tain_call *c, char ret_id[static 37], tain_error *err)
{
    tain_control_user u;
    const char       *id, *name;
    TAIN_TRY(tain_call_text(c, "userId", false, &id, err));
    TAIN_TRY(tain_call_text(c, "userName", !id, &name, err));
    TAIN_TRY(id ? tain_control_user_get(c->api->control, id, &u, err) : tain_control_user_find(c->api->control, name, &u, err));
    snprintf(ret_id, 37, "%s", u.id);
    tain_control_user_done(&u);
    return TAIN_OK;
}

static tain_status transfer(tain_call *c, tain_error *err)
{
    tain_control_item i;
    char              user[37];
    TAIN_TRY(tain_call_item(c, &i, err));
    bool own = i.owner && *c->caller.user && strcmp(i.owner, c->caller.user) == 0;
    tain_control_item_done(&i);
    if (!own) TAIN_TRY(tain_auth_need(c->api->auth, &c->caller, c->argument[0], TAIN_CONTROL_ADMIN, err));
    TAIN_TRY(find_user(c, user, err));
    return tain_control_item_transfer(c->api->control, c->argument[1], user, err);
}

const tain_route tain_routes_principal[] = {
    {"GET", "/v1/me", TAIN_CALL_OPEN, NULL, me},
    {"POST", "/v1/session", TAIN_CALL_OPEN, "session.begin", sign_in},
    {"DELETE", "/v1/session", TAIN_CONTROL_NOBODY, "session.end", sign_out},
    {"GET", "/v1/users", TAIN_CONTROL_ADMIN, NULL, users},
    {"POST", "/v1/users", TAIN_CONTROL_ADMIN, "user.create", add_user},
    {"PATCH", "/v1/users/{}", TAIN_CONTROL_ADMIN, "user.change", change_user},
    {"DELETE", "/v1/users/{}", TAIN_CONTROL_ADMIN, "user.remove", remove_user},
    {"GET", "/v1/tokens", TAIN_CONTROL_NOBODY, NULL, tokens},
    {"POST", "/v1/tokens", TAIN_CONTROL_NOBODY, "token.create", add_token},
    {"DELETE", "/v1/tokens/{}", TAIN_CONTROL_NOBODY, "token.remove", remove_token},
    {"POST", "/v1/workspaces/{}/mirroredDatabases/{}/transferOwner", TAIN_CONTROL_CONTRIBUTOR, "item.transfer", transfer},
    {0},
};

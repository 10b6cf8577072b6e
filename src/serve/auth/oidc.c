/* SPDX-License-Identifier: MIT */
#include "serve/auth/oidc.h"

#include <cjose/cjose.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "serve/auth/issuer.h"

enum { LEEWAY = 60 /* seconds */, TOKEN_MOST = 32 << 10 };

struct tain_oidc {
    tain_issuer *issuer;
    char       **audiences; /* without final slash; NULL-terminated */
};

/* --- life ---------------------------------------------------------------------------------------------------------- */

static size_t bare(const char *text)
{
    size_t n = strlen(text);
    return n > 0 && text[n - 1] == '/' ? n - 1 : n;
}

static char **copy_audiences(const char *const *given)
{
    static const char *const fabric[] = {"https://storage.azure.com", "https://api.fabric.microsoft.com", "https://analysis.windows.net/powerbi/api",
                                         "https://database.windows.net", NULL};
    size_t                   n = 0;
    if (!given) given = fabric;
    while (given[n]) n++;
    char **copy = tain_alloc((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) copy[i] = tain_strndup(given[i], bare(given[i]));
    return copy;
}

tain_status tain_oidc_open(const char *issuer, const char *const *audiences, const char *ca_file, tain_oidc **ret, tain_error *err)
{
    tain_issuer *i;
    TAIN_TRY(tain_issuer_open(issuer, ca_file, &i, err));
    *ret = tain_alloc(sizeof **ret);
    **ret = (tain_oidc){i, copy_audiences(audiences)};
    return TAIN_OK;
}

void tain_oidc_close(tain_oidc *o)
{
    if (!o) return;
    for (char **a = o->audiences; *a; a++) tain_free(*a);
    tain_free(o->audiences);
    tain_issuer_close(o->issuer);
    tain_free(o);
}

/* --- signature ----------------------------------------------------------------------------------------------------- */

static tain_status wrong(tain_error *err, const char *why)
{
    tain_status st = tain_fail(err, TAIN_E_AUTH, "the token is not good: %s", why);
    tain_error_remedy(err, "get another token from its issuer");
    return st;
}

/* What signs it is ours to allow, not the token's to say. */
static bool kind_of(const char *algorithm, cjose_jwk_kty_t *ret)
{
    if (algorithm && strcmp(algorithm, CJOSE_HDR_ALG_RS256) == 0) return *ret = CJOSE_JWK_KTY_RSA, true;
    if (algorithm && strcmp(algorithm, CJOSE_HDR_ALG_ES256) == 0) return *ret = CJOSE_JWK_KTY_EC, true;
    return false;
}

static tain_status check_signature(tain_oidc *o, cjose_jws_t *jws, tain_error *err)
{
    cjose_err       why;
    cjose_jwk_kty_t kind;
    cjose_header_t *header = cjose_jws_get_protected(jws);
    if (!kind_of(cjose_header_get(header, CJOSE_HDR_ALG, &why), &kind)) return wrong(err, "it is signed neither by RS256 nor by ES256");
    if (json_object_get((json_t *)header, "crit")) return wrong(err, "it demands what is not known here");
    return tain_issuer_check(o->issuer, jws, cjose_header_get(header, CJOSE_HDR_KID, &why), kind, err);
}

/* The claims of what is signed well. */
static tain_status claims_of(tain_oidc *o, const char *token, json_t **ret, tain_error *err)
{
    cjose_err    why;
    uint8_t     *text;
    size_t       n = strnlen(token, TOKEN_MOST + 1);
    cjose_jws_t *jws = n <= TOKEN_MOST ? cjose_jws_import(token, n, &why) : NULL;
    if (!jws) return wrong(err, "it is none");
    tain_status st = check_signature(o, jws, err);
    if (st == TAIN_OK && (!cjose_jws_get_plaintext(jws, &text, &n, &why) || tain_json_parse(text, n, "token", ret, NULL) != TAIN_OK)) st = wrong(err, "its claims");
    cjose_jws_release(jws);
    return st;
}

/* --- claims -------------------------------------------------------------------------------------------------------- */

/* NULL: it is no text, or one that ends before its end. */
static const char *text_of(const json_t *claim)
{
    const char *text = json_string_value(claim);
    return text && strlen(text) == json_string_length(claim) ? text : NULL;
}

static bool is_ours(const tain_oidc *o, const json_t *audience)
{
    const char *text = text_of(audience);
    for (char **a = o->audiences; text && *a; a++) {
        if (bare(text) == strlen(*a) && strncmp(text, *a, strlen(*a)) == 0) return true;
    }
    return false;
}

static bool any_is_ours(const tain_oidc *o, const json_t *audience)
{
    size_t  at;
    json_t *one;
    if (!json_is_array(audience)) return is_ours(o, audience);
    json_array_foreach(audience, at, one)
    {
        if (is_ours(o, one)) return true;
    }
    return false;
}

static bool is_from(const tain_oidc *o, const json_t *claims)
{
    const char *from = text_of(json_object_get(claims, "iss")), *name = tain_issuer_name(o->issuer);
    return from && bare(from) == strlen(name) && strncmp(from, name, strlen(name)) == 0;
}

/* Last, so that one whose time is over is known to be good otherwise. */
static tain_status check_time(const json_t *claims, tain_error *err)
{
    const json_t *until = json_object_get(claims, "exp"), *from = json_object_get(claims, "nbf");
    const double  now = (double)(tain_now() / TAIN_SECOND);
    if (!json_is_number(until) || (from && !json_is_number(from))) return wrong(err, "it does not say until when");
    if (from && now < json_number_value(from) - LEEWAY) return wrong(err, "its time has not come; compare the clocks");
    if (now < json_number_value(until) + LEEWAY) return TAIN_OK;
    tain_status st = wrong(err, "its time is over");
    if (err) err->sys = EKEYEXPIRED;
    return st;
}

static tain_status check_claims(const tain_oidc *o, const json_t *claims, tain_error *err)
{
    if (!is_from(o, claims)) return wrong(err, "it is of another issuer");
    if (!any_is_ours(o, json_object_get(claims, "aud"))) return wrong(err, "it is for somebody else; ask its issuer for one with an audience of this service");
    if (!text_of(json_object_get(claims, "oid")) && !text_of(json_object_get(claims, "sub"))) return wrong(err, "it does not say whose it is");
    return check_time(claims, err);
}

static tain_control_role role_of(const json_t *role)
{
    tain_control_role ret;
    const char       *text = text_of(role);
    if (!text || strncmp(text, "tain.", 5) != 0) return TAIN_CONTROL_NOBODY;
    return tain_control_role_parse(text + 5, &ret, NULL) == TAIN_OK ? ret : TAIN_CONTROL_NOBODY;
}

static tain_control_role largest_role(const json_t *roles)
{
    tain_control_role largest = role_of(roles);
    size_t            at;
    json_t           *one;
    json_array_foreach(roles, at, one) largest = role_of(one) > largest ? role_of(one) : largest;
    return largest;
}

/* In seconds there may be more than we count. */
static tain_time end_of(const json_t *claims)
{
    const double until = json_number_value(json_object_get(claims, "exp")), most = (double)(INT64_MAX / TAIN_SECOND / 2);
    return (tain_time)(until < most ? until : most) * TAIN_SECOND;
}

tain_status tain_oidc_verify(tain_oidc *o, const char *token, tain_oidc_subject *ret, tain_error *err)
{
    json_t *claims = NULL;
    TAIN_TRY(claims_of(o, token, &claims, err));
    tain_status st = check_claims(o, claims, err);
    if (st == TAIN_OK) {
        *ret = (tain_oidc_subject){.oid = tain_strdup(text_of(json_object_get(claims, "oid"))),
                                   .sub = tain_strdup(text_of(json_object_get(claims, "sub"))),
                                   .preferred = tain_strdup(text_of(json_object_get(claims, "preferred_username"))),
                                   .expires = end_of(claims),
                                   .role = largest_role(json_object_get(claims, "roles"))};
    }
    json_decref(claims);
    return st;
}

void tain_oidc_subject_done(tain_oidc_subject *s)
{
    tain_free(s->oid);
    tain_free(s->sub);
    tain_free(s->preferred);
    *s = (tain_oidc_subject){0};
}

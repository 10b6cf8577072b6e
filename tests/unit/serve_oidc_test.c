/* SPDX-License-Identifier: MIT */
/* Tokens of an issuer, which is here, and whose keys are made anew for each run. */
#include "control_fixture.h"
#include "net_fixture.h"

#include <cjose/cjose.h>
#include <errno.h>
#include <stdatomic.h>

#include "base/time.h"
#include "control/role.h"
#include "control/user.h"
#include "serve/auth/auth.h"
#include "serve/auth/oidc.h"

static cjose_jwk_t        *rsa, *ec, *weak, *other; /* other: not the issuer's, at first */
static tain_http_server   *issuer;
static char                url[100], *published;
static const char         *called; /* what the issuer calls itself; NULL: as it is called */
static _Atomic int         fetched;
static tain_oidc          *oidc;
static tain_oidc_subject   subject;

/* --- the issuer ---------------------------------------------------------------------------------------------------- */

static char *publish(cjose_jwk_t **keys, int n)
{
    cjose_err   why;
    tain_buffer b = {0};
    tain_buffer_append_str(&b, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"strange\"},17");
    for (int i = 0; i < n; i++) {
        char *one = cjose_jwk_to_json(keys[i], false, &why);
        tain_buffer_printf(&b, ",%s", one);
        free(one);
    }
    tain_buffer_append_str(&b, "]}");
    return tain_buffer_cstr(&b);
}

static void issue(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    if (strcmp(q->path, "/tenant/keys") == 0) {
        atomic_fetch_add(&fetched, 1);
        tain_buffer_append_str(&p->body, published);
    } else if (strcmp(q->path, "/tenant/.well-known/openid-configuration") == 0)
        tain_buffer_printf(&p->body, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s/keys\"}", called ? called : url, url);
    else p->status = 404;
}

static int setup_keys(void **state)
{
    cjose_err why;
    rsa = cjose_jwk_create_RSA_random(2048, NULL, 0, &why);
    weak = cjose_jwk_create_RSA_random(1024, NULL, 0, &why);
    other = cjose_jwk_create_RSA_random(2048, NULL, 0, &why);
    ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &why);
    return !(rsa && weak && other && ec && cjose_jwk_set_kid(rsa, "rsa", 3, &why) && cjose_jwk_set_kid(ec, "ec", 2, &why) &&
             cjose_jwk_set_kid(weak, "weak", 4, &why) && cjose_jwk_set_kid(other, "other", 5, &why));
}

static int drop_keys(void **state)
{
    cjose_jwk_t *all[] = {rsa, ec, weak, other};
    for (size_t i = 0; i < 4; i++) cjose_jwk_release(all[i]);
    return 0;
}

static void start_issuer(void)
{
    serve((tain_http_options){.handle = issue});
    issuer = server;
    server = NULL;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/tenant", tain_http_port(issuer));
}

static int start(void **state)
{
    published = publish((cjose_jwk_t *[]){rsa, ec, weak}, 3);
    called = NULL;
    fetched = 0;
    start_issuer();
    return tain_oidc_open(url, NULL, NULL, &oidc, &err) == TAIN_OK ? begin(state) : -1;
}

static int finish(void **state)
{
    tain_http_stop(issuer);
    issuer = NULL;
    tain_oidc_close(oidc);
    oidc = NULL;
    free(published);
    return end(state);
}

/* --- tokens -------------------------------------------------------------------------------------------------------- */

static char *sign(cjose_jwk_t *key, const char *algorithm, const char *kid, const char *claims)
{
    cjose_err       why;
    const char     *text;
    cjose_header_t *header = cjose_header_new(&why);
    assert_true(cjose_header_set(header, CJOSE_HDR_ALG, algorithm, &why));
    if (kid) assert_true(cjose_header_set(header, CJOSE_HDR_KID, kid, &why));
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)claims, strlen(claims), &why);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, &why));
    char *copy = tain_strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

/* Claims that are good, with `more` behind them, which holds as it is the later. */
static const char *claims(const char *more)
{
    static char text[2000];
    long long   now = (long long)(tain_now() / TAIN_SECOND);
    snprintf(text, sizeof text, "{\"iss\":\"%s\",\"aud\":\"https://storage.azure.com\",\"exp\":%lld,\"nbf\":%lld,\"sub\":\"ann-sub\"%s%s}", url, now + 600, now,
             more[0] ? "," : "", more);
    return text;
}

static tain_status verify(char *token)
{
    tain_oidc_subject_done(&subject);
    tain_status st = tain_oidc_verify(oidc, token, &subject, &err);
    free(token);
    return st;
}

#define assert_good(more) assert_ok(verify(sign(rsa, "RS256", "rsa", claims(more))))
#define assert_bad(more, text) assert_fails(verify(sign(rsa, "RS256", "rsa", claims(more))), TAIN_E_AUTH, text)

static void good_ones_are_taken(void **state)
{
    assert_ok(verify(sign(rsa, "RS256", "rsa", claims("\"oid\":\"o-1\",\"preferred_username\":\"ann@x\",\"roles\":[\"x\",\"tain.viewer\",\"tain.contributor\"]"))));
    assert_string_equal(subject.oid, "o-1");
    assert_string_equal(subject.sub, "ann-sub");
    assert_string_equal(subject.preferred, "ann@x");
    assert_int_equal(subject.role, TAIN_CONTROL_CONTRIBUTOR);
    assert_ok(verify(sign(ec, "ES256", "ec", claims("\"roles\":\"tain.admin\""))));
    assert_int_equal(subject.role, TAIN_CONTROL_ADMIN);
    assert_null(subject.oid);
    assert_ok(verify(sign(ec, "ES256", NULL, claims("\"roles\":[\"tain.king\",\"admin\",5]"))));
    assert_int_equal(subject.role, TAIN_CONTROL_NOBODY);
    assert_good("\"aud\":\"https://storage.azure.com/\"");
    assert_good("\"aud\":[\"x\",\"https://api.fabric.microsoft.com\"]");
    assert_good("\"aud\":\"https://analysis.windows.net/powerbi/api\"");
    assert_good("\"aud\":\"https://database.windows.net/\"");
    assert_int_equal(fetched, 1);
    tain_oidc_subject_done(&subject);
}

static void claims_are_checked(void **state)
{
    char text[100];
    assert_bad("\"iss\":\"https://evil.example\"", "another issuer");
    assert_bad("\"iss\":5", "another issuer");
    assert_bad("\"aud\":\"https://else.example\"", "somebody else");
    assert_bad("\"aud\":[]", "somebody else");
    assert_bad("\"aud\":\"https://storage.azure.com\\u0000.evil\"", "somebody else");
    assert_bad("\"aud\":\"https://storage.azure.com//\"", "somebody else");
    assert_bad("\"exp\":\"soon\"", "until when");
    assert_bad("\"exp\":null", "until when");
    assert_bad("\"sub\":7", "whose it is");
    long long now = (long long)(tain_now() / TAIN_SECOND);
    snprintf(text, sizeof text, "\"exp\":%lld", now - 30);
    assert_good(text);
    snprintf(text, sizeof text, "\"nbf\":%lld", now + 30);
    assert_good(text);
    snprintf(text, sizeof text, "\"nbf\":%lld", now + 90);
    assert_bad(text, "has not come");
    snprintf(text, sizeof text, "\"exp\":%lld,\"nbf\":%lld", now - 90, now - 1000);
    assert_bad(text, "is over");
    assert_int_equal(err.sys, EKEYEXPIRED);
    tain_oidc_subject_done(&subject);
}

static void signatures_are_checked(void **state)
{
    char *token = sign(rsa, "RS256", "rsa", claims(""));
    token[strlen(token) - 10] ^= 1;
    assert_fails(verify(token), TAIN_E_AUTH, "not good");
    token = sign(rsa, "RS256", "rsa", claims(""));
    char *body = strchr(token, '.') + 10;
    *body = *body == 'A' ? 'B' : 'A';
    assert_fails(verify(token), TAIN_E_AUTH, "not good");
    assert_fails(verify(sign(other, "RS256", "rsa", claims(""))), TAIN_E_AUTH, "no key of its issuer");
    assert_fails(verify(sign(weak, "RS256", "weak", claims(""))), TAIN_E_AUTH, "no key of its issuer");
    assert_fails(verify(sign(rsa, "RS384", "rsa", claims(""))), TAIN_E_AUTH, "neither by RS256");
    assert_fails(verify(sign(rsa, "PS256", "rsa", claims(""))), TAIN_E_AUTH, "neither by RS256");
    assert_fails(verify(tain_strdup("")), TAIN_E_AUTH, "not good");
    assert_fails(verify(tain_strdup("a.b.c")), TAIN_E_AUTH, "not good");
    assert_fails(verify(tain_strdup("eyJhbGciOiJub25lIn0.e30.")), TAIN_E_AUTH, "not good");
    char *long_one = tain_alloc(100001);
    memset(long_one, 'a', 100000);
    assert_fails(verify(long_one), TAIN_E_AUTH, "not good");
}

/* By what everybody may know, a token cannot be made. */
static void a_public_key_is_no_secret(void **state)
{
    cjose_err    why;
    char        *text = cjose_jwk_to_json(rsa, false, &why);
    cjose_jwk_t *shared = cjose_jwk_create_oct_spec((const uint8_t *)text, strlen(text), &why);
    assert_fails(verify(sign(shared, "HS256", "rsa", claims(""))), TAIN_E_AUTH, "neither by RS256");
    cjose_jwk_release(shared);
    free(text);
}

static void new_keys_are_asked_for_now_and_then(void **state)
{
    assert_good("");
    for (int i = 0; i < 5; i++) assert_fails(verify(sign(other, "RS256", "other", claims(""))), TAIN_E_AUTH, "no key of its issuer");
    assert_int_equal(fetched, 1); /* a minute has not gone by */
    free(published);
    published = publish((cjose_jwk_t *[]){other}, 1);
    tain_oidc_close(oidc);
    assert_ok(tain_oidc_open(url, NULL, NULL, &oidc, &err));
    assert_ok(verify(sign(other, "RS256", "other", claims(""))));
    assert_fails(verify(sign(rsa, "RS256", "rsa", claims(""))), TAIN_E_AUTH, "no key of its issuer");
    tain_oidc_subject_done(&subject);
}

static void what_an_issuer_can_do_wrong(void **state)
{
    static const char *const bad[] = {"", "not JSON", "[]", "{\"keys\":[]}", "{\"keys\":7}", "{\"keys\":[{}]}", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        free(published);
        published = tain_strdup(bad[i]);
        tain_oidc_close(oidc);
        assert_ok(tain_oidc_open(url, NULL, NULL, &oidc, &err));
        assert_fails(verify(sign(rsa, "RS256", "rsa", claims(""))), TAIN_E_PROTOCOL, "/tenant/keys");
    }
    called = "https://else.example";
    tain_oidc_close(oidc);
    assert_ok(tain_oidc_open(url, NULL, NULL, &oidc, &err));
    assert_fails(verify(sign(rsa, "RS256", "rsa", claims(""))), TAIN_E_PROTOCOL, "another issuer");
    assert_fails(verify(sign(rsa, "RS256", "rsa", claims(""))), TAIN_E_UNAVAILABLE, "a moment ago");
    tain_oidc *none;
    assert_fails(tain_oidc_open("http://issuer.example", NULL, NULL, &none, &err), TAIN_E_INVALID, "no https URL");
    assert_fails(tain_oidc_open("file:///x", NULL, NULL, &none, &err), TAIN_E_INVALID, "no https URL");
}

static void what_was_had_outlives_the_issuer(void **state)
{
    assert_good("");
    tain_http_stop(issuer);
    issuer = NULL;
    assert_good("");
    assert_fails(verify(sign(other, "RS256", "other", claims(""))), TAIN_E_AUTH, "no key of its issuer");
    tain_oidc_close(oidc);
    assert_ok(tain_oidc_open(url, NULL, NULL, &oidc, &err));
    assert_fails(verify(sign(rsa, "RS256", "rsa", claims(""))), TAIN_E_UNAVAILABLE, url);
    tain_oidc_subject_done(&subject);
}

/* --- users --------------------------------------------------------------------------------------------------------- */

static tain_auth  *auth;
static tain_caller caller;

static void who(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    tain_error  why;
    tain_status st = tain_auth_caller(auth, q, &caller, &why);
    p->status = st == TAIN_OK ? 200 : tain_status_http(st);
    if (st == TAIN_OK) tain_buffer_printf(&p->body, "me=%s role=%s\n", caller.name, tain_control_role_name(caller.role));
    else tain_buffer_printf(&p->body, "%s sys=%d\n", why.message, why.sys);
}

static const char *ask_with(const char *more)
{
    char  request[4000], *token = sign(rsa, "RS256", "rsa", claims(more));
    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: any.example\r\nAuthorization: bearer %s\r\nConnection: close\r\n\r\n", token);
    free(token);
    return ask(request);
}

static void open_auth(tain_control_role for_all)
{
    tain_auth_options o = {.issuer = url, .issuer_role = for_all};
    assert_ok(tain_auth_open(control, &o, &auth, &err));
    serve((tain_http_options){.handle = who});
}

static void close_auth(void)
{
    teardown(NULL);
    tain_auth_close(auth);
}

static void users_are_known_by_name(void **state)
{
    char id[37];
    open_auth(TAIN_CONTROL_NOBODY);
    assert_has(ask_with(""), " 401 ");
    assert_has(ask_with(""), "nobody who is known here");
    assert_ok(tain_control_user_add(control, "ann@x", NULL, id, &err));
    assert_has(ask_with("\"preferred_username\":\"ann@x\""), "me=ann@x role=\n");
    assert_ok(tain_control_role_set(control, id, NULL, TAIN_CONTROL_CONTRIBUTOR, &err));
    assert_has(ask_with("\"preferred_username\":\"ann@x\""), "me=ann@x role=contributor\n");
    assert_has(ask_with("\"preferred_username\":\"ann@x\",\"roles\":[\"tain.viewer\"]"), "role=contributor\n");
    assert_has(ask_with("\"preferred_username\":\"ann@x\",\"roles\":[\"tain.admin\"]"), "role=admin\n");
    assert_ok(tain_control_user_add(control, "ann-sub", NULL, id, &err));
    assert_has(ask_with("\"preferred_username\":\"ann@x\""), "me=ann-sub role=\n");
    assert_ok(tain_control_user_disable(control, id, true, &err));
    assert_has(ask_with("\"roles\":[\"tain.admin\"]"), " 401 ");
    close_auth();
}

static void users_are_made_by_the_issuers_word(void **state)
{
    tain_control_users all;
    open_auth(TAIN_CONTROL_NOBODY);
    assert_has(ask_with("\"oid\":\"o-2\",\"roles\":[\"tain.viewer\"]"), "me=o-2 role=viewer\n");
    assert_has(ask_with("\"oid\":\"o-2\",\"roles\":[\"tain.contributor\"]"), "me=o-2 role=contributor\n");
    assert_has(ask_with("\"oid\":\"o-2\""), "me=o-2 role=\n");
    assert_true(caller.user[0] != 0);
    assert_ok(tain_control_user_list(control, (tain_control_page){0}, &all, &err));
    assert_int_equal(all.count, 1);
    tain_control_users_done(&all);
    close_auth();
    open_auth(TAIN_CONTROL_VIEWER);
    assert_has(ask_with("\"oid\":\"o-3\""), "me=o-3 role=viewer\n");
    char expired[60];
    snprintf(expired, sizeof expired, "\"exp\":%lld", (long long)(tain_now() / TAIN_SECOND) - 100);
    assert_has(ask_with(expired), "sys=127");
    close_auth();
}

int main(void)
{
#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
    const struct CMUnitTest tests[] = {
        TEST(good_ones_are_taken), TEST(claims_are_checked), TEST(signatures_are_checked), TEST(a_public_key_is_no_secret), TEST(new_keys_are_asked_for_now_and_then),
        TEST(what_an_issuer_can_do_wrong), TEST(what_was_had_outlives_the_issuer), TEST(users_are_known_by_name), TEST(users_are_made_by_the_issuers_word),
    };
    return cmocka_run_group_tests(tests, setup_keys, drop_keys);
}

/* SPDX-License-Identifier: MIT */
/* Who is calling: over real connections, since half of it is what these tell. */
#include "control_fixture.h"
#include "net_fixture.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include "base/time.h"
#include "control/role.h"
#include "control/token.h"
#include "control/user.h"
#include "control/workspace.h"
#include "serve/auth/auth.h"
#include "serve/auth/throttle.h"

static tain_auth *auth;
static char       ann[37], workspace[37], id[37], text[TAIN_CONTROL_TOKEN_TEXT];

/* --- a service ----------------------------------------------------------------------------------------------------- */

static void who(const tain_http_request *q, tain_http_reply *p)
{
    tain_caller       c;
    tain_control_role there;
    tain_error        why;
    tain_status       st = tain_auth_caller(auth, q, &c, &why);
    if (st == TAIN_OK) st = tain_auth_role(auth, &c, workspace, &there, &why);
    p->status = st == TAIN_OK ? 200 : tain_status_http(st);
    if (st != TAIN_OK) tain_buffer_printf(&p->body, "%s\n", why.message);
    else tain_buffer_printf(&p->body, "me=%s id=%s role=%s there=%s session=%d\n", c.name, c.user, tain_control_role_name(c.role),
                            tain_control_role_name(there), c.session);
}

static void sign(const tain_http_request *q, tain_http_reply *p)
{
    tain_error  why;
    tain_caller c;
    char        name[100] = "", password[100] = "";
    tain_status st;
    if (strcmp(q->method, "DELETE") == 0) {
        st = tain_auth_caller(auth, q, &c, &why);
        if (st == TAIN_OK) tain_auth_sign_out(auth, &c, p);
    } else {
        sscanf(tain_http_query(q, "as"), "%99[^:]:%99[^\n]", name, password);
        st = tain_auth_sign_in(auth, q, name, password, p, &why);
    }
    p->status = st == TAIN_OK ? 200 : tain_status_http(st);
}

static void handle(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    if (!tain_auth_token_endpoint(auth, q, p)) (strcmp(q->path, "/session") == 0 ? sign : who)(q, p);
    tain_auth_headers(q, p);
}

static void open_auth(tain_auth_options o)
{
    assert_ok(tain_auth_open(control, &o, &auth, &err));
    serve((tain_http_options){.address = "0.0.0.0", .handle = handle});
    assert_ok(tain_control_workspace_add(control, "sales", NULL, NULL, workspace, &err));
    assert_ok(tain_control_user_add(control, "ann", "correct horse", ann, &err));
}

static int finish(void **state)
{
    teardown(state);
    tain_auth_close(auth);
    auth = NULL;
    return end(state);
}

static const char *call(const char *method, const char *target, const char *headers)
{
    char request[8000];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\n%s%sContent-Length: 0\r\nConnection: close\r\n\r\n", method, target,
             strstr(headers, "Host:") ? "" : "Host: localhost\r\n", headers);
    return ask(request);
}

static const char *call_as(uid_t uid, const char *method, const char *headers)
{
    uid_t before = geteuid();
    if (seteuid(uid)) skip();
    const char *answer = call(method, "/me", headers);
    assert_int_equal(seteuid(before), 0);
    return answer;
}

static const char *with_token(const char *method, const char *token, const char *more)
{
    char headers[7000];
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n%s", token, more);
    return call(method, "/me", headers);
}

/* --- without credentials ------------------------------------------------------------------------------------------- */

static void the_owner_needs_none(void **state)
{
    open_auth((tain_auth_options){0});
    assert_has(call("GET", "/me", ""), "me=owner id= role=admin there=admin session=0");
    assert_has(call("POST", "/me", ""), "me=owner");
}

static void another_user_of_the_machine_does(void **state)
{
    open_auth((tain_auth_options){0});
    const char *answer = call_as(1234, "GET", "");
    assert_has(answer, " 401 ");
    assert_has(answer, "WWW-Authenticate: Bearer");
}

/* Beside the owner it is root who could do as the service does anyway. */
static void root_needs_none(void **state)
{
    if (geteuid() != 0) skip();
    assert_int_equal(seteuid(1234), 0);
    tain_auth_options o = {0};
    tain_status       st = tain_auth_open(control, &o, &auth, &err);
    assert_int_equal(seteuid(0), 0);
    assert_ok(st);
    serve((tain_http_options){.handle = handle});
    assert_has(call("GET", "/me", ""), "me=owner");
    assert_has(call_as(1234, "GET", ""), "me=owner");
    assert_has(call_as(1235, "GET", ""), " 401 ");
}

static void when_strict_everybody_does(void **state)
{
    open_auth((tain_auth_options){.strict = true});
    assert_has(call("GET", "/me", ""), " 401 ");
}

static void what_a_proxy_passes_on_is_not_the_owners(void **state)
{
    static const char *const marks[] = {"X-Forwarded-For: 10.0.0.1\r\n", "Forwarded: for=10.0.0.1\r\n", "Via: 1.1 x\r\n", "X-Real-IP: 10.0.0.1\r\n"};
    open_auth((tain_auth_options){0});
    for (size_t i = 0; i < 4; i++) assert_has(call("GET", "/me", marks[i]), " 401 ");
}

static void what_is_given_is_checked(void **state)
{
    open_auth((tain_auth_options){0});
    assert_has(call("GET", "/me", "Authorization: Bearer tain_0000\r\n"), " 401 ");
    assert_has(call("GET", "/me", "Authorization: Bearer eyJ.a.b\r\n"), " 401 ");
    assert_has(call("GET", "/me", "Authorization: Basic YTpi\r\n"), " 401 ");
    assert_has(call("GET", "/me", "Cookie: tain_session=tain_0000\r\n"), " 401 ");
    assert_has(call("GET", "/me", "Cookie: tain_session=tain_0000\r\n"), "Set-Cookie: tain_session=; Path=/"); /* so that the owner is not kept out by it */
}

/* --- other sites --------------------------------------------------------------------------------------------------- */

static void pages_of_others_cannot_use_us(void **state)
{
    static const char *const bad[] = {
        "Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: http://localhost:1\r\n", "Origin: https://localhost\r\n", "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n", "Host: evil.example\r\n", "Host: evil.example:80\r\n", "Host: localhost.evil.example\r\n", "Host: 127.0.0.1.evil.example\r\n",
        "Host: [::1\r\n", "Host: \r\n", "Host: known.example.evil.example\r\n",
    };
    static const char *const good[] = {
        "Origin: http://localhost\r\n", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n", "Host: 127.0.0.1:8080\r\n", "Host: [::1]:8080\r\n", "Host: LOCALHOST:1\r\n",
        "Host: x.localhost\r\n", "Host: localhost.\r\n", "Host: Known.Example:8080\r\n", "Host: 192.168.1.5:80\r\nOrigin: http://192.168.1.5:80\r\n",
    };
    open_auth((tain_auth_options){.hosts = (const char *const[]){"known.example", NULL}});
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *answer = call("POST", "/me", bad[i]);
        if (!strstr(answer, " 403 ")) fail_msg("%s: %s", bad[i], answer);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *answer = call("POST", "/me", good[i]);
        if (!strstr(answer, "me=owner")) fail_msg("%s: %s", good[i], answer);
    }
    assert_has(call("GET", "/me", "Host: evil.example\r\n"), " 403 "); /* reading too: a name can be made ours */
}

/* --- tokens -------------------------------------------------------------------------------------------------------- */

static void tokens_are_their_users(void **state)
{
    open_auth((tain_auth_options){0});
    assert_ok(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_CONTRIBUTOR, 0, id, text, &err));
    assert_has(with_token("GET", text, ""), "me=ann");
    assert_has(with_token("GET", text, ""), "role= there= session=0");
    assert_ok(tain_control_role_set(control, ann, workspace, TAIN_CONTROL_ADMIN, &err));
    assert_has(with_token("GET", text, ""), "role= there=contributor");
    assert_ok(tain_control_role_set(control, ann, NULL, TAIN_CONTROL_VIEWER, &err));
    assert_has(with_token("GET", text, ""), "role=viewer there=contributor");
    assert_has(with_token("POST", text, "Host: evil.example\r\nOrigin: http://evil.example\r\n"), "me=ann"); /* no browser sends it by itself */
    assert_ok(tain_control_user_disable(control, ann, true, &err));
    assert_has(with_token("GET", text, ""), " 401 ");
}

static void need(void **state)
{
    tain_caller c = {.name = "ann", .most = TAIN_CONTROL_CONTRIBUTOR, .role = TAIN_CONTROL_VIEWER};
    open_auth((tain_auth_options){0});
    memcpy(c.user, ann, sizeof ann);
    assert_ok(tain_auth_need(auth, &c, NULL, TAIN_CONTROL_VIEWER, &err));
    assert_fails(tain_auth_need(auth, &c, NULL, TAIN_CONTROL_CONTRIBUTOR, &err), TAIN_E_PERMISSION, "the role contributor in the whole service, and ann has viewer");
    assert_ok(tain_control_role_set(control, ann, workspace, TAIN_CONTROL_ADMIN, &err));
    assert_ok(tain_auth_need(auth, &c, workspace, TAIN_CONTROL_CONTRIBUTOR, &err));
    assert_fails(tain_auth_need(auth, &c, workspace, TAIN_CONTROL_ADMIN, &err), TAIN_E_PERMISSION, "in the workspace");
    assert_true(strstr(err.remedy, "token") != NULL);
    c = (tain_caller){.name = "owner", .role = TAIN_CONTROL_ADMIN, .most = TAIN_CONTROL_ADMIN};
    assert_ok(tain_auth_need(auth, &c, workspace, TAIN_CONTROL_ADMIN, &err));
}

/* --- sessions ------------------------------------------------------------------------------------------------------ */

static const char *sign_in(const char *as, const char *headers)
{
    char target[300];
    snprintf(target, sizeof target, "/session?as=%s", as);
    return call("POST", target, headers);
}

static char *cookie_of(const char *answer)
{
    static char   line[300];
    const char   *at = strstr(answer, "Set-Cookie: tain_session=");
    assert_non_null(at);
    snprintf(line, sizeof line, "Cookie: tain_session=%.69s\r\n", at + strlen("Set-Cookie: tain_session="));
    return line;
}

static const char *with(const char *cookie, const char *more)
{
    static char headers[600];
    snprintf(headers, sizeof headers, "%s%s", cookie, more);
    return headers;
}

static void a_session_begins_and_ends(void **state)
{
    open_auth((tain_auth_options){0});
    const char *answer = sign_in("ann:correct%20horse", "");
    assert_has(answer, " 200 ");
    assert_has(answer, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200\r\n");
    char *cookie = cookie_of(answer);
    assert_has(call("GET", "/me", cookie), "me=ann");
    assert_has(call("GET", "/me", cookie), "session=1");
    assert_has(call("GET", "/me", with(cookie, "Host: evil.example\r\n")), " 403 ");
    assert_has(call("POST", "/me", cookie), " 403 ");
    assert_has(call("POST", "/me", with(cookie, "X-Tain-Csrf: 1\r\n")), "me=ann");
    assert_has(call("POST", "/me", with(cookie, "X-Tain-Csrf: 1\r\nOrigin: http://evil.example\r\n")), " 403 ");
    assert_has(call("POST", "/me", with(cookie, "X-Tain-Csrf: 1\r\nSec-Fetch-Site: cross-site\r\n")), " 403 ");
    answer = call("DELETE", "/session", with(cookie, "X-Tain-Csrf: 1\r\n"));
    assert_has(answer, " 200 ");
    assert_has(answer, "Set-Cookie: tain_session=; ");
    assert_has(call("GET", "/me", cookie), " 401 ");
    assert_has(sign_in("ann:correct%20horse", "Origin: http://evil.example\r\n"), " 403 ");
}

static void wrong_passwords_wait(void **state)
{
    open_auth((tain_auth_options){0});
    assert_has(sign_in("ann:correct%20horse", ""), " 200 ");
    for (int i = 0; i < 5; i++) assert_has(sign_in("ann:wrong", ""), " 401 ");
    const char *answer = sign_in("ann:wrong", "");
    for (int i = 0; i < 6 && strstr(answer, " 401 "); i++) answer = sign_in("ann:wrong", ""); /* a slow machine has waited already */
    assert_has(answer, " 503 ");
    assert_has(answer, "Retry-After: ");
    assert_has(sign_in("ann:correct%20horse", ""), " 503 ");
}

static void tries_are_counted(void **state)
{
    tain_throttle          *t = tain_throttle_new();
    const tain_throttle_key both[] = {{"ann", 3}, {"10.0.0.1", 5}}, other[] = {{"bob", 3}, {"10.0.0.1", 5}}, elsewhere[] = {{"ann", 3}, {"10.0.0.2", 5}};
    for (int i = 0; i < 3; i++) assert_int_equal(tain_throttle_try(t, both, 2), 0);
    assert_in_range(tain_throttle_try(t, both, 2), 1, TAIN_SECOND);
    assert_in_range(tain_throttle_try(t, elsewhere, 2), 1, TAIN_SECOND);
    assert_int_equal(tain_throttle_try(t, other, 2), 0);
    assert_int_equal(tain_throttle_try(t, other, 2), 0);
    assert_in_range(tain_throttle_try(t, other, 2), 1, TAIN_SECOND); /* the address has had its five */
    tain_throttle_forgive(t, other, 2);
    assert_int_equal(tain_throttle_try(t, other, 2), 0);
    tain_throttle_free(t);
}

/* --- other machines ------------------------------------------------------------------------------------------------ */

static bool outer_address(struct in_addr *ret)
{
    struct ifaddrs *all;
    bool            found = false;
    if (getifaddrs(&all)) return false;
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        found = i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !(i->ifa_flags & IFF_LOOPBACK) && i->ifa_flags & IFF_UP;
        if (found) *ret = ((struct sockaddr_in *)i->ifa_addr)->sin_addr;
    }
    freeifaddrs(all);
    return found;
}

static const char *from_outside(const char *headers)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(tain_http_port(server))};
    char               request[1000];
    int                fd = socket(AF_INET, SOCK_STREAM, 0);
    if (!outer_address(&a.sin_addr)) skip();
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    snprintf(request, sizeof request, "GET /me HTTP/1.1\r\nHost: localhost\r\n%sConnection: close\r\n\r\n", headers);
    say(fd, request);
    const char *answer = hear(fd, NULL);
    close(fd);
    return answer;
}

static void from_elsewhere_by_tls_alone(void **state)
{
    char bearer[200];
    open_auth((tain_auth_options){0});
    assert_ok(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_VIEWER, 0, id, text, &err));
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", text);
    assert_has(from_outside(""), " 401 ");
    assert_has(from_outside(bearer), " 403 ");
    teardown(state);
    tain_auth_close(auth);
    tain_auth_options o = {.public_url = "https://tain.example/"};
    assert_ok(tain_auth_open(control, &o, &auth, &err));
    serve((tain_http_options){.address = "0.0.0.0", .handle = handle});
    assert_has(from_outside(""), " 401 ");
    assert_has(from_outside(bearer), "me=ann");
}

/* --- Azure clients ------------------------------------------------------------------------------------------------- */

static const char *post_form(const char *path, const char *form)
{
    char request[3000];
    snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: tain.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s", path, strlen(form), form);
    return ask(request);
}

static void azure_clients_get_their_token_back(void **state)
{
    char headers[200], form[1000], wanted[200];
    open_auth((tain_auth_options){0});
    tain_time until = tain_now() + 1000 * TAIN_SECOND;
    assert_ok(tain_control_token_add(control, ann, "ci", TAIN_CONTROL_VIEWER, until, id, text, &err));
    snprintf(headers, sizeof headers, "X-IDENTITY-HEADER: %s\r\n", text);
    const char *answer = call("GET", "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com", headers);
    snprintf(wanted, sizeof wanted, "{\"access_token\":\"%s\",\"expires_on\":\"%lld\",\"resource\":\"https://storage.azure.com\",\"token_type\":\"Bearer\"}", text,
             (long long)(until / TAIN_SECOND));
    assert_has(answer, wanted);
    assert_has(answer, "Cache-Control: no-store");
    assert_has(call("GET", "/msi/token?resource=x", "X-IDENTITY-HEADER: tain_00\r\n"), " 401 ");
    assert_has(call("GET", "/msi/token?resource=x", ""), " 400 ");
    assert_has(call("GET", "/adfs/.well-known/openid-configuration", "Host: tain.example:8443\r\n"), "\"token_endpoint\":\"http://tain.example:8443/adfs/oauth2/v2.0/token\"");
    snprintf(form, sizeof form, "client_id=any&scope=https%%3A%%2F%%2Fstorage.azure.com%%2F.default&client_secret=%%74%s&grant_type=client_credentials&client_info=1", text + 1);
    snprintf(wanted, sizeof wanted, "\"access_token\":\"%s\"}", text);
    assert_has(post_form("/adfs/oauth2/v2.0/token", form), wanted);
    assert_has(post_form("/ADFS/oauth2/token", form), wanted);
    assert_has(post_form("/adfs/oauth2/v2.0/token", "client_secret=tain_00&grant_type=client_credentials"), " 401 ");
    assert_has(post_form("/adfs/oauth2/v2.0/token", "client_secret=x&grant_type=password"), " 400 ");
    assert_has(post_form("/adfs/oauth2/v2.0/token", ""), " 400 ");
    assert_has(post_form("/adfs/oauth2/v2.0/token", "client_secret=%&grant_type=client_credentials&&="), " 400 ");
    assert_has(post_form("/adfs/oauth2/v2.0/token", "&&=&client_secret=&grant_type=client_credentials"), " 401 ");
    assert_has(call("GET", "/adfs/oauth2/v2.0/token", ""), " 405 ");
}

static void every_reply_is_guarded(void **state)
{
    open_auth((tain_auth_options){0});
    const char *answer = call("GET", "/me", "");
    assert_has(answer, "Content-Security-Policy: default-src 'self'");
    assert_has(answer, "frame-ancestors 'none'");
    assert_has(answer, "X-Content-Type-Options: nosniff");
    assert_has(answer, "Referrer-Policy: no-referrer");
    assert_has(answer, "Cache-Control: no-store");
}

int main(void)
{
#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        TEST(the_owner_needs_none), TEST(another_user_of_the_machine_does), TEST(root_needs_none), TEST(when_strict_everybody_does),
        TEST(what_a_proxy_passes_on_is_not_the_owners), TEST(what_is_given_is_checked), TEST(pages_of_others_cannot_use_us), TEST(tokens_are_their_users),
        TEST(need), TEST(a_session_begins_and_ends), TEST(wrong_passwords_wait), TEST(tries_are_counted), TEST(from_elsewhere_by_tls_alone),
        TEST(azure_clients_get_their_token_back), TEST(every_reply_is_guarded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Certificates of our own and given ones, and the client, which is what sees whether they are any good. */
#include "net_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "net/certificate.h"
#include "net/fetch.h"
#include "net/tls.h"

#define DAY (24 * 3600 * TAIN_SECOND)

static char           folder[] = "/tmp/tain-tls-XXXXXX";
static tain_identity  identity;
static tain_answer    answer;
static const char    *names[] = {"127.0.0.1", "localhost", NULL};

static const char *in_folder(const char *name)
{
    static char path[4][200];
    static int  next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/own/%s", folder, name);
    return path[next];
}

static int setup(void **state)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    return !mkdtemp(folder);
}

static int leave(void **state)
{
    static const char *const files[] = {"ca.pem", "ca.key", "server.pem", "server.key", "other.key"};
    teardown(state);
    tain_identity_done(&identity);
    tain_answer_done(&answer);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) unlink(in_folder(files[i]));
    rmdir(in_folder(""));
    return rmdir(folder);
}

static tain_status own(void)
{
    char path[100];
    tain_identity_done(&identity);
    snprintf(path, sizeof path, "%s/own", folder);
    return tain_identity_own(path, names, &identity, &err);
}

/* --- serving by them ----------------------------------------------------------------------------------------------- */

static void tell(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    const char *some = tain_http_header(q, "X-Some"), *type = tain_http_header(q, "Content-Type");
    if (strcmp(q->path, "/away") == 0) {
        p->status = 302;
        tain_http_reply_add(p, "Location", "/elsewhere");
    }
    if (strcmp(q->path, "/large") == 0) tain_buffer_append_zero(&p->body, 100000);
    p->type = "text/x-told";
    tain_buffer_printf(&p->body, "%s %s secure=%d some=%s type=%s size=%zu", q->method, q->path, q->secure, some ? some : "-", type ? type : "-", q->body.size);
}

static void serve_safely(void)
{
    serve((tain_http_options){.handle = tell, .cert = identity.cert, .key = identity.key});
}

static tain_status fetch_from(const char *scheme, const char *host, const char *path, tain_fetch f)
{
    char url[200];
    snprintf(url, sizeof url, "%s://%s:%u%s", scheme, host, tain_http_port(server), path);
    f.url = url;
    tain_answer_done(&answer);
    return tain_fetch_run(&f, &answer, &err);
}

static void who_trusts_the_authority_is_served(void **state)
{
    assert_ok(own());
    serve_safely();
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
    assert_int_equal(answer.status, 200);
    assert_string_equal(tain_buffer_cstr(&answer.body), "GET /x secure=1 some=- type=- size=0");
    assert_ok(fetch_from("https", "localhost", "/x", (tain_fetch){.ca_file = identity.ca_file}));
}

static void others_are_not(void **state)
{
    names[0] = "tain.example";
    names[1] = NULL;
    assert_ok(own());
    serve_safely();
    assert_fails(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}), TAIN_E_PROTOCOL, "https://127.0.0.1:");
    names[0] = "127.0.0.1";
    names[1] = "localhost";
    assert_fails(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){0}), TAIN_E_PROTOCOL, "certificate");
    assert_true(strstr(err.remedy, "authority") != NULL);
    assert_int_equal(fetch_from("http", "127.0.0.1", "/x", (tain_fetch){0}) == TAIN_OK && answer.status == 200, 0);
}

/* Handshakes that never end, or are none, hold nobody else up, and are cut. */
static void noise_is_no_handshake(void **state)
{
    int fd[10];
    assert_ok(own());
    serve((tain_http_options){.handle = tell, .cert = identity.cert, .key = identity.key, .patience = 1});
    for (int i = 0; i < 10; i++) {
        fd[i] = dial();
        if (i % 3) say(fd[i], i % 3 == 1 ? "GET / HTTP/1.1\r\nHost: h\r\n\r\n" : "\x16\x03\x01\x02");
    }
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
    for (int i = 0; i < 10; i++) {
        assert_null(strstr(hear(fd[i], NULL), "HTTP/1.1 200"));
        close(fd[i]);
    }
}

/* --- our own ------------------------------------------------------------------------------------------------------- */

static int mode_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(in_folder(name), &st), 0);
    return st.st_mode & 0777;
}

static char *text_of(const char *name)
{
    tain_buffer b = {0};
    int         fd = open(in_folder(name), O_RDONLY);
    assert_true(fd >= 0);
    b.size = (size_t)read(fd, tain_buffer_reserve(&b, 20000), 20000);
    close(fd);
    return tain_buffer_cstr(&b);
}

static void put(const char *name, const char *text)
{
    unlink(in_folder(name));
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void it_stays_while_it_is_good(void **state)
{
    assert_ok(own());
    char *ca = text_of("ca.pem"), *cert = text_of("server.pem");
    assert_int_equal(mode_of("ca.key"), 0600);
    assert_int_equal(mode_of("server.key"), 0600);
    assert_int_equal(mode_of("ca.pem"), 0644);
    assert_ok(own());
    assert_string_equal(identity.cert, cert);
    assert_non_null(strstr(cert, ca)); /* the chain is whole */
    names[1] = "tain.example";
    assert_ok(own());
    names[1] = "localhost";
    assert_string_not_equal(identity.cert, cert);
    assert_non_null(strstr(identity.cert, ca));
    free(ca);
    free(cert);
}

static void use_one_of(tain_time life)
{
    TAIN_AUTO(tain_buffer_done) tain_buffer pem = {0}, key_pem = {0};
    EVP_PKEY              *ca_key, *key;
    X509                  *ca, *c;
    tain_certificate_names both = {names, 2};
    char                  *ca_key_text = text_of("ca.key"), *ca_text = text_of("ca.pem");
    assert_ok(tain_certificate_read_key((tain_slice){(uint8_t *)ca_key_text, strlen(ca_key_text)}, "ca.key", &ca_key, &err));
    assert_ok(tain_certificate_read((tain_slice){(uint8_t *)ca_text, strlen(ca_text)}, "ca.pem", &ca, &err));
    assert_ok(tain_certificate_key(&key, &err));
    assert_ok(tain_certificate_server(key, both, life, ca, ca_key, &c, &err));
    assert_ok(tain_certificate_write(c, &pem, &err));
    assert_ok(tain_certificate_write_key(key, &key_pem, &err));
    put("server.pem", tain_buffer_cstr(&pem));
    put("server.key", tain_buffer_cstr(&key_pem));
    X509_free(ca);
    X509_free(c);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
    free(ca_key_text);
    free(ca_text);
}

static void it_is_renewed_in_time(void **state)
{
    assert_ok(own());
    use_one_of(31 * DAY);
    char *fresh = text_of("server.pem");
    assert_ok(own());
    assert_string_equal(identity.cert, fresh);
    use_one_of(29 * DAY);
    char *old = text_of("server.pem");
    assert_ok(own());
    assert_null(strstr(identity.cert, old));
    serve_safely();
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
    free(fresh);
    free(old);
}

static void what_is_spoilt_is_made_anew(void **state)
{
    assert_ok(own());
    put("server.key", "no key");
    assert_ok(own());
    put("server.pem", "");
    assert_ok(own());
    unlink(in_folder("server.key"));
    assert_ok(own());
    serve_safely();
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
}

/* Clients trust it: another is not made behind anybody's back. */
static void the_authority_stays(void **state)
{
    assert_ok(own());
    char *ca = text_of("ca.pem"), *key = text_of("ca.key");
    unlink(in_folder("ca.key"));
    assert_fails(own(), TAIN_E_CONFIG, "ca.key: the key is missing");
    put("ca.key", "nothing");
    assert_fails(own(), TAIN_E_CONFIG, "of no use");
    put("ca.key", key);
    assert_ok(own());
    assert_int_equal(chmod(in_folder("ca.key"), 0640), 0);
    assert_fails(own(), TAIN_E_PERMISSION, "ca.key can be read");
    char *other = text_of("server.key");
    put("ca.key", other);
    assert_fails(own(), TAIN_E_CONFIG, "do not belong together");
    unlink(in_folder("ca.pem"));
    unlink(in_folder("ca.key"));
    assert_ok(own());
    assert_null(strstr(identity.cert, ca));
    free(ca);
    free(key);
    free(other);
}

static void names_are_names(void **state)
{
    static const char *const bad[] = {"a b", "", "a..b", ".a", "a/b", "DNS:x,IP:1.2.3.4", "::g"};
    static const char *const good[] = {"a.b-c.d", "*.tain.example", "10.0.0.1", "::1", "under_score"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        names[1] = bad[i];
        assert_fails(own(), TAIN_E_INVALID, bad[i]);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        names[1] = good[i];
        assert_ok(own());
    }
    names[1] = "localhost";
}

static void given_ones_are_taken(void **state)
{
    assert_ok(own());
    tain_identity given = {0};
    assert_ok(tain_identity_given(in_folder("server.pem"), in_folder("server.key"), &given, &err));
    assert_string_equal(given.cert, identity.cert);
    assert_null(given.ca_file);
    tain_identity_done(&given);
    assert_fails(tain_identity_given(in_folder("nothing.pem"), in_folder("server.key"), &given, &err), TAIN_E_NOT_FOUND, "nothing.pem");
    tain_http_options o = {.address = "127.0.0.1", .handle = tell, .cert = identity.cert, .key = text_of("ca.key")};
    assert_fails(tain_http_serve(&o, &server, &err), TAIN_E_CONFIG, "not that of the certificate");
    free((char *)o.key);
}

/* The authority of the new one is another, so it is seen which is shown. */
static void another_is_shown_from_now_on(void **state)
{
    char *old_ca;
    assert_ok(own());
    serve_safely();
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
    assert_fails(tain_http_renew(server, identity.cert, "no key", &err), TAIN_E_CONFIG, "no PEM");
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
    old_ca = text_of("ca.pem");
    unlink(in_folder("ca.pem"));
    unlink(in_folder("ca.key"));
    assert_ok(own());
    assert_int_equal(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}), TAIN_E_PROTOCOL);
    assert_ok(tain_http_renew(server, identity.cert, identity.key, &err));
    assert_ok(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = identity.ca_file}));
    put("other.key", old_ca);
    assert_int_equal(fetch_from("https", "127.0.0.1", "/x", (tain_fetch){.ca_file = in_folder("other.key")}), TAIN_E_PROTOCOL);
    free(old_ca);
    teardown(state);
    serve((tain_http_options){.handle = tell});
    assert_fails(tain_http_renew(server, identity.cert, identity.key, &err), TAIN_E_CONFIG, "without TLS");
}

/* --- the client ---------------------------------------------------------------------------------------------------- */

static void requests_are_sent_as_they_are(void **state)
{
    static const char *const headers[] = {"X-Some: thing", "Content-Type: text/x", NULL};
    serve((tain_http_options){.handle = tell});
    assert_ok(fetch_from("http", "127.0.0.1", "/a", (tain_fetch){.body = {(const uint8_t *)"hello", 5}}));
    assert_string_equal(tain_buffer_cstr(&answer.body), "POST /a secure=0 some=- type=- size=5");
    assert_string_equal(answer.type, "text/x-told");
    assert_ok(fetch_from("http", "127.0.0.1", "/a", (tain_fetch){.method = "PUT", .headers = headers, .body = {(const uint8_t *)"hi", 2}}));
    assert_string_equal(tain_buffer_cstr(&answer.body), "PUT /a secure=0 some=thing type=text/x size=2");
    assert_ok(fetch_from("http", "127.0.0.1", "/a", (tain_fetch){.method = "POST"}));
    assert_string_equal(tain_buffer_cstr(&answer.body), "POST /a secure=0 some=- type=- size=0");
    assert_ok(fetch_from("http", "127.0.0.1", "/a", (tain_fetch){.method = "DELETE"}));
    assert_string_equal(tain_buffer_cstr(&answer.body), "DELETE /a secure=0 some=- type=- size=0");
    assert_ok(fetch_from("http", "127.0.0.1", "/a", (tain_fetch){.method = "HEAD"}));
    assert_int_equal(answer.body.size, 0);
}

static void where_it_points_is_not_followed(void **state)
{
    serve((tain_http_options){.handle = tell});
    assert_ok(fetch_from("http", "127.0.0.1", "/away", (tain_fetch){0}));
    assert_int_equal(answer.status, 302);
    assert_has(answer.location, "/elsewhere");
}

static void what_can_go_wrong(void **state)
{
    tain_fetch f = {.url = "file:///etc/passwd"};
    assert_fails(tain_fetch_run(&f, &answer, &err), TAIN_E_INVALID, "file:///etc/passwd");
    f.url = "http://me:secret@127.0.0.1:1/";
    assert_fails(tain_fetch_run(&f, &answer, &err), TAIN_E_UNAVAILABLE, "127.0.0.1:1");
    assert_null(strstr(err.message, "secret"));
    serve((tain_http_options){.handle = tell});
    assert_fails(fetch_from("http", "127.0.0.1", "/large", (tain_fetch){.most = 1000}), TAIN_E_PROTOCOL, "larger than 1000 bytes");
    assert_fails(fetch_from("https", "127.0.0.1", "/", (tain_fetch){0}), TAIN_E_PROTOCOL, "https://127.0.0.1:");
}

/* One that takes connections and never says anything. */
static void patience_has_an_end(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          n = sizeof a;
    char               url[100];
    int                fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 5) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(a.sin_port));
    tain_fetch f = {.url = url, .patience = 200 * TAIN_MILLISECOND};
    tain_time  start = tain_monotonic();
    assert_fails(tain_fetch_run(&f, &answer, &err), TAIN_E_UNAVAILABLE, url);
    assert_true(tain_monotonic() - start < 5 * TAIN_SECOND);
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, leave)
    const struct CMUnitTest tests[] = {
        TEST(who_trusts_the_authority_is_served), TEST(others_are_not), TEST(noise_is_no_handshake), TEST(it_stays_while_it_is_good), TEST(it_is_renewed_in_time),
        TEST(what_is_spoilt_is_made_anew), TEST(the_authority_stays), TEST(names_are_names), TEST(given_ones_are_taken), TEST(another_is_shown_from_now_on),
        TEST(requests_are_sent_as_they_are), TEST(where_it_points_is_not_followed), TEST(what_can_go_wrong), TEST(patience_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The HTTP server: what a handler is told, and what hostile or clumsy clients get. */
#include "net_fixture.h"

#include <pthread.h>
#include <semaphore.h>

/* --- handlers ------------------------------------------------------------------------------------------------------ */

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void tell(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    p->type = "text/plain";
    tain_buffer_printf(&p->body, "%s %s q=%s h=%s c=%s host=%s peer=%s loopback=%d secure=%d uid=%d size=%zu [%.*s]\n", q->method, q->path,
                       or_dash(tain_http_query(q, "q")), or_dash(tain_http_header(q, "x-some")), or_dash(tain_http_cookie(q, "c")), q->host, q->peer,
                       q->loopback, q->secure, (int)q->peer_uid, q->body.size, (int)(q->body.size < 40 ? q->body.size : 40), (const char *)q->body.data);
}

static sem_t entered, leave;

static void wait_for_leave(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    sem_post(&entered);
    sem_wait(&leave);
    tell(ctx, q, p);
}

static int setup(void **state)
{
    sem_init(&entered, 0, 0);
    sem_init(&leave, 0, 0);
    return 0;
}

/* --- what is told -------------------------------------------------------------------------------------------------- */

static void a_request_is_told(void **state)
{
    char uid[40];
    serve((tain_http_options){.handle = tell});
    const char *answer = ask("POST /v1/a%20b/c?x=1&q=%C3%A4+b%26&q=2 HTTP/1.1\r\nHost: me:80\r\nX-Some: thing\r\nCookie: a=1; c=two\r\n"
                             "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
    assert_has(answer, "HTTP/1.1 200 ");
    assert_has(answer, "POST /v1/a b/c q=\xc3\xa4 b& h=thing c=two host=me:80 peer=127.0.0.1 loopback=1 secure=0");
    assert_has(answer, "size=5 [hello]");
    snprintf(uid, sizeof uid, " uid=%d ", (int)geteuid());
    assert_has(answer, uid);
    assert_has(get("/?q"), "GET / q= h=- c=-");
}

static void the_other_ends_user_is_known(void **state)
{
    if (geteuid() != 0) skip();
    serve((tain_http_options){.handle = tell});
    assert_int_equal(seteuid(1234), 0);
    const char *answer = get("/");
    assert_int_equal(seteuid(0), 0);
    assert_has(answer, "uid=1234 ");
}

/* RFC 9112, 3.2.2 */
static void a_whole_url_is_a_target(void **state)
{
    serve((tain_http_options){.handle = tell});
    assert_has(ask("GET HTTP://h:80/a%20b/?c=d HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n"), "GET /a b ");
    assert_has(ask("GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 400 ");
    assert_has(ask("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 400 ");
    assert_has(ask("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.1 400 ");
}

static void bodies_come_whole(void **state)
{
    serve((tain_http_options){.handle = tell, .body_most = 300000});
    assert_has(ask("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"), "size=5 [abcde]");
    char *big = malloc(300200);
    int   n = snprintf(big, 200, "PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n");
    memset(big + n, 'x', 300000);
    big[n + 300000] = 0;
    assert_has(ask(big), "size=300000 [xxxx");
    free(big);
}

static void tell_form(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    tain_buffer_printf(&p->body, "a=%s b=%s c=%s\n", or_dash(tain_http_form(q, "a")), or_dash(tain_http_form(q, "b")), or_dash(tain_http_form(q, "c")));
}

static void forms_are_read(void **state)
{
    serve((tain_http_options){.handle = tell_form});
    assert_has(ask("POST /?a=no HTTP/1.1\r\nHost: h\r\nContent-Length: 19\r\nConnection: close\r\n\r\na=1+2%26&b&&a=3&c=4"), "a=1 2& b= c=4");
    assert_has(ask("POST /?a=no HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\na=%ff"), "a=- b=- c=-");
    assert_has(ask("POST /?a=no HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "a=- b=- c=-");
}

static void head_has_no_body(void **state)
{
    serve((tain_http_options){.handle = tell});
    const char *answer = ask("HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), *end = strstr(answer, "\r\n\r\n");
    assert_has(answer, "Content-Length: ");
    assert_non_null(end);
    assert_string_equal(end, "\r\n\r\n");
}

static void connections_are_kept(void **state)
{
    serve((tain_http_options){.handle = tell});
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_has(hear(fd, "[]\n"), "/again");
    }
    say(fd, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    const char *answer = hear(fd, NULL), *one = strstr(answer, "GET /1"), *two = strstr(answer, "POST /2"), *three = strstr(answer, "GET /3");
    assert_true(one && two && three && one < two && two < three);
    assert_has(two, "[hi]");
    close(fd);
}

static void expectations_are_met(void **state)
{
    serve((tain_http_options){.handle = tell, .body_most = 10});
    int fd = dial();
    say(fd, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");
    assert_has(hear(fd, "\r\n\r\n"), "HTTP/1.1 100 ");
    say(fd, "hello");
    assert_has(hear(fd, NULL), "[hello]");
    close(fd);
    const char *refused = ask("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    assert_has(refused, "HTTP/1.1 413 ");
    assert_null(strstr(refused, " 100 "));
}

static void injects(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    p->status = 201;
    tain_http_reply_add(p, "Location", "/%s", "x\r\nSet-Cookie: evil=1");
    tain_http_reply_add(p, "X-Two", "1");
    tain_http_reply_add(p, "X-Two", "2");
    p->fixed = (tain_slice){(const uint8_t *)"for ever", 8};
}

static void replies_are_what_was_said(void **state)
{
    serve((tain_http_options){.handle = injects});
    const char *answer = get("/");
    assert_has(answer, "HTTP/1.1 201 ");
    assert_null(strstr(answer, "\nSet-Cookie"));
    assert_has(answer, "X-Two: 1\r\n");
    assert_has(answer, "X-Two: 2\r\n");
    assert_has(answer, "Content-Type: application/octet-stream\r\n");
    assert_has(answer, "Content-Length: 8\r\n");
    assert_has(answer, "\r\n\r\nfor ever");
}

/* --- paths --------------------------------------------------------------------------------------------------------- */

static void paths_are_what_they_seem(void **state)
{
    static const char *const fine[][2] = {{"/%2541", "GET /%2541 "}, {"/a%2fb/%2F", "GET /a%2Fb/%2F "}, {"/%2e%2e%2fb", "GET /..%2Fb "}, {"//a///b/", "GET /a/b "}, {"/", "GET / "}, {"/...", "GET /... "}, {"/.a/b..", "GET /.a/b.. "},
                                          {"/a+b", "GET /a+b "}, {"/%5c", "GET /\\ "}, {"/a?b=/../c", "GET /a "}};
    static const char *const bad[] = {"/..", "/a/../b", "/%2e%2E/etc", "/a/.%2e", "/./a", "/a%00b", "/a%0ab", "/%", "/%4", "/%zz", "/%c0%ae",
                                      "/%ff", "*", "a", "http://x/y", "/a?%", "/a?x=%00", "/a?x=%fe", "/a#b", "/a?b#c"};
    serve((tain_http_options){.handle = tell});
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) assert_has(get(fine[i][0]), fine[i][1]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *answer = get(bad[i]);
        if (!strstr(answer, "HTTP/1.1 400 ")) fail_msg("%s: %s", bad[i], answer);
    }
}

/* --- hostile clients ----------------------------------------------------------------------------------------------- */

static void two_readings_are_refused(void **state)
{
    static const char *const heads[] = {
        "Host: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Host: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        "Host: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n", "Host: h\r\nTransfer-Encoding: gzip\r\n", "Host: h\r\nTransfer-Encoding: chunked, chunked\r\n",
        "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Host: h\r\nContent-Length: 3x\r\n", "Host: h\r\nContent-Length: -1\r\n",
        "Host: h\r\nContent-Length: 99999999999999999999999\r\n", "Host: h\r\nHost: g\r\n", "X: y\r\n", "Host: h\r\nAuthorization: a\r\nAuthorization: b\r\n",
        "Host: h\r\nno colon\r\n", "Host: h\r\nContent-Length : 3\r\n", "Host: h\r\nTransfer-Encoding : chunked\r\n", "Host: h\r\nContent-Length: 3\r\n 4\r\n",
        "Host: h\r\nTransfer-Encoding: \x0b" "chunked\r\n", "Host: h\r\nTransfer-Encoding: x\r\n chunked\r\n", "Host: h\r\nContent-Length: +3\r\n",
        "Host: h\r\nContent-Length: 0x3\r\n", "Host: h\r\nContent-Length: 3, 3\r\n", "Host: h\r\nContent-Length:\r\n",
    };
    char request[1000];
    serve((tain_http_options){.handle = tell});
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        snprintf(request, sizeof request, "POST /x HTTP/1.1\r\n%sConnection: close\r\n\r\nabcGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", heads[i]);
        const char *answer = ask(request);
        if (!strstr(answer, "HTTP/1.1 4") && !strstr(answer, "HTTP/1.1 501")) fail_msg("%s: %s", heads[i], answer);
        assert_null(strstr(answer, "/smuggled"));
    }
}

static void what_is_too_large_is_refused(void **state)
{
    const size_t n = 1 << 20;
    char        *big = malloc(n + 500);
    serve((tain_http_options){.handle = tell, .body_most = 1000});
    int size = snprintf(big, 400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", n);
    memset(big + size, 'x', n);
    big[(size_t)size + n] = 0;
    assert_has(ask(big), "HTTP/1.1 413 "); /* and the reply is not lost by what still comes */
    assert_has(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\n"), "HTTP/1.1 413 ");
    size = snprintf(big, 400, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n");
    memset(big + size, 'x', 2000);
    snprintf(big + size + 2000, 100, "\r\n0\r\n\r\n");
    assert_has(ask(big), "HTTP/1.1 413 ");
    size = snprintf(big, 400, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    memset(big + size, 'x', 100000);
    big[size + 100000] = 0;
    assert_has(ask(big), "HTTP/1.1 431 ");
    size = snprintf(big, 400, "GET /");
    memset(big + size, 'x', 100000);
    big[size + 100000] = 0;
    assert_has(ask(big), "HTTP/1.1 414 ");
    free(big);
    assert_has(get("/"), "HTTP/1.1 200 ");
}

static void who_dawdles_is_cut(void **state)
{
    serve((tain_http_options){.handle = tell, .patience = 1});
    int       silent = dial(), head = dial(), body = dial();
    tain_time start = tain_monotonic();
    say(head, "GET / HTTP/1.1\r\nHost: h\r\n");
    say(body, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    struct pollfd p = {.fd = head, .events = POLLIN};
    for (int i = 0; i < 100 && poll(&p, 1, 100) == 0; i++) { /* a little at a time, for ever */
        if (send(head, "X: y\r\n", 6, MSG_NOSIGNAL) < 0 || send(body, "x", 1, MSG_NOSIGNAL) < 0) break;
    }
    assert_has(hear(head, NULL), "408");
    assert_has(hear(body, NULL), "408");
    assert_string_equal(hear(silent, NULL), "");
    assert_true(tain_monotonic() - start < 6 * TAIN_SECOND);
    close(silent);
    close(head);
    close(body);
}

static void a_handler_may_take_longer(void **state)
{
    serve((tain_http_options){.handle = wait_for_leave, .patience = 1});
    int fd = dial(), other = dial();
    say(fd, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
    sem_wait(&entered);
    assert_string_equal(hear(other, NULL), ""); /* which takes as long as patience lasts */
    close(other);
    other = dial();
    assert_string_equal(hear(other, NULL), "");
    close(other);
    sem_post(&leave);
    assert_has(hear(fd, "[]\n"), "GET /late");
    close(fd);
}

static void one_address_has_its_share(void **state)
{
    int fd[8];
    serve((tain_http_options){.handle = tell, .connections_each = 4});
    for (int i = 0; i < 4; i++) {
        fd[i] = dial();
        say(fd[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_has(hear(fd[i], "[]\n"), "200");
    }
    int more = dial();
    (void)!send(more, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27, MSG_NOSIGNAL);
    assert_null(strstr(hear(more, NULL), "200"));
    close(more);
    say(fd[0], "GET /again HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_has(hear(fd[0], "[]\n"), "/again");
    for (int i = 0; i < 4; i++) close(fd[i]);
}

static void all_together_are_bounded(void **state)
{
    int fd[40];
    serve((tain_http_options){.handle = tell, .connections = 8});
    for (int i = 0; i < 40; i++) fd[i] = dial();
    for (int i = 0; i < 12; i++) say(fd[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 8; i++) assert_has(hear(fd[i], "[]\n"), " 200 ");
    for (int i = 8; i < 12; i++) assert_has(hear(fd[i], NULL), " 503 ");
    for (int i = 0; i < 40; i++) close(fd[i]);
    for (int tries = 0; !strstr(get("/"), " 200 "); tries++) assert_in_range(tries, 0, 1000); /* until they are seen to have gone */
}

static void noise_is_no_request(void **state)
{
    unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : (unsigned)time(NULL);
    printf("SEED=%u\n", seed);
    serve((tain_http_options){.handle = tell, .patience = 1});
    static const char *const words[] = {"GET", "POST", " ", "/", "HTTP/1.1", "\r\n", "\n", "\r", ":", "Host", "Content-Length", "0", "7", "\r\n\r\n", "chunked",
                                        "Transfer-Encoding", "%", "?", "\x01", "\xff", "Expect: 100-continue", ";", "ffffffffffffffffff", "&", "Cookie: a=\"", "=", "\""};
    for (int i = 0; i < 300; i++) {
        char request[600] = "";
        int  n = rand_r(&seed) % 40;
        if (rand_r(&seed) % 2) strcat(request, "POST / HTTP/1.1\r\nHost: h\r\n");
        for (int k = 0; k < n; k++) strcat(request, words[(size_t)rand_r(&seed) % (sizeof words / sizeof words[0])]);
        int fd = dial();
        say(fd, request);
        shutdown(fd, SHUT_WR);
        hear(fd, NULL);
        close(fd);
    }
    assert_has(get("/"), "HTTP/1.1 200 ");
}

/* Eight bodies of the largest size fit at a time; small ones always do. */
static void bodies_together_are_bounded(void **state)
{
    enum { SIZE = 200000 };
    int   fd[9];
    char *request = malloc(SIZE + 200);
    serve((tain_http_options){.handle = wait_for_leave, .body_most = SIZE});
    int n = snprintf(request, 200, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", SIZE);
    memset(request + n, 'x', SIZE);
    request[n + SIZE] = 0;
    for (int i = 0; i < 8; i++) {
        fd[i] = dial();
        say(fd[i], request);
        sem_wait(&entered);
    }
    assert_has(ask(request), " 503 ");
    fd[8] = dial();
    say(fd[8], "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsmall");
    sem_wait(&entered);
    for (int i = 0; i < 10; i++) sem_post(&leave);
    for (int i = 0; i < 9; i++) {
        assert_has(hear(fd[i], NULL), " 200 ");
        close(fd[i]);
    }
    assert_has(ask(request), " 200 ");
    free(request);
}

static void both_families_are_served(void **state)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    serve((tain_http_options){.handle = tell, .address = "::"});
    assert_has(get("/"), "peer=127.0.0.1 loopback=1");
    a.sin6_port = htons(tain_http_port(server));
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_has(hear(fd, NULL), "peer=::1 loopback=1");
    close(fd);
}

/* --- the end ------------------------------------------------------------------------------------------------------- */

static void *stop_it(void *arg)
{
    tain_http_stop(server);
    return NULL;
}

static void answer_much(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    tain_buffer_append_zero(&p->body, 16 << 20);
}

static void who_reads_slowly_does_not_keep_it_from_stopping(void **state)
{
    serve((tain_http_options){.handle = answer_much, .patience = 1});
    int fd = dial();
    say(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "Content-Length"); /* it is being sent, for which there would be minutes */
    tain_time begun = tain_monotonic();
    tain_http_stop(server);
    server = NULL;
    assert_in_range(tain_monotonic() - begun, 0, 20 * TAIN_SECOND);
    close(fd);
}

static void stopping_waits_for_what_is_answered(void **state)
{
    pthread_t thread;
    serve((tain_http_options){.handle = wait_for_leave});
    int idle = dial(), arriving = dial(), fd = dial();
    say(arriving, "GET / HTTP/1.1\r\n");
    say(fd, "GET /last HTTP/1.1\r\nHost: h\r\n\r\n");
    sem_wait(&entered);
    pthread_create(&thread, NULL, stop_it, NULL);
    assert_string_equal(hear(idle, NULL), "");
    hear(arriving, NULL);
    sem_post(&leave);
    const char *answer = hear(fd, NULL);
    assert_has(answer, "GET /last");
    assert_has(answer, "Connection: close");
    pthread_join(thread, NULL);
    server = NULL;
    close(idle);
    close(arriving);
    close(fd);
}

static void a_port_is_taken_once(void **state)
{
    tain_http_server *other;
    serve((tain_http_options){.handle = tell});
    tain_http_options o = {.address = "127.0.0.1", .port = tain_http_port(server), .handle = tell};
    assert_fails(tain_http_serve(&o, &other, &err), TAIN_E_UNAVAILABLE, "of 127.0.0.1");
    o.address = "here";
    assert_fails(tain_http_serve(&o, &other, &err), TAIN_E_INVALID, "'here'");
    o = (tain_http_options){.address = "127.0.0.1", .cert = "x", .handle = tell};
    assert_fails(tain_http_serve(&o, &other, &err), TAIN_E_CONFIG, "its key");
    o.key = "y";
    assert_fails(tain_http_serve(&o, &other, &err), TAIN_E_CONFIG, "no PEM");
}

static void words(void *ctx, const tain_http_request *q, const char *why, tain_http_reply *p)
{
    p->type = "application/json";
    tain_buffer_printf(&p->body, "{\"status\":%d,\"method\":\"%s\",\"why\":\"%s\"}", p->status, q->method, why);
}

static void refusals_can_be_worded(void **state)
{
    serve((tain_http_options){.handle = tell, .refuse = words, .body_most = 5});
    assert_has(get("/a/../b"), "{\"status\":400,\"method\":\"GET\",\"why\":\"a path goes");
    assert_has(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabcdef"), "{\"status\":413,\"method\":\"POST\"");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_told), TEST(the_other_ends_user_is_known), TEST(a_whole_url_is_a_target), TEST(bodies_come_whole), TEST(forms_are_read), TEST(head_has_no_body),
        TEST(connections_are_kept), TEST(expectations_are_met), TEST(replies_are_what_was_said), TEST(paths_are_what_they_seem),
        TEST(two_readings_are_refused), TEST(what_is_too_large_is_refused), TEST(who_dawdles_is_cut), TEST(a_handler_may_take_longer),
        TEST(one_address_has_its_share), TEST(all_together_are_bounded), TEST(bodies_together_are_bounded), TEST(both_families_are_served), TEST(noise_is_no_request), TEST(stopping_waits_for_what_is_answered), TEST(who_reads_slowly_does_not_keep_it_from_stopping),
        TEST(a_port_is_taken_once), TEST(refusals_can_be_worded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

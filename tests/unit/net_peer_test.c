/* SPDX-License-Identifier: MIT */
/* Whose socket is at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "net/peer.h"

static int                listening;
static struct sockaddr_in address;

static int setup(void **state)
{
    socklen_t n = sizeof address;
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listening = socket(AF_INET, SOCK_STREAM, 0);
    return bind(listening, (struct sockaddr *)&address, n) || listen(listening, 5) || getsockname(listening, (struct sockaddr *)&address, &n);
}

static int teardown(void **state)
{
    return close(listening);
}

/* ours[0] is the server's end. */
static void join_as(uid_t uid, int ours[2])
{
    uid_t before = geteuid();
    if (uid != before) assert_int_equal(seteuid(uid), 0);
    ours[1] = socket(AF_INET, SOCK_STREAM, 0);
    if (uid != before) assert_int_equal(seteuid(before), 0);
    assert_int_equal(connect(ours[1], (struct sockaddr *)&address, sizeof address), 0);
    ours[0] = accept(listening, NULL, NULL);
    assert_true(ours[0] >= 0);
}

static void its_user(void **state)
{
    int fd[2];
    join_as(geteuid(), fd);
    assert_int_equal(tain_peer_uid(fd[0]), geteuid());
    close(fd[0]);
    close(fd[1]);
    if (geteuid() != 0) return;
    join_as(1234, fd);
    assert_int_equal(tain_peer_uid(fd[0]), 1234);
    close(fd[0]);
    close(fd[1]);
}

/* The kernel tells of a socket that nobody holds any more as of root's. */
static void who_has_gone_is_nobody(void **state)
{
    int fd[2];
    join_as(geteuid(), fd);
    close(fd[1]);
    assert_int_equal(tain_peer_uid(fd[0]), (uid_t)-1);
    close(fd[0]);
}

static void by_the_other_family_too(void **state)
{
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = address.sin_port};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
    int client = socket(AF_INET6, SOCK_STREAM, 0);
    if (client < 0) skip();
    assert_int_equal(connect(client, (struct sockaddr *)&mapped, sizeof mapped), 0);
    int at = accept(listening, NULL, NULL);
    assert_int_equal(tain_peer_uid(at), geteuid());
    close(at);
    close(client);
}

static void loopback(void **state)
{
    static const struct {
        int         family;
        const char *text, *shown;
        bool        is;
    } tries[] = {{AF_INET, "127.0.0.1", "127.0.0.1", true}, {AF_INET, "127.9.9.9", "127.9.9.9", true}, {AF_INET, "10.0.0.1", "10.0.0.1", false},
                 {AF_INET6, "::1", "::1", true}, {AF_INET6, "::ffff:127.0.0.1", "127.0.0.1", true}, {AF_INET6, "::ffff:128.0.0.1", "128.0.0.1", false},
                 {AF_INET6, "fe80::1", "fe80::1", false}, {AF_INET6, "::", "::", false}};
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        struct sockaddr_storage a = {.ss_family = (sa_family_t)tries[i].family};
        char                    text[TAIN_PEER_TEXT];
        void                   *at = tries[i].family == AF_INET ? (void *)&((struct sockaddr_in *)&a)->sin_addr : &((struct sockaddr_in6 *)&a)->sin6_addr;
        assert_int_equal(inet_pton(tries[i].family, tries[i].text, at), 1);
        tain_peer_text((struct sockaddr *)&a, text);
        assert_string_equal(text, tries[i].shown);
        assert_int_equal(tain_peer_is_loopback((struct sockaddr *)&a), tries[i].is);
    }
}

static void one_machine_has_a_network(void **state)
{
    static const char *const tries[][2] = {{"10.1.2.3", "10.1.2.3"}, {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"}, {"2001:db8:1:2::9", "2001:db8:1:2::"}, {"::1", "::"}, {"", ""}};
    char                     network[TAIN_PEER_TEXT];
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        tain_peer_network(tries[i][0], network);
        assert_string_equal(network, tries[i][1]);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(its_user), TEST(who_has_gone_is_nobody), TEST(by_the_other_family_too), TEST(loopback), TEST(one_machine_has_a_network)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

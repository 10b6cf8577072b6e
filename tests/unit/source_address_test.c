/* SPDX-License-Identifier: MIT */
/* What an address leads to: servers in the network, or something of this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "source/source.h"

static void in_the_network(void **state)
{
    static const struct { const char *url, *host; } cases[] = {
        {"postgresql://db.example/shop", "db.example"},
        {"postgres://tain@DB.Example:5432/shop?sslmode=verify-full&connect_timeout=5&application_name=x&target_session_attrs=any", "db.example"},
        {"postgresql://me@a:1,b:2/shop", "a,b"},
        {"postgresql://[::1]:5432/shop", "::1"},
        {"postgresql:///shop?host=db.example", "db.example"},
        {"postgresql://db/shop?ssl=true", "db"},
        {"postgresql://me@db/d@c?application_name=x@y", "db"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TAIN_AUTO(tain_free) char *host = tain_source_host(cases[i].url);
        if (!host) fail_msg("%s is not in the network", cases[i].url);
        assert_string_equal(host, cases[i].host);
        if (!tain_source_is_frugal(cases[i].url)) fail_msg("%s names something of this machine", cases[i].url);
    }
}

static void of_this_machine(void **state)
{
    static const char *const cases[] = {
        "", "/data/shop.db", "shop.db", "sqlite:///data/shop.db", "SQLite:/data/shop.db", "sqlite3:///data/shop.db", "sqlite://db/shop", "FILE:///data/shop.db",
        "mysql://db/shop", "landing:///data", "x://db", "://db",
        /* sockets */
        "postgresql://", "postgresql:///shop", "postgresql://me@/shop", "postgresql://me@:5432/shop", "postgresql://%2Frun/shop", "postgresql://%40name/shop",
        "postgresql:///shop?host=/run", "postgresql://db/shop?host=/run", "postgresql://db/shop?host=", "postgresql://db,/shop", "postgresql://,db/shop",
        "postgresql://db,%2Frun/shop", "postgresql:///shop?host=a,/run,b", "postgresql://db/shop?h%6Fst=/run",
        /* what libpq does not take for a URL */
        "PostgreSQL://db/shop", "postgresql:db", "postgresql:/db", "postgresql:host=/run", "postgresql:x://db",
        "postgresql://db/shop?hostaddr=127.0.0.1", "postgresql://db/shop?nothing=x",
        /* the server is another for libpq than what stands in front of the question mark */
        "postgresql://db?x=y@other/shop", "postgresql://db?host=other@/shop",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TAIN_AUTO(tain_free) char *host = tain_source_host(cases[i]);
        if (host) fail_msg("%s is taken for %s", cases[i], host);
    }
}

/* However they are written. */
static void files_variables_and_services_of_this_machine(void **state)
{
    static const char *const cases[] = {
        "postgresql://db/shop?sslkey=/etc/key", "postgresql://db/shop?sslcert=/etc/cert", "postgresql://db/shop?sslrootcert=/etc/passwd",
        "postgresql://db/shop?sslcrl=/etc/passwd", "postgresql://db/shop?passfile=/root/.pgpass", "postgresql://db/shop?service=x", "postgresql://db/shop?options=-cx%3D1",
        "postgresql://db/shop?password=file:/etc/passwd", "postgresql://db/shop?pass%77ord=file:/etc/passwd",
        "postgresql://db/shop?ssl%6Bey=/etc/key", "postgresql://me:file:%2Fetc%2Fpasswd@db/shop", "postgresql://db/shop?sslpassword=env:HOME",
        "postgresql://db/shop?krbsrvname=x", "postgresql://db/shop?replication=database",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        TAIN_AUTO(tain_free) char *host = tain_source_host(cases[i]);
        if (tain_source_is_frugal(cases[i])) fail_msg("%s names nothing of this machine", cases[i]);
        assert_string_equal(host, "db"); /* where it leads is another matter */
    }
    assert_false(tain_source_is_frugal("postgresql://db/shop?nothing=x"));
    assert_false(tain_source_is_frugal("sqlite:///data/shop.db"));
}

static void a_server_has_parts(void **state)
{
    assert_true(tain_source_is_server("postgresql:///shop?host=/run"));
    assert_true(tain_source_is_server("Postgres://db"));
    static const char *const others[] = {"postgresql:db", "sqlite3:///data/shop.db", "/data/x://y", "landing:///data", "mysql://db"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_false(tain_source_is_server(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_the_network), cmocka_unit_test(of_this_machine), cmocka_unit_test(files_variables_and_services_of_this_machine), cmocka_unit_test(a_server_has_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

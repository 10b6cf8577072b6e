/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serve/api/report.h"
#include "serve/api/route.h"
#include "serve/listen.h"

static tain_status nothing(tain_call *c, tain_error *err)
{
    return TAIN_OK;
}

static const tain_route items[] = {
    {"GET", "/v1/workspaces/{}/items", TAIN_CONTROL_VIEWER, NULL, nothing},
    {"POST", "/v1/workspaces/{}/items", TAIN_CONTROL_VIEWER, NULL, nothing},
    {"GET", "/v1/workspaces/{}/items/{}", TAIN_CONTROL_VIEWER, NULL, nothing},
    {"POST", "/v1/workspaces/{}/mirroredDatabases/{}/tables/{}/{}/pause", TAIN_CONTROL_VIEWER, NULL, nothing},
    {0},
};
static const tain_route *const tables[] = {items};

static tain_route_match find(const char *method, const char *path)
{
    return tain_route_find(tables, 1, method, path);
}

static void test_finds_by_method_and_form(void **state)
{
    tain_route_match m = find("POST", "/v1/workspaces/w/items");
    assert_ptr_equal(m.route, &items[1]);
    assert_string_equal(m.argument[0], "w");
    tain_route_match_done(&m);
    m = find("GET", "/v1/workspaces/w/items/i");
    assert_ptr_equal(m.route, &items[2]);
    assert_string_equal(m.argument[1], "i");
    tain_route_match_done(&m);
}

static void test_takes_segments_in_any_case_and_arguments_as_they_are(void **state)
{
    tain_route_match m = find("POST", "/V1/Workspaces/W/MIRROREDDATABASES/Id/tables/My Schema/T.x/PAUSE");
    assert_ptr_equal(m.route, &items[3]);
    assert_string_equal(m.argument[0], "W");
    assert_string_equal(m.argument[2], "My Schema");
    assert_string_equal(m.argument[3], "T.x");
    tain_route_match_done(&m);
}

static void test_an_argument_may_have_a_slash(void **state)
{
    tain_route_match m = find("POST", "/v1/workspaces/w/mirroredDatabases/i/tables/a%2Fb/100%25 %252F%2F/pause");
    assert_ptr_equal(m.route, &items[3]);
    assert_string_equal(m.argument[2], "a/b");
    assert_string_equal(m.argument[3], "100% %2F/");
    tain_route_match_done(&m);
}

static void test_head_is_answered_as_get(void **state)
{
    tain_route_match m = find("HEAD", "/v1/workspaces/w/items");
    assert_ptr_equal(m.route, &items[0]);
    tain_route_match_done(&m);
}

static void test_knows_a_path_that_is_not_for_the_method(void **state)
{
    tain_route_match m = find("DELETE", "/v1/workspaces/w/items");
    assert_null(m.route);
    assert_string_equal(m.methods, "GET, HEAD, POST");
    tain_route_match_done(&m);
}

static void test_is_not_fooled_by_more_or_less(void **state)
{
    static const char *const paths[] = {"/", "/v1", "/v1/workspaces", "/v1/workspaces/w/items/i/more", "/v1/workspaces/w/item", "/v1/a/b/c/d/e/f/g/h/i/j/k/l/m/n"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        tain_route_match m = find("GET", paths[i]);
        assert_null(m.route);
        assert_string_equal(m.methods, "");
        tain_route_match_done(&m);
    }
}

/* --- names --------------------------------------------------------------------------------------------------------------- */

static void check_name(const char *full, const char *schema, const char *table)
{
    tain_name n = tain_name_of(full);
    assert_string_equal(n.schema, schema);
    assert_string_equal(n.table, table);
    tain_name_done(&n);
}

static void test_names_come_apart_as_they_were_put_together(void **state)
{
    check_name("public.orders", "public", "orders");
    check_name("public.a.b", "public", "a.b");
    check_name("\"a.b\".c", "a.b", "c");
    check_name("\"a\"\"b.c\".d.e", "a\"b.c", "d.e");
    check_name("alone", "", "alone");
}

/* --- warnings -------------------------------------------------------------------------------------------------------------- */

static void check_warnings(size_t n, const char *status)
{
    json_t *worker = json_loads(status, 0, NULL);
    assert_non_null(worker);
    assert_int_equal(tain_report_warnings(worker), n);
    json_decref(worker);
}

static void test_counts_what_is_to_be_looked_at(void **state)
{
    assert_int_equal(tain_report_warnings(NULL), 0);
    check_warnings(0, "{\"source\":null,\"tables\":[{\"status\":\"Replicating\",\"reason\":null,\"warnings\":[]},{\"status\":\"Stopped\",\"reason\":null}]}");
    check_warnings(0, "{\"source\":{\"level\":\"ok\"},\"tables\":[{\"status\":\"Stopped\",\"reason\":\"paused\"},{\"status\":\"Failed\",\"reason\":\"x\"}]}");
    check_warnings(4, "{\"source\":{\"level\":\"pause\"},\"tables\":[{\"status\":\"Stopped\",\"reason\":\"no key\",\"warnings\":[{},{}]}]}");
}

/* --- addresses ----------------------------------------------------------------------------------------------------------- */

static void check_listen(const char *text, const char *host, int port, bool tls, bool loopback)
{
    tain_listen l;
    tain_error  e = {0};
    assert_int_equal(tain_listen_read(text, &l, &e), TAIN_OK);
    assert_string_equal(l.host, host);
    assert_int_equal(l.port, port);
    assert_int_equal(l.tls, tls);
    assert_int_equal(l.loopback, loopback);
    tain_listen_done(&l);
}

static void test_reads_addresses(void **state)
{
    check_listen("127.0.0.1:8080", "127.0.0.1", 8080, false, true);
    check_listen("http://localhost:0", "localhost", 0, false, true);
    check_listen("https://[::1]:8443", "::1", 8443, true, true);
    check_listen("https://0.0.0.0:443/", "0.0.0.0", 443, true, false);
}

static void test_refuses_addresses(void **state)
{
    static const char *const bad[] = {"", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "ftp://127.0.0.1:1", "http://u@127.0.0.1:1", "http://127.0.0.1:1/path"};
    tain_listen l;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tain_error e = {0};
        assert_int_equal(tain_listen_read(bad[i], &l, &e), TAIN_E_INVALID);
    }
}

static void test_refuses_what_is_reached_from_beyond_without_tls(void **state)
{
    static const char *const open[] = {"0.0.0.0:8080", "http://10.0.0.1:80", "http://[::]:8080", "tain.example:8080"};
    tain_listen l;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        tain_error e = {0};
        assert_int_equal(tain_listen_read(open[i], &l, &e), TAIN_E_CONFIG);
        char *instead = strstr(e.remedy, "https://");
        assert_non_null(instead);
        instead[strcspn(instead, ",")] = 0;
        assert_int_equal(tain_listen_read(instead, &l, &e), TAIN_OK);
        tain_listen_done(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_what_is_to_be_looked_at), cmocka_unit_test(test_finds_by_method_and_form),
        cmocka_unit_test(test_takes_segments_in_any_case_and_arguments_as_they_are),
        cmocka_unit_test(test_an_argument_may_have_a_slash), cmocka_unit_test(test_head_is_answered_as_get),
        cmocka_unit_test(test_knows_a_path_that_is_not_for_the_method),
        cmocka_unit_test(test_is_not_fooled_by_more_or_less),
        cmocka_unit_test(test_names_come_apart_as_they_were_put_together),
        cmocka_unit_test(test_reads_addresses),
        cmocka_unit_test(test_refuses_addresses),
        cmocka_unit_test(test_refuses_what_is_reached_from_beyond_without_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

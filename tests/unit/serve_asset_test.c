/* SPDX-License-Identifier: MIT */
/* The page's files as clients get them: packed or plain, and for how long. */
#include "net_fixture.h"

#include "serve/page/asset.h"

static void send_page(void *ctx, const tain_http_request *q, tain_http_reply *p)
{
    if (!tain_page_handle(q, p)) p->status = 404;
}

static const char *fetch(const char *path, const char *accepted)
{
    static char request[400];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n%s%s%sConnection: close\r\n\r\n", path, accepted ? "Accept-Encoding: " : "",
             accepted ? accepted : "", accepted ? "\r\n" : "");
    return ask(request);
}

static void it_is_packed_for_those_who_take_that(void **state)
{
    static const char *const takes[] = {"gzip", "deflate, gzip", "br;q=1.0, gzip;q=0.5", "GZIP", "*", "br, *;q=0.1", "identity;q=0,gzip"};
    static const char *const refuses[] = {NULL, "gzip;q=0", "gzip; q=0.000", "gzip ;Q=0, *", "br", "identity", "*;q=0", "not-gzip", "gzipped"};
    serve((tain_http_options){.handle = send_page});
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
        if (!strstr(fetch("/", takes[i]), "Content-Encoding: gzip\r\n")) fail_msg("plain for %s", takes[i]);
    for (size_t i = 0; i < sizeof refuses / sizeof *refuses; i++) {
        const char *answer = fetch("/", refuses[i]);
        if (strstr(answer, "Content-Encoding") || !strstr(answer, "<!doctype html>")) fail_msg("packed for %s", refuses[i]);
        assert_non_null(strstr(answer, "Vary: Accept-Encoding\r\n"));
    }
}

static void what_changes_with_its_name_is_kept(void **state)
{
    serve((tain_http_options){.handle = send_page});
    assert_non_null(strstr(fetch("/", NULL), "Cache-Control: no-cache\r\n"));
    for (size_t i = 0; i < tain_asset_count; i++) {
        if (strncmp(tain_assets[i].name, "/assets/", 8) != 0) continue;
        assert_non_null(strstr(fetch(tain_assets[i].name, "gzip"), "Cache-Control: public, max-age=31536000, immutable\r\n"));
    }
    assert_non_null(strstr(fetch("/assets/none.js", NULL), "HTTP/1.1 404 "));
    assert_non_null(strstr(fetch("/openapi.json", NULL), "HTTP/1.1 404 ")); /* the API's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_is_packed_for_those_who_take_that, teardown),
        cmocka_unit_test_teardown(what_changes_with_its_name_is_kept, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

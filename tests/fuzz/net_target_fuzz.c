/* SPDX-License-Identifier: MIT */
/* What comes behind GET, and as a form: what is taken holds to what http.h promises. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/target.h"

static void check_path(const char *path)
{
    assert(path[0] == '/' && tain_utf8_valid(path, strlen(path)));
    if (!path[1]) return;
    for (const char *at = path; *at;) {
        size_t n = strcspn(at + 1, "/");
        assert(n > 0 && !(n == 1 && at[1] == '.') && !(n == 2 && at[1] == '.' && at[2] == '.'));
        at += n + 1;
    }
    for (const char *c = path; *c; c++) assert((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_arguments(const tain_http_arguments *a)
{
    for (size_t i = 0; i < a->count; i++) {
        assert(tain_utf8_valid(a->fields[i].name, strlen(a->fields[i].name)) && tain_utf8_valid(a->fields[i].value, strlen(a->fields[i].value)));
        assert(tain_http_arguments_get(a, a->fields[i].name));
    }
}

/* Written again it means the same. */
static void check_again(const tain_http_target *t)
{
    tain_http_target again;
    char            *text = tain_http_target_with(t, "page token", "a/b&c=%");
    assert(!tain_http_target_parse(text, &again) && strcmp(again.path, t->path) == 0);
    assert(strcmp(tain_http_arguments_get(&again.query, "page token"), "a/b&c=%") == 0);
    for (size_t i = 0; i < t->query.count; i++) {
        const char *name = t->query.fields[i].name;
        if (strcmp(name, "page token") != 0) assert(strcmp(tain_http_arguments_get(&again.query, name), tain_http_arguments_get(&t->query, name)) == 0);
    }
    tain_http_target_done(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tain_http_target    t;
    tain_http_arguments form;
    char               *text = tain_strndup((const char *)data, n);
    if (!tain_http_target_parse(text, &t)) {
        check_path(t.path);
        check_arguments(&t.query);
        check_again(&t);
    } else assert(!t.path && !t.query.fields);
    if (!tain_http_arguments_parse((const char *)data, n, &form)) check_arguments(&form);
    tain_http_target_done(&t);
    tain_http_arguments_done(&form);
    free(text);
    return 0;
}

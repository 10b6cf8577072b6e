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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    tain_http_target    t;
    tain_http_arguments form;
    char               *text = tain_strndup((const char *)data, n);
    if (!tain_http_target_parse(text, &t)) {
        check_path(t.path);
        check_arguments(&t.query);
    } else assert(!t.path && !t.query.fields);
    if (!tain_http_arguments_parse((const char *)data, n, &form)) check_arguments(&form);
    tain_http_target_done(&t);
    tain_http_arguments_done(&form);
    free(text);
    return 0;
}

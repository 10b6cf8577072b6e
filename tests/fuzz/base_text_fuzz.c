/* SPDX-License-Identifier: MIT */
/* What people and URLs bring: anything may be refused, what is accepted must make sense. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void check_utf8(const uint8_t *data, size_t n)
{
    tain_buffer out = {0};
    tain_utf8_repair(data, n, &out);
    assert(tain_utf8_valid(out.data, out.size));
    if (tain_utf8_valid(data, n)) assert(out.size == n && (n == 0 || memcmp(out.data, data, n) == 0));
    tain_buffer_done(&out);
}

static void check_url(const char *text)
{
    tain_url u = {0};
    if (tain_url_parse(text, &u, NULL) == TAIN_OK) {
        assert(u.scheme);
        tain_url_done(&u);
    }
    char *shown = tain_url_redacted(text);
    assert(shown);
    free(shown);
}

/* Whatever follows it, a password does not show. */
static void check_secrecy(const char *rest)
{
    static const char secret[] = "Xq7secretsecret";
    if (strstr(rest, secret)) return;
    char *url = tain_format("postgresql://user:%s@%s", secret, rest), *shown = tain_url_redacted(url);
    assert(!strstr(shown, secret));
    free(url);
    free(shown);
}

static void check_names(const char *text)
{
    char *folder = tain_folder_from_name(text), *name = tain_name_from_folder(folder), *foreign = tain_name_from_folder(text);
    assert(strcmp(name, text) == 0 && !strpbrk(folder, "/\\%:*?\"<>|") && folder[0] != '.' && folder[0] != '_');
    free(folder);
    free(name);
    free(foreign);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    int64_t value;
    memcpy(text, data, n);
    text[n] = 0;
    check_utf8(data, n);
    check_url(text);
    check_secrecy(text);
    check_names(text);
    if (tain_parse_duration(text, &value, NULL) == TAIN_OK) assert(value >= 0);
    if (tain_parse_size(text, &value, NULL) == TAIN_OK) assert(value >= 0);
    size_t half = strlen(text) / 2;
    char *pattern = strndup(text, half);
    if (half < 40) (void)tain_glob_match(pattern, text + half);
    assert(tain_glob_match("*", text) && (strpbrk(text, "*?\\") || tain_glob_match(text, text)));
    free(pattern);
    free(text);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Delta does not tell names apart by case, and engines refuse a table that has "Name" and "name". The second of them gets
 * another name in the lake, by its place among the columns alone, so that it is the same whenever it is worked out. */
#include "source/postgres/postgres.h"

#include <limits.h>
#include <locale.h>
#include <wchar.h>
#include <wctype.h>

#include "base/map.h"

/* Without that locale only ASCII has case. */
static locale_t unicode(void)
{
    static _Thread_local locale_t locale;
    if (!locale) locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    return locale;
}

/* What two names have in common that differ by case only. */
static void fold(const char *name, tain_buffer *out)
{
    locale_t before = unicode() ? uselocale(unicode()) : NULL;
    mbstate_t state = {0};
    tain_buffer_clear(out);
    for (const char *end = name + strlen(name); name < end;) {
        wchar_t c;
        char bytes[MB_LEN_MAX];
        size_t n = mbrtowc(&c, name, (size_t)(end - name), &state), written;
        if (n == 0 || n > (size_t)(end - name)) {
            state = (mbstate_t){0};
            tain_buffer_append_u8(out, (uint8_t)*name++);
            continue;
        }
        written = wcrtomb(bytes, (wchar_t)towlower((wint_t)c), &(mbstate_t){0});
        tain_buffer_append(out, written > sizeof bytes ? name : bytes, written > sizeof bytes ? n : written);
        name += n;
    }
    if (before) uselocale(before);
}

static bool is_taken(const tain_map *taken, const char *name, tain_buffer *scratch)
{
    fold(name, scratch);
    return tain_map_get(taken, tain_buffer_cstr(scratch)) != NULL;
}

static void take(tain_map *taken, const char *name, tain_buffer *scratch)
{
    fold(name, scratch);
    tain_map_put(taken, tain_buffer_cstr(scratch), scratch);
}

static char *another(const tain_map *taken, const char *name, tain_buffer *scratch)
{
    for (int i = 2;; i++) {
        char *tried = tain_format("%s_%d", name, i);
        if (!is_taken(taken, tried, scratch)) return tried;
        tain_free(tried);
    }
}

char **tain_pg_distinct_names(const tain_pg_attribute *attributes, size_t n)
{
    char **names = tain_alloc((n + 1) * sizeof *names);
    tain_map own = {0};
    tain_buffer scratch = {0};
    for (size_t i = 0; i < n; i++) {
        if (attributes[i].generated || is_taken(&own, attributes[i].name, &scratch)) continue;
        take(&own, attributes[i].name, &scratch);
        names[i] = tain_strdup(attributes[i].name);
    }
    for (size_t i = 0; i < n; i++) { /* once those that keep theirs are known */
        if (attributes[i].generated || names[i]) continue;
        names[i] = another(&own, attributes[i].name, &scratch);
        take(&own, names[i], &scratch);
    }
    tain_map_done(&own);
    tain_buffer_done(&scratch);
    return names;
}

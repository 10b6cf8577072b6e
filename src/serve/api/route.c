/* SPDX-License-Identifier: MIT */
#include "serve/api/route.h"

#include <stdio.h>
#include <strings.h>

enum { SEGMENTS = 12 };

/* Pieces have %2F and %25, and no other. */
static void decode(char *piece)
{
    char *to = piece;
    for (const char *p = piece; *p; p++) {
        bool escaped = *p == '%' && p[1] == '2' && (p[2] == 'F' || p[2] == '5');
        *to++ = !escaped ? *p : p[2] == 'F' ? '/' : '%';
        if (escaped) p += 2;
    }
    *to = 0;
}

/* Cuts a path into what stands between its slashes; more than fit match nothing. */
static size_t cut(char *path, char *ret[SEGMENTS])
{
    size_t n = 0;
    char  *at = NULL;
    for (char *piece = strtok_r(path, "/", &at); piece; piece = strtok_r(NULL, "/", &at)) {
        if (n == SEGMENTS) return SEGMENTS + 1;
        decode(ret[n++] = piece);
    }
    return n;
}

static bool is_of_form(const char *form, char *const pieces[], size_t n, const char *argument[])
{
    size_t arguments = 0;
    for (size_t i = 0; i < n; i++) {
        size_t length = *form == '/' ? strcspn(form + 1, "/") : 0;
        if (!length) return false;
        if (form[1] == '{') argument[arguments++] = pieces[i];
        else if (strlen(pieces[i]) != length || strncasecmp(form + 1, pieces[i], length) != 0) return false;
        form += 1 + length;
    }
    return !*form;
}

static void allow(char methods[static 40], const char *method)
{
    size_t n = strlen(methods);
    snprintf(methods + n, 40 - n, "%s%s%s", n ? ", " : "", method, strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

tain_route_match tain_route_find(const tain_route *const *tables, size_t n, const char *method, const char *path)
{
    tain_route_match m = {.room = tain_strdup(path)};
    char            *pieces[SEGMENTS];
    size_t           count = cut(m.room, pieces);
    if (strcmp(method, "HEAD") == 0) method = "GET";
    for (size_t t = 0; t < n && count <= SEGMENTS; t++)
        for (const tain_route *r = tables[t]; r->method && !m.route; r++) {
            if (!is_of_form(r->path, pieces, count, m.argument)) continue;
            allow(m.methods, r->method);
            if (strcmp(r->method, method) == 0) m.route = r;
        }
    return m;
}

void tain_route_match_done(tain_route_match *m)
{
    tain_free(m->room);
}

/* SPDX-License-Identifier: MIT */
#include "serve/supervisor/command.h"

#include <string.h>
#include <xxhash.h>

#include "serve/supervisor/process.h"
#include "serve/supervisor/wish.h"

/* --- source -------------------------------------------------------------------------------------------------------- */

static char **environment_with(const char *secret, bool trusted)
{
    tain_words w = {0};
    if (secret) tain_words_add(&w, tain_format(TAIN_SOURCE_SECRET "=%s", secret));
    if (trusted) tain_process_add_own(&w);
    return w.list ? w.list : tain_alloc(sizeof *w.list);
}

static tain_status access_by(tain_control *c, const tain_control_connection *n, const char *database, tain_source_access *ret, tain_error *err)
{
    char *secret = NULL;
    TAIN_TRY(tain_control_connection_secret(c, n->id, &secret, err));
    ret->url = tain_wish_source(n->url, database, secret != NULL);
    ret->environment = environment_with(secret, n->trusted);
    tain_control_secret_free(secret);
    return TAIN_OK;
}

tain_status tain_source_access_of(tain_control *c, const char *connection, const char *database, tain_source_access *ret, tain_error *err)
{
    tain_control_connection n;
    TAIN_TRY(tain_control_connection_get(c, connection, &n, err));
    tain_status st = access_by(c, &n, database, ret, err);
    tain_control_connection_done(&n);
    return st;
}

void tain_source_access_done(tain_source_access *a)
{
    tain_free(a->url);
    tain_process_environment_done(a->environment);
    *a = (tain_source_access){0};
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

char *tain_command_lake(tain_control *c, const tain_control_item *i)
{
    bool whole = i->lake[0] == '/' || strstr(i->lake, "://");
    return whole ? tain_strdup(i->lake) : tain_format("%s/lakes/%s", tain_control_home(c), i->lake);
}

static uint64_t print_of(const tain_words *w, tain_time pointed)
{
    uint64_t print = (uint64_t)pointed;
    for (size_t i = 0; i < w->count; i++) print = XXH3_64bits_withSeed(w->list[i], strlen(w->list[i]) + 1, print);
    return print;
}

/* A connection that points elsewhere, or has another password: whoever uses it is to begin anew. */
static tain_status line_by(tain_control *c, const tain_control_item *i, const tain_wish *w, const tain_control_connection *n,
                           tain_command_line *ret, tain_error *err)
{
    tain_words         words = {0};
    tain_source_access access;
    TAIN_TRY(access_by(c, n, w->database, &access, err));
    tain_words_add(&words, tain_strdup("mirror"));
    tain_words_add(&words, access.url);
    tain_words_add(&words, tain_command_lake(c, i));
    tain_words_add(&words, tain_strdup("--json"));
    tain_command_line l = {.environment = access.environment};
    tain_status       st = tain_wish_options(w, &words, err);
    if (st == TAIN_OK) st = tain_wish_memory(w, &l.memory, err);
    if (st == TAIN_OK) {
        l.argv = words.list;
        l.print = print_of(&words, n->pointed);
        *ret = l;
    } else {
        tain_words_done(&words);
        tain_process_environment_done(l.environment);
    }
    return st;
}

static tain_status line_of(tain_control *c, const tain_control_item *i, const tain_wish *w, tain_command_line *ret, tain_error *err)
{
    tain_control_connection n;
    TAIN_TRY(tain_wish_check(w, err));
    TAIN_TRY_IN(err, tain_control_connection_get(c, w->connection, &n, err), "mirroring.json: properties.source.typeProperties.connection");
    tain_status st = line_by(c, i, w, &n, ret, err);
    tain_control_connection_done(&n);
    return st;
}

tain_status tain_command_line_of(tain_control *c, const tain_control_item *i, tain_command_line *ret, tain_error *err)
{
    tain_wish w;
    TAIN_TRY(tain_wish_read(tain_buffer_slice(&i->definition), &w, err));
    tain_status st = line_of(c, i, &w, ret, err);
    tain_wish_done(&w);
    return st;
}

void tain_command_line_add(tain_command_line *l, char *word)
{
    tain_words w = {.list = l->argv};
    while (w.list && w.list[w.count]) w.count++;
    tain_words_add(&w, word);
    l->argv = w.list;
}

void tain_command_line_done(tain_command_line *l)
{
    for (char **p = l->argv; p && *p; p++) tain_free(*p);
    tain_free(l->argv);
    tain_process_environment_done(l->environment);
    *l = (tain_command_line){0};
}

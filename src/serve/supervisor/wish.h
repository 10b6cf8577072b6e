/* SPDX-License-Identifier: MIT */
/* wish.h -- what a definition (mirroring.json) asks for, as options of a worker.
 *
 * The definition is the whole truth: what a lake keeps as last given is given always, so that what was taken out of the
 * definition goes back to its default. Reads and starts nothing. Thread: any. */
#ifndef TAIN_SERVE_SUPERVISOR_WISH_H
#define TAIN_SERVE_SUPERVISOR_WISH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

#define TAIN_SOURCE_SECRET "TAIN_SOURCE_PASSWORD" /* the variable of a worker's environment that has the password */

/* All borrowed from `root`. */
typedef struct tain_wish {
    json_t     *root;
    const char *type;       /* of the source: "AzurePostgreSql"; "" when it says none */
    const char *connection; /* its id; NULL: it names none */
    const char *database;   /* instead of the connection's; NULL: that one */
    bool        unrecorded; /* tain.records is false: what its worker does is not recorded */
} tain_wish;

/* CORRUPT: it is not JSON; CONFIG names the member that is of a wrong type. */
tain_status tain_wish_read(tain_slice definition, tain_wish *ret, tain_error *err);
void        tain_wish_done(tain_wish *w);
/* That it can be run: UNSUPPORTED: open mirroring; CONFIG: it names no connection. */
tain_status tain_wish_check(const tain_wish *w, tain_error *err);

/* Words of a command line, NULL-terminated; a zeroed one is empty and valid. */
typedef struct tain_words {
    char **list;
    size_t count;
} tain_words;
void tain_words_add(tain_words *w, char *word); /* takes it */
void tain_words_done(tain_words *w);

/* Adds its options. CONFIG names the member that cannot be given as one. */
tain_status tain_wish_options(const tain_wish *w, tain_words *io, tain_error *err);
/* "--resync", or "--resync=a.b,c.d". tables: "schema.table", NULL-terminated; NULL: all. Caller frees. */
char       *tain_wish_reload(const char *const *tables);
/* Beyond which a worker must not grow, bytes: tain.memoryLimit, else four times its budget and 256 MiB. */
tain_status tain_wish_memory(const tain_wish *w, int64_t *ret, tain_error *err);
/* A connection's URL with that database (NULL: its own), and with the place of its password if it has one. Caller frees. */
char       *tain_wish_source(const char *url, const char *database, bool has_secret);

#endif

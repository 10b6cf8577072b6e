/* SPDX-License-Identifier: MIT */
/* definition.h -- what one mirror is: source, lake, selection, settings; and its file, mirroring.json.
 *
 * The file has Fabric's shape with a "tain" object for what Fabric lacks. It never holds a password. */
#ifndef TAIN_MIRROR_DEFINITION_H
#define TAIN_MIRROR_DEFINITION_H

#include "source/source.h"
#include "store/store.h"

typedef struct tain_definition {
    char  *id;           /* UUID, made once; the Delta transactions of the mirror are "tain:<id>" */
    char  *name;         /* basis of names in the source: [a-z0-9_] */
    char  *source_url;   /* as given, may hold a password */
    char  *lake_url;
    char **tables;       /* globs, NULL-terminated; NULL: all */
    char **exclude;
    tain_time freshness; /* longest time a committed change waits before it is written */
    int     jobs;
    int64_t memory;      /* budget in bytes */
    int64_t rate_rows, rate_bytes; /* a load reads at most so much a second; 0: any */
    bool    poll_capture, capture_given; /* given: in this run, whatever is stored */
    bool    leaves, leaves_given; /* partitioned tables are mirrored by partition; what a lake began with it stays with */
    json_t *policies;     /* the "policies" object: what becomes of values Delta has no place for; NULL: defaults */
    char   *retained_log; /* limits of the log that the source keeps, as retained.h reads them; NULL: not given */
    char   *snapshot_from; /* URL of a replica that loads are read from, as given; NULL: not given, "": none */
    char   *given_up;     /* why the mirror has let go of its position in the source; NULL: it has not */
    char   *old_name;     /* the stored name, when another was given */
    bool    changed;      /* what was given is not what is stored: save it once it has been put into effect */
    bool    drop_removes; /* --on-drop delete */
} tain_definition;

enum { TAIN_DEFAULT_JOBS = 1 };
#define TAIN_DEFAULT_FRESHNESS (500 * TAIN_MILLISECOND)
#define TAIN_DEFAULT_MEMORY    ((int64_t)256 << 20)

void tain_definition_done(tain_definition *d);
/* A name from a lake's address that no other lake has: "shop_3fa2c1". Caller frees. */
char *tain_definition_make_name(const char *lake_url);
/* Reads mirroring.json into what d leaves open: id, policies and given_up, and name, globs, capture, retained_log and snapshot_from when they
 * are not given (an empty list of globs, or text, is given). NOT_FOUND: there is none. INVALID: the lake mirrors another source than d names, or
 * partitioned tables another way. */
tain_status tain_definition_load(tain_definition *d, tain_store *lake, tain_error *err);
/* Writes mirroring.json. */
tain_status tain_definition_save(const tain_definition *d, tain_store *lake, tain_error *err);
/* The source's options as the definition has them; text is borrowed from d. */
tain_source_options tain_definition_source_options(const tain_definition *d, const char *spool_dir);

#endif

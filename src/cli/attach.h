/* SPDX-License-Identifier: MIT */
/* attach.h -- a lake's Delta tables made readable for SQL, as of now or at one epoch.
 *
 * The one-line form gives <schema>.<table>; a folder that holds <mirror>.MirroredDatabase/ folders gives
 * <mirror>.<schema>.<table>. */
#ifndef TAIN_CLI_ATTACH_H
#define TAIN_CLI_ATTACH_H

#include "delta/delta.h"
#include "scan/scan.h"

typedef struct tain_attached tain_attached;

/* as_of: all tables as they were then (asof.h); NULL: each as it is now. */
tain_status tain_attach_lake(const char *url, const char *as_of, tain_attached **ret, tain_error *err);
tain_scan  *tain_attached_scan(tain_attached *a);
void        tain_attached_free(tain_attached *a); /* accepts NULL */

typedef struct tain_attach_as {
    const char        *catalog, *schema, *name; /* as tain_scan_add_table has them */
    const tain_schema *columns;                 /* NULL: the table's own */
    bool               past;                    /* an older version: its files may have gone */
} tain_attach_as;
/* One table, which must stay open as long as it is read. UNSUPPORTED: it is partitioned, or has files elsewhere; GONE: of a past
 * version's files. */
tain_status tain_attach_delta(tain_scan *scan, const tain_attach_as *as, tain_delta *delta, tain_error *err);

TAIN_AUTO_DEFINE(tain_attached, tain_attached_free)

#endif

/* SPDX-License-Identifier: MIT */
/* refoot.h -- a data file with columns more than another one, whose pages are copied byte for byte.
 *
 * Everything before the footer stays where it was; behind it come the new column chunks, a row group's after the other's,
 * their indexes, and a footer that names both. Rows keep their positions. The cost is one sequential copy. */
#ifndef TAIN_PARQUET_REFOOT_H
#define TAIN_PARQUET_REFOOT_H

#include "parquet/parquet.h"

/* Where the values of a new column come from: one that all rows have, or another column of the file, converted. */
typedef struct tain_refoot_source {
    const tain_column *constant; /* one value, of the new column's type; NULL: converted */
    const tain_field  *from;     /* physical name and type of the other column; one that the file lacks is null */
    /* Appends what the values of `in` become. UNSUPPORTED: some have no exact counterpart. */
    tain_status (*convert)(const tain_column *in, tain_column *out, tain_error *err);
} tain_refoot_source;

/* Writes to out, which stays the caller's, what the object of that size becomes with the columns of added, one source
 * each. *ret is about the new columns, but for rows and bytes. Memory: the new columns' pages of one row group. */
tain_status tain_parquet_refoot(tain_store *store, const char *key, int64_t size, const tain_schema *added,
                                const tain_refoot_source *sources, tain_upload *out, tain_parquet_summary *ret, tain_error *err);

#endif

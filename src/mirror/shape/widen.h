/* SPDX-License-Identifier: MIT */
/* widen.h -- values of one type as values of another that holds all of them, exactly.
 *
 * What a policy made NULL in the old type may have a value in the new one; so text, which holds everything, is made of
 * decimals only where none is NULL. Thread: any. */
#ifndef TAIN_MIRROR_SHAPE_WIDEN_H
#define TAIN_MIRROR_SHAPE_WIDEN_H

#include "batch/column.h"

/* Whether every value of `from` has its counterpart in `to`. */
bool tain_widen_can(const tain_type *from, const tain_type *to);
/* Appends what the values of in become. UNSUPPORTED: a value may have been another one. */
tain_status tain_widen(const tain_column *in, tain_column *out, tain_error *err);

#endif

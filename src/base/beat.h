/* SPDX-License-Identifier: MIT */
/* beat.h -- a loop's sign that it still turns, for who watches the process from outside.
 *
 * One that waits for another, which has a beat of its own or ends by itself, says so: it is as good as turning for as long as that
 * takes. A zeroed one has never turned. Thread: any. */
#ifndef TAIN_BASE_BEAT_H
#define TAIN_BASE_BEAT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/time.h"

typedef struct tain_beat {
    atomic_llong last;  /* wall clock; 0: never */
    atomic_bool  waits;
} tain_beat;

static inline void tain_beat_turn(tain_beat *b)
{
    atomic_store_explicit(&b->last, tain_now(), memory_order_relaxed);
    atomic_store_explicit(&b->waits, false, memory_order_relaxed);
}

/* It gets on with what it does. */
static inline void tain_beat_touch(tain_beat *b) { atomic_store_explicit(&b->last, tain_now(), memory_order_relaxed); }

/* Until its next turn. */
static inline void tain_beat_wait(tain_beat *b) { atomic_store_explicit(&b->waits, true, memory_order_relaxed); }

/* When it last turned, 0: never. */
static inline tain_time tain_beat_last(const tain_beat *b)
{
    return atomic_load_explicit(&b->waits, memory_order_relaxed) ? tain_now() : atomic_load_explicit(&b->last, memory_order_relaxed);
}

#endif

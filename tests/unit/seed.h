/* SPDX-License-Identifier: MIT */
/* seed.h -- choices that a run with the same SEED makes again. */
#ifndef TAIN_UNIT_SEED_H
#define TAIN_UNIT_SEED_H

#include <stdlib.h>
#include <time.h>

static unsigned seed;

/* The SEED that is given, or another every second; it is printed. */
static inline void seed_begin(void)
{
    const char *given = getenv("SEED");
    seed = given ? (unsigned)atoi(given) : (unsigned)time(NULL);
    print_message("seed %u\n", seed);
}

/* 0 up to n - 1. */
static inline int pick(int n)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)n);
}

#endif

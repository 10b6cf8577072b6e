/* SPDX-License-Identifier: MIT */
#include "serve/auth/throttle.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

#define FORGOTTEN_AFTER (900 * TAIN_SECOND)
#define LONGEST (60 * TAIN_SECOND)

enum { BUCKETS = 1024, PLACES = 8 };

typedef struct place {
    uint64_t  key; /* 0: free */
    int       tries;
    tain_time last;
} place;

struct tain_throttle {
    pthread_mutex_t lock;
    uint8_t         salt[16]; /* which keys share a bucket is nobody's to choose */
    place           places[BUCKETS][PLACES];
};

tain_throttle *tain_throttle_new(void)
{
    tain_throttle *t = tain_alloc(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    tain_random(t->salt, sizeof t->salt);
    return t;
}

void tain_throttle_free(tain_throttle *t)
{
    if (!t) return;
    pthread_mutex_destroy(&t->lock);
    tain_free(t);
}

static uint64_t number_of(const tain_throttle *t, const char *text)
{
    uint8_t     hash[SHA256_DIGEST_LENGTH];
    uint64_t    key;
    tain_buffer b = {0};
    tain_buffer_append(&b, t->salt, sizeof t->salt);
    tain_buffer_append_str(&b, text);
    SHA256(b.data, b.size, hash);
    tain_buffer_done(&b);
    memcpy(&key, hash, sizeof key);
    return key | 1;
}

/* That of the key, or else what was longest ago. */
static place *place_of(tain_throttle *t, const char *text, tain_time now)
{
    const uint64_t key = number_of(t, text);
    place         *bucket = t->places[key >> 32 & (BUCKETS - 1)], *oldest = bucket;
    for (place *p = bucket; p < bucket + PLACES; p++) {
        if (p->key == key && now - p->last < FORGOTTEN_AFTER) return p;
        if (p->key == key || p->last < oldest->last) oldest = p;
        if (p->key == key) break;
    }
    *oldest = (place){.key = key};
    return oldest;
}

static tain_time wait_of(const place *p, int free, tain_time now)
{
    if (p->tries < free) return 0;
    const int       doubled = p->tries - free < 6 ? p->tries - free : 6;
    const tain_time pause = TAIN_SECOND << doubled, until = p->last + (pause < LONGEST ? pause : LONGEST);
    return until > now ? until - now : 0;
}

tain_time tain_throttle_try(tain_throttle *t, const tain_throttle_key *keys, int n)
{
    tain_time now = tain_monotonic(), longest = 0;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < n; i++) {
        tain_time wait = wait_of(place_of(t, keys[i].text, now), keys[i].free, now);
        if (wait > longest) longest = wait;
    }
    for (int i = 0; i < n && longest == 0; i++) {
        place *p = place_of(t, keys[i].text, now);
        p->tries++;
        p->last = now;
    }
    pthread_mutex_unlock(&t->lock);
    return longest;
}

void tain_throttle_forgive(tain_throttle *t, const tain_throttle_key *keys, int n)
{
    tain_time now = tain_monotonic();
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < n; i++) {
        place *p = place_of(t, keys[i].text, now);
        if (p->tries > 0) p->tries--;
    }
    pthread_mutex_unlock(&t->lock);
}


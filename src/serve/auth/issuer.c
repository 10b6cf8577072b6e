/* SPDX-License-Identifier: MIT */
#include "serve/auth/issuer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "net/fetch.h"

#define PATIENCE (10 * TAIN_SECOND)
#define NOT_BEFORE (60 * TAIN_SECOND)
#define SOON (5 * TAIN_SECOND) /* after a failure */
#define STALE_AFTER (86400 * TAIN_SECOND)

enum { DOCUMENT_MOST = 1 << 20, RSA_LEAST = 2048 };

/* Never changed once it is there. */
typedef struct key_set {
    _Atomic int   users;
    tain_time     since; /* monotonic */
    cjose_jwk_t **keys;
    size_t        count;
} key_set;

struct tain_issuer {
    char           *url, *ca_file; /* without final slash */
    pthread_mutex_t fetching;      /* taken before lock */
    tain_time       next;          /* not to be asked before; monotonic; by who is fetching */
    pthread_mutex_t lock;
    key_set        *set; /* locked; NULL: none as yet */
};

/* --- life ---------------------------------------------------------------------------------------------------------- */

/* Keys that came over the net in clear would be anybody's. */
static tain_status check_url(const char *url, tain_error *err)
{
    tain_url u = {0};
    TAIN_TRY(tain_url_parse(url, &u, err));
    bool fine = u.scheme && u.host && (strcasecmp(u.scheme, "https") == 0 || (strcasecmp(u.scheme, "http") == 0 && tain_host_is_loopback(u.host)));
    tain_url_done(&u);
    return fine ? TAIN_OK : tain_fail(err, TAIN_E_INVALID, "'%.200s' is no https URL", url);
}

static char *without_slash(const char *url)
{
    size_t n = strlen(url);
    return tain_strndup(url, n > 0 && url[n - 1] == '/' ? n - 1 : n);
}

tain_status tain_issuer_open(const char *url, const char *ca_file, tain_issuer **ret, tain_error *err)
{
    TAIN_TRY_IN(err, check_url(url, err), "issuer of tokens");
    tain_issuer *i = tain_alloc(sizeof *i);
    i->url = without_slash(url);
    i->ca_file = tain_strdup(ca_file);
    pthread_mutex_init(&i->fetching, NULL);
    pthread_mutex_init(&i->lock, NULL);
    *ret = i;
    return TAIN_OK;
}

static void release(key_set *s)
{
    if (!s || atomic_fetch_sub(&s->users, 1) > 1) return;
    for (size_t k = 0; k < s->count; k++) cjose_jwk_release(s->keys[k]);
    tain_free(s->keys);
    tain_free(s);
}

void tain_issuer_close(tain_issuer *i)
{
    if (!i) return;
    release(i->set);
    pthread_mutex_destroy(&i->lock);
    pthread_mutex_destroy(&i->fetching);
    tain_free(i->url);
    tain_free(i->ca_file);
    tain_free(i);
}

const char *tain_issuer_name(const tain_issuer *i)
{
    return i->url;
}

/* --- fetching ------------------------------------------------------------------------------------------------------ */

static tain_status fetch_json(const tain_issuer *i, const char *url, json_t **ret, tain_error *err)
{
    tain_answer answer = {0};
    tain_fetch  f = {.url = url, .ca_file = i->ca_file, .patience = PATIENCE, .most = DOCUMENT_MOST};
    TAIN_TRY(tain_fetch_run(&f, &answer, err));
    tain_status st = answer.status == 200 ? tain_json_parse(answer.body.data, answer.body.size, url, ret, err)
                                          : tain_fail(err, TAIN_E_UNAVAILABLE, "%s: answers %d", url, answer.status);
    tain_answer_done(&answer);
    return st == TAIN_E_CORRUPT ? TAIN_E_PROTOCOL : st;
}

static bool same_but_slash(const char *a, const char *b)
{
    const size_t n = strlen(a), m = strlen(b);
    const size_t x = n - (n > 0 && a[n - 1] == '/'), y = m - (m > 0 && b[m - 1] == '/');
    return x == y && memcmp(a, b, x) == 0;
}

/* Where the keys are; caller frees. */
static tain_status discover(const tain_issuer *i, char **ret, tain_error *err)
{
    TAIN_AUTO(tain_free) char *url = tain_format("%s/.well-known/openid-configuration", i->url);
    json_t *document = NULL;
    TAIN_TRY(fetch_json(i, url, &document, err));
    const char *keys = tain_json_get_str(document, "jwks_uri", ""), *name = tain_json_get_str(document, "issuer", "");
    tain_status st = TAIN_OK;
    if (!same_but_slash(name, i->url)) st = tain_fail(err, TAIN_E_PROTOCOL, "%s: is of another issuer, '%.200s'", url, name);
    else st = check_url(keys, err);
    if (st == TAIN_OK) *ret = tain_strdup(keys);
    json_decref(document);
    return st == TAIN_E_INVALID ? tain_fail(err, TAIN_E_PROTOCOL, "%s: jwks_uri is no https URL", url) : st;
}

static bool is_for_signing(json_t *jwk)
{
    return strcmp(tain_json_get_str(jwk, "use", "sig"), "sig") == 0;
}

static bool is_strong(const cjose_jwk_t *key)
{
    cjose_err why;
    if (cjose_jwk_get_kty(key, &why) == CJOSE_JWK_KTY_RSA) return cjose_jwk_get_keysize(key, &why) >= RSA_LEAST;
    return cjose_jwk_get_kty(key, &why) == CJOSE_JWK_KTY_EC && cjose_jwk_EC_get_curve(key, &why) == CJOSE_JWK_EC_P_256;
}

/* Keys of other kinds are passed by. */
static void add_key(key_set *s, json_t *jwk)
{
    cjose_err    why;
    cjose_jwk_t *key = is_for_signing(jwk) ? cjose_jwk_import_json((cjose_header_t *)jwk, &why) : NULL;
    if (key && !is_strong(key)) {
        cjose_jwk_release(key);
        key = NULL;
    }
    if (!key) return;
    s->keys = tain_realloc(s->keys, (s->count + 1) * sizeof *s->keys);
    s->keys[s->count++] = key;
}

static tain_status fetch_keys(const tain_issuer *i, key_set *s, tain_error *err)
{
    TAIN_AUTO(tain_free) char *url = NULL;
    json_t *document = NULL, *jwk;
    size_t  at;
    TAIN_TRY(discover(i, &url, err));
    TAIN_TRY(fetch_json(i, url, &document, err));
    json_array_foreach(json_object_get(document, "keys"), at, jwk) add_key(s, jwk);
    json_decref(document);
    return s->count ? TAIN_OK : tain_fail(err, TAIN_E_PROTOCOL, "%s: holds no key for RS256 or ES256", url);
}

/* --- the keys there are -------------------------------------------------------------------------------------------- */

static key_set *take(tain_issuer *i)
{
    pthread_mutex_lock(&i->lock);
    key_set *s = i->set;
    if (s) atomic_fetch_add(&s->users, 1);
    pthread_mutex_unlock(&i->lock);
    return s;
}

static void put(tain_issuer *i, key_set *s)
{
    pthread_mutex_lock(&i->lock);
    key_set *old = i->set;
    i->set = s;
    pthread_mutex_unlock(&i->lock);
    release(old);
}

static bool fits(const cjose_jwk_t *key, const char *id, cjose_jwk_kty_t kind)
{
    cjose_err   why;
    const char *own = cjose_jwk_get_kid(key, &why);
    return cjose_jwk_get_kty(key, &why) == kind && (!id || (own && strcmp(own, id) == 0));
}

/* It has such a key, and is not too old to be believed without asking. */
static bool will_do(const key_set *s, const char *id, cjose_jwk_kty_t kind)
{
    for (size_t k = 0; s && k < s->count; k++) {
        if (fits(s->keys[k], id, kind)) return tain_monotonic() - s->since < STALE_AFTER;
    }
    return false;
}

/* --- asking for more ----------------------------------------------------------------------------------------------- */

static tain_status refresh(tain_issuer *i, tain_error *err)
{
    key_set *s = tain_alloc(sizeof *s);
    *s = (key_set){.users = 1, .since = tain_monotonic()};
    tain_status st = fetch_keys(i, s, err);
    i->next = tain_monotonic() + (st == TAIN_OK ? NOT_BEFORE : SOON);
    if (st == TAIN_OK) put(i, s);
    else release(s);
    return st;
}

/* Of many who ask at a time one does, and the others have what it got. */
static tain_status ask_for(tain_issuer *i, const char *id, cjose_jwk_kty_t kind, tain_error *err)
{
    tain_status st = TAIN_OK;
    pthread_mutex_lock(&i->fetching);
    key_set *s = take(i);
    if (!will_do(s, id, kind) && tain_monotonic() >= i->next) st = refresh(i, err);
    else if (!s) st = tain_fail(err, TAIN_E_UNAVAILABLE, "%s: its keys could not be had a moment ago", i->url);
    pthread_mutex_unlock(&i->fetching);
    st = s ? TAIN_OK : st; /* there are some to go on with */
    release(s);
    return st;
}

static bool is_signed(const key_set *s, cjose_jws_t *jws, const char *id, cjose_jwk_kty_t kind)
{
    cjose_err why;
    for (size_t k = 0; s && k < s->count; k++) {
        if (fits(s->keys[k], id, kind) && cjose_jws_verify(jws, s->keys[k], &why)) return true;
    }
    return false;
}

tain_status tain_issuer_check(tain_issuer *i, cjose_jws_t *jws, const char *id, cjose_jwk_kty_t kind, tain_error *err)
{
    key_set *s = take(i);
    if (!will_do(s, id, kind)) {
        release(s);
        TAIN_TRY(ask_for(i, id, kind, err));
        s = take(i);
    }
    bool well = is_signed(s, jws, id, kind);
    release(s);
    return well ? TAIN_OK : tain_fail(err, TAIN_E_AUTH, "the token is not good: no key of its issuer signed it");
}

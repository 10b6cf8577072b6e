/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <strings.h>

#include "base/text.h"

#define PATIENCE (30 * TAIN_SECOND)
#define TO_CONNECT (10 * TAIN_SECOND)
enum { MOST = 64 << 20 };

typedef struct receipt {
    tain_buffer body;
    size_t      most;
    bool        too_large;
} receipt;

static void begin_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take(char *data, size_t one, size_t n, void *ctx)
{
    receipt *r = ctx;
    r->too_large = r->body.size + n > r->most;
    if (r->too_large) return 0;
    tain_buffer_append(&r->body, data, n);
    return n;
}

/* --- the request --------------------------------------------------------------------------------------------------- */

static bool has_header(const tain_fetch *f, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; f->headers && f->headers[i]; i++) {
        if (strncasecmp(f->headers[i], name, n) == 0 && f->headers[i][n] == ':') return true;
    }
    return false;
}

static void add_header(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);
    if (longer) *list = longer;
}

/* What the library would say by itself is taken back: to wait for a go-ahead, and that any body is a form. */
static struct curl_slist *headers_of(const tain_fetch *f)
{
    struct curl_slist *list = NULL;
    add_header(&list, "Expect:");
    if (!has_header(f, "Content-Type")) add_header(&list, "Content-Type:");
    for (size_t i = 0; f->headers && f->headers[i]; i++) add_header(&list, f->headers[i]);
    return list;
}

/* Nobody's proxy leads to this machine. */
static bool is_local(const char *url)
{
    tain_url u = {0};
    bool     local = tain_url_parse(url, &u, NULL) == TAIN_OK && tain_host_is_loopback(u.host);
    tain_url_done(&u);
    return local;
}

static void set_limits(CURL *c, const tain_fetch *f)
{
    const tain_time patience = f->patience ? f->patience : PATIENCE;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(patience / TAIN_MILLISECOND));
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)((patience < TO_CONNECT ? patience : TO_CONNECT) / TAIN_MILLISECOND));
    if (f->ca_file) curl_easy_setopt(c, CURLOPT_CAINFO, f->ca_file); /* the system's folder of them stays */
    if (is_local(f->url)) curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
}

static void set_request(CURL *c, const tain_fetch *f)
{
    const char *method = f->method ? f->method : f->body.data ? "POST" : "GET";
    curl_easy_setopt(c, CURLOPT_URL, f->url);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "tain/" TAIN_VERSION);
    if (strcmp(method, "HEAD") == 0) curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    if (f->body.data || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.size);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, f->body.data ? (const char *)f->body.data : "");
    }
    if (strcmp(method, "HEAD") != 0) curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
}

/* --- the answer ---------------------------------------------------------------------------------------------------- */

static tain_status status_of(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return TAIN_E_INVALID;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return TAIN_E_UNAVAILABLE;
    case CURLE_SSL_CACERT_BADFILE:
        return TAIN_E_CONFIG;
    default:
        return TAIN_E_PROTOCOL;
    }
}

static tain_status failed(const tain_fetch *f, CURLcode code, const receipt *r, const char *text, tain_error *err)
{
    TAIN_AUTO(tain_free) char *url = tain_url_redacted(f->url);
    if (r->too_large) return tain_fail(err, TAIN_E_PROTOCOL, "%s: the answer is larger than %zu bytes", url, r->most);
    tain_status st = status_of(code);
    if (st == TAIN_E_INVALID) return tain_fail(err, st, "%s is no URL that can be asked", url);
    st = tain_fail(err, st, "%s: %s", url, text[0] ? text : curl_easy_strerror(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION) tain_error_remedy(err, "name the file of the authority that certified the server");
    return st;
}

static void read_answer(CURL *c, receipt *r, tain_answer *ret)
{
    long  status = 0;
    char *type = NULL, *location = NULL;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &location);
    *ret = (tain_answer){.status = (int)status, .body = r->body, .type = tain_strdup(type), .location = tain_strdup(location)};
    r->body = (tain_buffer){0};
}

static tain_status run(CURL *c, const tain_fetch *f, receipt *r, tain_answer *ret, tain_error *err)
{
    char text[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    CURLcode code = curl_easy_perform(c);
    if (code != CURLE_OK) return failed(f, code, r, text, err);
    read_answer(c, r, ret);
    return TAIN_OK;
}

tain_status tain_fetch_run(const tain_fetch *f, tain_answer *ret, tain_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    receipt               r = {.most = f->most ? f->most : MOST};
    pthread_once(&once, begin_once);
    CURL *c = curl_easy_init();
    if (!c) return tain_fail(err, TAIN_E_INTERNAL, "libcurl has no memory left");
    struct curl_slist *headers = headers_of(f);
    set_limits(c, f);
    set_request(c, f);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    tain_status st = run(c, f, &r, ret, err);
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    tain_buffer_done(&r.body);
    return st;
}

void tain_answer_done(tain_answer *a)
{
    tain_buffer_done(&a->body);
    tain_free(a->type);
    tain_free(a->location);
    *a = (tain_answer){0};
}

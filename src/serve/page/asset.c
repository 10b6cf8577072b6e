/* SPDX-License-Identifier: MIT */
#include "serve/page/asset.h"

#include <stdlib.h>

static int compare(const void *name, const void *asset)
{
    return strcmp(name, ((const tain_asset *)asset)->name);
}

const tain_asset *tain_asset_find(const char *name)
{
    return bsearch(name, tain_assets, tain_asset_count, sizeof *tain_assets, compare);
}

void tain_asset_send(const tain_asset *a, const tain_http_request *q, tain_http_reply *p)
{
    const char *takes = tain_http_header(q, "Accept-Encoding");
    bool        packed = takes && strstr(takes, "gzip");
    p->type = a->type;
    p->fixed = packed ? a->packed : a->plain;
    if (packed) tain_http_reply_add(p, "Content-Encoding", "gzip");
    tain_http_reply_add(p, "Vary", "Accept-Encoding");
}

/* Names below /assets/ change with what is in them. */
static const char *keeping(const char *name)
{
    return strncmp(name, "/assets/", 8) == 0 ? "public, max-age=31536000, immutable" : "no-cache";
}

bool tain_page_handle(const tain_http_request *q, tain_http_reply *p)
{
    if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0) return false;
    const tain_asset *a = tain_asset_find(strcmp(q->path, "/") == 0 ? "/index.html" : q->path);
    if (!a || strcmp(a->name, "/openapi.json") == 0) return false;
    tain_asset_send(a, q, p);
    tain_http_reply_add(p, "Cache-Control", "%s", keeping(a->name));
    return true;
}

/* SPDX-License-Identifier: MIT */
#include "serve/page/asset.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static int compare(const void *name, const void *asset)
{
    return strcmp(name, ((const tain_asset *)asset)->name);
}

const tain_asset *tain_asset_find(const char *name)
{
    return bsearch(name, tain_assets, tain_asset_count, sizeof *tain_assets, compare);
}

/* RFC 9110, section 12.5.3: names, each with a weight if that is not 1; 0 is "not so". "*" is what is not named. */
static bool takes_gzip(const char *accepted)
{
    bool named = false, taken = false;
    for (const char *part = accepted; part && *part; part += strcspn(part, ","), part += *part == ',') {
        char   name[16] = "";
        double weight = 1;
        (void)!sscanf(part, " %15[^,; \t] ; %*1[qQ]=%lf", name, &weight);
        bool gzip = strcasecmp(name, "gzip") == 0;
        if (gzip || (!named && strcmp(name, "*") == 0)) taken = weight > 0;
        named |= gzip;
    }
    return taken;
}

void tain_asset_send(const tain_asset *a, const tain_http_request *q, tain_http_reply *p)
{
    bool packed = takes_gzip(tain_http_header(q, "Accept-Encoding"));
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

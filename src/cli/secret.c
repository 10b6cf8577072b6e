/* SPDX-License-Identifier: MIT */
#include "cli/secret.h"

#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

static bool has_server(const tain_url *u)
{
    return u->scheme && strcmp(u->scheme, "sqlite") != 0 && strcmp(u->scheme, "file") != 0 && strcmp(u->scheme, "landing") != 0;
}

char *tain_cli_secret_for(const char *url, const char *given)
{
    tain_url u;
    char    *secret = NULL;
    if (given) return tain_strdup(given);
    if (tain_url_parse(url, &u, NULL) != TAIN_OK) return NULL;
    if (has_server(&u) && !u.password && u.user) {
        char *question = tain_format("Password of %s at %s (none: Enter):", u.user, u.host && *u.host ? u.host : "this machine");
        secret = tain_cli_ask_secret(question);
        tain_free(question);
    }
    tain_url_done(&u);
    return secret;
}

void tain_cli_secret_free(char *secret)
{
    if (secret) explicit_bzero(secret, strlen(secret));
    tain_free(secret);
}

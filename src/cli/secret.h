/* SPDX-License-Identifier: MIT */
/* secret.h -- the password of a source, where it is not given. */
#ifndef TAIN_CLI_SECRET_H
#define TAIN_CLI_SECRET_H

#include "base/memory.h"

/* What is given, if anything is; else a database server's is asked for, if its address has none and somebody is there. NULL: none. */
char *tain_cli_secret_for(const char *url, const char *given);
/* Wipes it first. NULL is fine. */
void  tain_cli_secret_free(char *secret);

TAIN_AUTO_DEFINE(char, tain_cli_secret_free)

#endif

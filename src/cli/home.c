/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/cli.h"

char *tain_cli_home(void)
{
    const char *told = getenv("TAIN_HOME"), *own = getenv("HOME");
    return told && *told ? tain_strdup(told) : tain_format("%s/.tain", own && *own ? own : ".");
}

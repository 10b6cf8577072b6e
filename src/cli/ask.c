/* SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "cli/cli.h"

tain_says tain_cli_ask(const char *question)
{
    char line[16] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return TAIN_SAYS_NOTHING;
    fflush(stdout);
    fprintf(stderr, "%s [y/N] ", question);
    if (!fgets(line, sizeof line, stdin)) return TAIN_SAYS_NO;
    return line[0] == 'y' || line[0] == 'Y' ? TAIN_SAYS_YES : TAIN_SAYS_NO;
}

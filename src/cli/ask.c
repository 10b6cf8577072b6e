/* SPDX-License-Identifier: MIT */
#include <termios.h>
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

static bool show(bool on)
{
    struct termios t;
    if (tcgetattr(STDIN_FILENO, &t) != 0) return false;
    t.c_lflag = on ? t.c_lflag | ECHO : t.c_lflag & ~(tcflag_t)ECHO;
    return tcsetattr(STDIN_FILENO, TCSAFLUSH, &t) == 0;
}

char *tain_cli_ask_secret(const char *question)
{
    char line[1100] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return NULL;
    if (!show(false)) return NULL; /* before it is asked: what is typed earlier is thrown away */
    fprintf(stderr, "%s ", question);
    bool read = fgets(line, sizeof line, stdin) != NULL;
    show(true);
    fputc('\n', stderr);
    line[strcspn(line, "\n")] = 0;
    char *secret = read && *line ? tain_strdup(line) : NULL;
    explicit_bzero(line, sizeof line);
    return secret;
}

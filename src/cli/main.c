/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include "cli/cli.h"

static const tain_command *const commands[] = {
    &tain_command_demo,  &tain_command_check,  &tain_command_mirror, &tain_command_verify,
    &tain_command_query, &tain_command_replay, &tain_command_status, &tain_command_table,
    &tain_command_serve,
    NULL, /* from here on those that speak to a service */
    &tain_command_create, &tain_command_list,   &tain_command_start, &tain_command_stop,  &tain_command_pause,
    &tain_command_resume, &tain_command_resync, &tain_command_logs,  &tain_command_drop,  &tain_command_connections, &tain_command_users, &tain_command_tokens,
    &tain_command_apply,  &tain_command_export, &tain_command_client_env,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_commands(FILE *out)
{
    fputs("tain mirrors operational databases into open Delta Lake tables: continuously,\n"
          "within a second, exactly once.\n\nUsage: tain COMMAND ...\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i]) fprintf(out, "  %-11s %-17s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->summary);
        else fputs("\nOf a running service:\n\n", out);
    }
    fputs("\nBegin with: tain demo\nEach command tells more with --help. `tain --version` prints the version.\n", out);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    tain_memory_return_large();
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i] && strcmp(name, commands[i]->name) == 0) return commands[i]->run(argc - 1, argv + 1);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("tain " TAIN_VERSION);
        return TAIN_EXIT_OK;
    }
    if (!*name || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_commands(*name ? stdout : stderr);
        return *name ? TAIN_EXIT_OK : TAIN_EXIT_USAGE;
    }
    fprintf(stderr, "tain: there is no command \"%s\"; tain --help lists them\n", name);
    return TAIN_EXIT_USAGE;
}

/* help.h - help texts, the manual page and the reference pages, all from the tables.
 *
 * See also   commands.c, param_text.h, docs/reference/
 */
#ifndef FLY_CLI_HELP_H
#define FLY_CLI_HELP_H

#include "cli/command.h"

/* Words of `text` in lines that begin at `indent`; the first one is at `column` already. */
void fly_help_wrap(FILE *file, const char *text, size_t indent, size_t column);

/* All commands, a line each. */
void fly_help_overview(FILE *file);

/* One command with its options and example, to call->cli->out. Returns the exit code. */
int fly_help_command(const struct fly_call *call, const struct fly_command *command);

/* The manual page flyover(1) in troff. */
void fly_help_man(struct fly_arena *arena, FILE *file);

/* A page of docs/reference as Markdown: "cli", "nodes" or "pipeline". False: there is no such
 * page. */
bool fly_help_reference(const struct fly_call *call, const char *page);

#endif

/* catalog.h - the node types that a command speaks of: built in, and of the plugins it was given.
 *
 * Owner      The command, until fly_catalog_close().
 */
#ifndef FLY_CLI_CATALOG_H
#define FLY_CLI_CATALOG_H

#include "cli/command.h"
#include "config/types.h"

struct fly_catalog {
    struct fly_config_request request;
    struct fly_config config;
    struct fly_types types;
};

/* 0, or an exit code after saying what is wrong. Only an opened catalog is to be closed. */
int fly_catalog_open(struct fly_catalog *catalog, const struct fly_call *call)
    __attribute__((warn_unused_result));

void fly_catalog_close(struct fly_catalog *catalog);

#endif

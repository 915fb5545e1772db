/*
 * database: which database a command-line program works on.
 *
 * Runs on: the programs of src/cmd. Frees: the caller. Errors: told on stderr
 * without anything of the connection string, which may hold a password; then
 * NULL.
 */
#ifndef PENSTOCK_CMD_DATABASE_H
#define PENSTOCK_CMD_DATABASE_H

/* The option; or the variable `own` (NULL: none), for a program with a role of
 * its own; or PENSTOCK_DATABASE_URL. Either variable, or what the file named by
 * it with _FILE behind it holds, if libpq can read it. */
char *database_conninfo(const char *option, const char *own);

#endif

/*
 * database: which database a command-line program works on.
 *
 * Runs on: the programs of src/cmd. Frees: the caller. Errors: told on stderr
 * without anything of the connection string, which may hold a password; then
 * NULL.
 */
#ifndef PENSTOCK_CMD_DATABASE_H
#define PENSTOCK_CMD_DATABASE_H

/* The option, PENSTOCK_DATABASE_URL or what PENSTOCK_DATABASE_URL_FILE holds,
 * if libpq can read it. */
char *database_conninfo(const char *option);

#endif

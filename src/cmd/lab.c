/*
 * penstock-lab: runs the models of the service on files, offline: one row of
 * the table is one subcommand.
 */
#include "cmd/lab.h"
#include "cmd/tool.h"

#include <gsl/gsl_errno.h>
#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *does;
} commands[] = {
    {"detect", lab_detect, "judge each reading, or the system as a whole"},
    {"forecast", lab_forecast, "tell the days to come, from the past only"},
    {"leaks", lab_leaks, "find new leaks in what zones take in"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
main(int argc, char **argv)
{
	size_t i;

	gsl_set_error_handler_off(); /* errors are values here too */
	for (i = 0; argc > 1 && i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return (commands[i].run(argc - 1, argv + 1));
	fprintf(stderr, "usage: penstock-lab COMMAND [OPTION...]\n");
	for (i = 0; i < COMMANDS; i++)
		fprintf(
		    stderr, "  %-10s %s\n", commands[i].name, commands[i].does);
	return (TOOL_USAGE);
}

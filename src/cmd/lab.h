/*
 * lab: the subcommands of penstock-lab; each judges a file of readings with
 * the very code the service runs.
 *
 * Runs on: penstock-lab. argv[0] is the subcommand's name; gives what the
 * program ends with (enum of cmd/tool.h). Errors: told on stderr.
 */
#ifndef PENSTOCK_CMD_LAB_H
#define PENSTOCK_CMD_LAB_H

int lab_detect(int argc, char **argv);
int lab_forecast(int argc, char **argv);
int lab_leaks(int argc, char **argv);

#endif

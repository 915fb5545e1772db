/*
 * role: who may do what is decided by role alone; the route table says which
 * roles a route admits, and everything else is denied.
 *
 * Runs on: C. device stands apart: it may only POST readings.
 */
#ifndef PENSTOCK_AUTH_ROLE_H
#define PENSTOCK_AUTH_ROLE_H

enum role {
	ROLE_ANONYMOUS,
	ROLE_DEVICE,
	ROLE_VIEWER,
	ROLE_OPERATOR,
	ROLE_ENGINEER,
	ROLE_ADMIN,
	ROLE_COUNT
};

/* Sets of roles for the route table. */
#define ALLOW(role)    (1u << (role))
#define ALLOW_ADMIN    ALLOW(ROLE_ADMIN)
#define ALLOW_ENGINEER (ALLOW(ROLE_ENGINEER) | ALLOW_ADMIN)
#define ALLOW_OPERATOR (ALLOW(ROLE_OPERATOR) | ALLOW_ENGINEER)
#define ALLOW_VIEWER   (ALLOW(ROLE_VIEWER) | ALLOW_OPERATOR)
#define ALLOW_SENDER   (ALLOW(ROLE_DEVICE) | ALLOW_ENGINEER)
#define ALLOW_ALL      (ALLOW(ROLE_ANONYMOUS) | ALLOW(ROLE_DEVICE) | ALLOW_VIEWER)

const char *role_name(enum role);
/* -1 if the name is unknown; "anonymous" is not a role anyone can hold. */
int role_parse(const char *);

#endif

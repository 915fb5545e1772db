/*
 * The system calls a worker may make (sandbox_calls.inc, each with its reason):
 * Kore's own, and those of libpq, hiredis, libcurl, OpenSSL, libsodium, threads
 * and name look-ups with glibc 2.36. Kore's list comes after ours and is never reached: with
 * threads its verdict (kill the thread) would leave a wedged service.
 */
#include "edge/edge.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <kore/kore.h>
#include <kore/seccomp.h>

EDGE_EXPORT void kore_seccomp_hook(void);

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_OPEN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_OPEN 1
#endif
#endif

#ifdef SANDBOX_OPEN
static struct sock_filter filter[] = {
    BPF_STMT(BPF_RET + BPF_K, SECCOMP_RET_ALLOW),
};
#else
/* clang-format off */
#define CALL(name, reason) KORE_SYSCALL_ALLOW(name),
static struct sock_filter filter[] = {
	/* What a library may try, and does without: refused. What nobody here
	 * has a use for ends the process. */
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_UNIX),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET6),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_NETLINK), /* getaddrinfo */
	KORE_SYSCALL_DENY(socket, EAFNOSUPPORT),
	KORE_SYSCALL_DENY(ioctl, EACCES), /* isatty, FIONREAD of look-ups */
	/* Nothing may become both writable and executable. */
	KORE_SYSCALL_DENY_WITH_FLAG(mmap, 2, PROT_EXEC | PROT_WRITE, EINVAL),
	KORE_SYSCALL_DENY_WITH_FLAG(mprotect, 2, PROT_EXEC, EINVAL),
	/* Threads, no new processes. */
	KORE_SYSCALL_ALLOW_WITH_FLAG(clone, 0, CLONE_THREAD),
	KORE_SYSCALL_DENY(clone, EPERM),
	KORE_SYSCALL_DENY(clone3, ENOSYS), /* its flags are out of reach */
#include "edge/sandbox_calls.inc"
	KORE_BPF_RET(SECCOMP_RET_KILL_PROCESS),
};
#undef CALL
/* clang-format on */
#endif

/* Found by name, before Kore installs its own. */
void
kore_seccomp_hook(void)
{
	/* "seccomp_tracing yes" in Kore's configuration: log, do not kill. */
	if (kore_seccomp_tracing && KORE_FILTER_LEN(filter) > 1)
		filter[KORE_FILTER_LEN(filter) - 1].k = SECCOMP_RET_TRACE;
	(void)kore_seccomp_filter("penstock", filter, KORE_FILTER_LEN(filter));
}

/*
 * What a core would hold: keys, passwords, sessions. The limit alone does not
 * keep it from a program named in core_pattern (core(5)); being undumpable
 * does, and keeps other processes of the same user from reading this one.
 */
void
edge_harden(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("RLIMIT_CORE: %s", errno_s);
#ifndef SANDBOX_OPEN /* LeakSanitizer traces its own process */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("PR_SET_DUMPABLE: %s", errno_s);
#endif
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("PR_SET_NO_NEW_PRIVS: %s", errno_s);
}

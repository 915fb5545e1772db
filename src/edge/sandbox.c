/*
 * The system calls a worker may make: Kore's own, and those of libpq,
 * hiredis, libcurl, OpenSSL, libsodium, threads and name look-ups with
 * glibc 2.36. Kore's list comes after ours and is never reached: with
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
#define A(name) KORE_SYSCALL_ALLOW(name)
static struct sock_filter filter[] = {
	/* loop and sockets */
#ifdef SYS_epoll_wait
	A(epoll_wait),
#endif
	A(epoll_pwait), A(read), A(write), A(epoll_ctl), A(futex), A(recvfrom),
	A(sendto), A(accept), A(accept4), A(close), A(fcntl), A(shutdown),
	A(readv), A(writev), A(recvmsg), A(sendmsg), A(sendmmsg), A(recvmmsg),
	A(connect), A(bind), A(getsockname), A(getpeername), A(getsockopt),
	A(setsockopt), A(ppoll), A(pselect6), A(eventfd2), A(pipe2),
	A(socketpair), A(epoll_create1),
#ifdef SYS_poll
	A(poll),
#endif
#ifdef SYS_select
	A(select),
#endif
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_UNIX),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_INET6),
	KORE_SYSCALL_ALLOW_ARG(socket, 0, AF_NETLINK), /* getaddrinfo */
	KORE_SYSCALL_DENY(socket, EAFNOSUPPORT),
	KORE_SYSCALL_DENY(ioctl, EACCES),
	/* memory; nothing may become both writable and executable */
	KORE_SYSCALL_DENY_WITH_FLAG(mmap, 2, PROT_EXEC | PROT_WRITE, EINVAL),
	KORE_SYSCALL_DENY_WITH_FLAG(mprotect, 2, PROT_EXEC, EINVAL),
	A(mmap), A(munmap), A(mremap), A(mprotect), A(madvise), A(brk),
	A(mlock), A(munlock), A(getrandom),
	/* time */
	A(clock_gettime), A(clock_getres), A(clock_nanosleep), A(nanosleep),
	A(gettimeofday), A(restart_syscall),
#ifdef SYS_time
	A(time),
#endif
	/* files: certificates, resolver, /proc, log, metrics of memory */
#ifdef SYS_open
	A(open), A(stat), A(lstat), A(access), A(readlink), A(getdents),
#endif
	A(openat), A(fstat), A(newfstatat), A(statx), A(fstatfs), A(statfs),
	A(faccessat), A(faccessat2), A(readlinkat), A(getdents64), A(lseek),
	A(pread64), A(pwrite64), A(fsync), A(fdatasync), A(getcwd),
	/* threads; no new processes */
	KORE_SYSCALL_ALLOW_WITH_FLAG(clone, 0, CLONE_THREAD),
	KORE_SYSCALL_DENY(clone, EPERM),
	KORE_SYSCALL_DENY(clone3, ENOSYS), /* its flags are out of reach */
	A(rseq), A(set_robust_list), A(set_tid_address), A(sched_yield),
	A(sched_getaffinity), A(gettid), A(tgkill), A(exit), A(exit_group),
	A(prctl),
	/* process and signals; kill: Kore's own shutdown */
	A(getpid), A(getppid), A(getuid), A(geteuid), A(getgid), A(getegid),
	A(getrusage), A(prlimit64), A(uname), A(sysinfo), A(kill),
	A(rt_sigaction), A(rt_sigprocmask), A(rt_sigreturn), A(sigaltstack),
	A(rt_sigtimedwait), A(umask),
	KORE_BPF_RET(SECCOMP_RET_KILL_PROCESS),
};
#undef A
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

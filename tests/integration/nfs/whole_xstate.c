/* Lets User-Mode Linux run on processors with more registers than it knows, such as those for matrices (AMX).
 *
 * The kernel takes the extended registers of a traced process whole or not at all. User-Mode Linux 6.1 has room
 * for those that processors had until then, so it cannot give back what it got. Loaded before the C library, this
 * gives it as much as it has room for, and puts that into all of them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define EXTENDED_REGISTERS ((void *)0x202) /* NT_X86_XSTATE */
#define ROOM 65536

typedef long (*ptrace_function)(enum __ptrace_request, pid_t, void *, void *);

static long trace_all(ptrace_function trace, enum __ptrace_request request, pid_t process, struct iovec *known,
		      void *room)
{
	struct iovec all = {room, ROOM};
	long result = trace(PTRACE_GETREGSET, process, EXTENDED_REGISTERS, &all);
	if (result != 0)
		return result;
	size_t length = known->iov_len < all.iov_len ? known->iov_len : all.iov_len;
	if (request == PTRACE_GETREGSET) {
		memcpy(known->iov_base, room, length);
		known->iov_len = length;
		return 0;
	}
	memcpy(room, known->iov_base, length);
	return trace(PTRACE_SETREGSET, process, EXTENDED_REGISTERS, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function trace;
	if (trace == NULL)
		trace = (ptrace_function)dlsym(RTLD_NEXT, "ptrace");
	va_list list;
	va_start(list, request);
	pid_t process = va_arg(list, pid_t);
	void *address = va_arg(list, void *);
	void *data = va_arg(list, void *);
	va_end(list);

	if ((request != PTRACE_GETREGSET && request != PTRACE_SETREGSET) || address != EXTENDED_REGISTERS)
		return trace(request, process, address, data);
	/* Its stacks are small, and its timer may interrupt this and come here again. */
	void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -1;
	long result = trace_all(trace, request, process, data, room);
	int why = errno;
	munmap(room, ROOM);
	errno = why;
	return result;
}

/* The system calls that are about files, for programs that have them: see file_call.c. */
#ifndef POSIX_FILE_CALL_H
#define POSIX_FILE_CALL_H

/* As __ftl_syscall(); -ENOSYS for what is none of them. */
long __ftl_file_syscall(long number, long a, long b, long c, long d, long e, long f);

/* What is left to be done about files when the program exits. */
void file_finish(void);

#endif

/* process.h - the dataplane as a child process: found, started, heard, and its end understood.
 *
 * Idea       It inherits the workspace as a descriptor, dies with its parent (PDEATHSIG), and its
 *            end is
 *            a readable pidfd. Its stderr comes through a pipe, line by line.
 * Owner      The control plane's thread; it must outlive the child's wish to die with it.
 * See also   run.h
 */
#ifndef FLY_SUPERVISE_PROCESS_H
#define FLY_SUPERVISE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FLY_PROCESS_LINE_BYTES = 1024 };

struct fly_process {
    pid_t pid;   /* 0: none */
    int pidfd;   /* readable when it has ended */
    int text_fd; /* its stderr */
    uint32_t text_bytes;
    char text[FLY_PROCESS_LINE_BYTES]; /* a line that has not ended yet */
};

/* How a process ended. */
enum fly_ending {
    FLY_ENDED_WELL,    /* 0 */
    FLY_ENDED_REFUSED, /* 78: a node's setup refused; it has said why */
    FLY_ENDED_MISUSED, /* 70: a node broke the rules of the API; starting again would not help */
    FLY_ENDED_SYSTEM,  /* 71: the operating system refused something */
    FLY_ENDED_KILLED,  /* SIGKILL: somebody's kill -9, or the kernel was out of memory */
    FLY_ENDED_CRASHED, /* another signal, or any other code */
};

/* The path of flyover-dataplane: $FLYOVER_DATAPLANE, else beside this program, in ../dataplane (a
 * build tree), or in ../libexec/flyover. 0, or -ENOENT with a trace. */
int fly_process_find(char *path, size_t bytes) __attribute__((warn_unused_result));

/* What a dataplane inherits. */
struct fly_process_fds {
    int workspace;
    int instance; /* so that the instance's name stays taken until the dataplane, too, is gone */
};

/* Starts it on a workspace. 0 or a negative errno with a trace; nothing is left behind. */
int fly_process_start(struct fly_process *process, const char *path, struct fly_process_fds fds)
    __attribute__((warn_unused_result));

/* Hands over what it wrote to stderr since the last call, line by line, without the newline. At its
 * end also the last line that has none. */
void fly_process_listen(struct fly_process *process, void (*line)(void *arg, const char *text),
                        void *arg);

/* Waits for its end, frees all, and says how it ended; `detail` gets a few words ("signal 11"). */
enum fly_ending fly_process_end(struct fly_process *process, char *detail, size_t bytes);

#endif

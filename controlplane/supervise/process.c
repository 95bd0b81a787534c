#include "supervise/process.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int fly_process_find(char *path, size_t bytes)
{
    static const char *const places[] = {"flyover-dataplane", "../dataplane/flyover-dataplane",
                                         "../libexec/flyover/flyover-dataplane"};
    char own[PATH_MAX];
    const char *given = getenv("FLYOVER_DATAPLANE");
    if (given && given[0]) {
        snprintf(path, bytes, "%s", given);
        return access(path, X_OK) == 0
                   ? 0
                   : FLY_ERR(ENOENT, "FLYOVER_DATAPLANE names %s, which cannot be run", path);
    }
    ssize_t own_bytes = readlink("/proc/self/exe", own, sizeof(own) - 1);
    if (own_bytes <= 0)
        return FLY_ERR(ENOENT, "cannot tell where this program is: %s", strerror(errno));
    own[own_bytes] = '\0';
    *strrchr(own, '/') = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        int len = snprintf(path, bytes, "%s/%s", own, places[i]);
        if (len > 0 && (size_t)len < bytes && access(path, X_OK) == 0)
            return 0;
    }
    int rc = FLY_ERR(ENOENT, "flyover-dataplane is not where this program is (%s)", own);
    FLY_ERR_HINT("install both together, or set FLYOVER_DATAPLANE");
    return rc;
}

/* In the child, between fork and exec: nothing that allocates. */
static void become(const char *path, struct fly_process_fds fds, int text_fd, pid_t parent)
{
    char number[16];
    char *arguments[] = {(char *)(uintptr_t)path, (char *)(uintptr_t) "--workspace-fd", number,
                         NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* The terminal's Ctrl-C is for the control plane, which drains. A process group of its own
     * would lose the terminal as standard input. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(71);
    snprintf(number, sizeof(number), "%d", fds.workspace);
    if (dup2(text_fd, STDERR_FILENO) < 0 || fcntl(fds.workspace, F_SETFD, 0) ||
        fcntl(fds.instance, F_SETFD, 0))
        _exit(71);
    execv(path, arguments);
    dprintf(STDERR_FILENO, "flyover-dataplane: cannot run %s: %s\n", path, strerror(errno));
    _exit(71);
}

int fly_process_start(struct fly_process *process, const char *path, struct fly_process_fds fds)
{
    int pipes[2];
    memset(process, 0, sizeof(*process));
    process->pidfd = process->text_fd = -1;
    if (pipe2(pipes, O_CLOEXEC))
        return FLY_ERR(errno, "cannot make a pipe: %s", strerror(errno));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(path, fds, pipes[1], parent);
    int rc = pid < 0 ? FLY_ERR(errno, "cannot start a process: %s", strerror(errno)) : 0;
    close(pipes[1]);
    if (!rc) {
        process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (process->pidfd < 0) {
            rc = FLY_ERR(errno, "cannot watch process %d: %s", (int)pid, strerror(errno));
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
    }
    if (rc) {
        close(pipes[0]);
        return rc;
    }
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    fcntl(process->pidfd, F_SETFD, FD_CLOEXEC);
    process->pid = pid;
    process->text_fd = pipes[0];
    return 0;
}

/* Hands over whole lines at the front of the text; a full buffer counts as one. */
static void hand_over(struct fly_process *process, void (*line)(void *arg, const char *text),
                      void *arg)
{
    char *start = process->text, *end;
    while ((end = memchr(start, '\n', process->text_bytes))) {
        *end++ = '\0';
        line(arg, start);
        process->text_bytes -= (uint32_t)(end - start);
        start = end;
    }
    memmove(process->text, start, process->text_bytes);
    if (process->text_bytes == sizeof(process->text) - 1) {
        process->text[process->text_bytes] = '\0';
        line(arg, process->text);
        process->text_bytes = 0;
    }
}

void fly_process_listen(struct fly_process *process, void (*line)(void *arg, const char *text),
                        void *arg)
{
    while (process->text_fd >= 0) {
        size_t room_bytes = sizeof(process->text) - 1 - process->text_bytes;
        ssize_t got = read(process->text_fd, process->text + process->text_bytes, room_bytes);
        if (got < 0)
            return;
        process->text_bytes += (uint32_t)got;
        hand_over(process, line, arg);
        if (got > 0)
            continue;
        if (process->text_bytes) {
            process->text[process->text_bytes] = '\0';
            line(arg, process->text);
        }
        close(process->text_fd);
        process->text_fd = -1;
        process->text_bytes = 0;
    }
}

enum fly_ending fly_process_end(struct fly_process *process, char *detail, size_t bytes)
{
    static const struct {
        int code;
        enum fly_ending ending;
    } endings[] = {{0, FLY_ENDED_WELL},
                   {78, FLY_ENDED_REFUSED},
                   {70, FLY_ENDED_MISUSED},
                   {71, FLY_ENDED_SYSTEM}};
    int status = 0;
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(process->pidfd);
    if (process->text_fd >= 0)
        close(process->text_fd);
    memset(process, 0, sizeof(*process));
    process->pidfd = process->text_fd = -1;
    if (WIFSIGNALED(status)) {
        snprintf(detail, bytes, "signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return WTERMSIG(status) == SIGKILL ? FLY_ENDED_KILLED : FLY_ENDED_CRASHED;
    }
    snprintf(detail, bytes, "exit code %d", WEXITSTATUS(status));
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (endings[i].code == WEXITSTATUS(status))
            return endings[i].ending;
    }
    return FLY_ENDED_CRASHED;
}

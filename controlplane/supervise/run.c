#include "supervise/run.h"

#include "base/clock.h"
#include "base/err.h"
#include "supervise/runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_NS UINT64_C(50000000)
#define STOP_GRACE_NS UINT64_C(2000000000) /* then a dataplane that does not stop is killed */
enum {
    TICKS_PER_STATE = 2,
    TICKS_PER_PROGRESS = 4,
    COLUMNS_UNKNOWN = 100,
};

/* What the loop waits for. */
enum { AT_SIGNAL, AT_TIMER, AT_END, AT_TEXT, AT_CNT };

struct watch {
    int signal_fd, timer_fd;
    sigset_t before;
    struct sigaction pipe_before;
};

static int open_watch(struct watch *watch)
{
    struct itimerspec every = {{0, (long)TICK_NS}, {0, (long)TICK_NS}};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &watch->before);
    /* A reader of our output that went away is an error to report, not the end of the pipeline. */
    sigaction(SIGPIPE, &ignore, &watch->pipe_before);
    watch->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    watch->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watch->signal_fd < 0 || watch->timer_fd < 0 ||
        timerfd_settime(watch->timer_fd, 0, &every, NULL))
        return FLY_ERR(errno, "cannot watch signals and time: %s", strerror(errno));
    return 0;
}

static void close_watch(struct watch *watch)
{
    if (watch->signal_fd >= 0)
        close(watch->signal_fd);
    if (watch->timer_fd >= 0)
        close(watch->timer_fd);
    sigaction(SIGPIPE, &watch->pipe_before, NULL);
    sigprocmask(SIG_SETMASK, &watch->before, NULL);
}

static void drain(struct fly_runner *runner, const char *why)
{
    uint64_t timeout_ns = runner->built->plan->drain_timeout_ns;
    fly_log_line(&runner->log, FLY_LOG_INFO, "%s: sources stop, what is under way is finished",
                 why);
    runner->drain_until_ns = fly_clock_ns() + timeout_ns;
    fly_runner_command(runner, FLY_COMMAND_DRAIN);
}

static void stop(struct fly_runner *runner, const char *why)
{
    fly_log_line(&runner->log, FLY_LOG_WARNING, "%s: stopping at once", why);
    runner->kill_at_ns = fly_clock_ns() + STOP_GRACE_NS;
    fly_runner_command(runner, FLY_COMMAND_STOP);
}

static void on_signal(struct fly_runner *runner, int signal_fd)
{
    struct signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        const char *name = strsignal((int)info.ssi_signo);
        if (runner->command == FLY_COMMAND_RUN)
            drain(runner, name);
        else if (runner->command == FLY_COMMAND_DRAIN)
            stop(runner, name);
    }
}

/* The moment at which the dataplane began to work, from its own clock. */
static void note_ready(struct fly_runner *runner)
{
    const struct fly_workspace_header *header = runner->workspace.header;
    uint64_t hz = atomic_load_explicit(&header->ticks_hz, memory_order_acquire);
    uint64_t start = atomic_load_explicit(&header->start_ticks, memory_order_acquire);
    uint64_t now_ns = fly_clock_ns(), ticks = fly_ticks();
    if (runner->ready_ns || !start || runner->now.ready_cnt < runner->built->plan->worker_cnt)
        return;
    runner->ready_ns = now_ns;
    if (hz && ticks > start) {
        struct fly_clock_rate rate = fly_clock_rate_of(hz);
        uint64_t since_ns = fly_ticks_to_ns(&rate, ticks - start);
        if (since_ns < now_ns - runner->begin_ns)
            runner->ready_ns = now_ns - since_ns;
    }
    fly_log_line(&runner->log, FLY_LOG_DEBUG, "the dataplane was set up after %.1f ms",
                 (double)(runner->ready_ns - runner->begin_ns) / 1e6);
}

static void show_progress(struct fly_runner *runner)
{
    char text[FLY_PROGRESS_BYTES];
    fly_progress_format(&runner->progress, runner->built->plan, &runner->now, fly_clock_ns(), text,
                        sizeof(text), runner->columns);
    fprintf(runner->log.file, "\r%s\033[K", text);
    fflush(runner->log.file);
    runner->log.over_progress = true;
}

static void save_states(struct fly_runner *runner)
{
    if (!runner->states.cnt || runner->starts_over || !runner->workspace.base)
        return;
    int rc = fly_carry_live(&runner->carry, &runner->workspace, &runner->layout);
    if (!rc)
        rc = fly_source_states_write(&runner->states, &runner->carry);
    if (rc)
        fly_log_line(&runner->log, FLY_LOG_WARNING, "%s", fly_err_text());
}

/* What is due by the clock. */
static void check_times(struct fly_runner *runner)
{
    uint64_t now_ns = fly_clock_ns();
    uint64_t duration_ns = runner->options->duration_ns;
    if (duration_ns && runner->ready_ns && runner->command == FLY_COMMAND_RUN &&
        now_ns - runner->ready_ns >= duration_ns)
        drain(runner, "the duration is over");
    if (runner->command == FLY_COMMAND_DRAIN && now_ns >= runner->drain_until_ns)
        stop(runner, "the drain timeout is over");
    if (runner->command == FLY_COMMAND_STOP && runner->process.pid && now_ns >= runner->kill_at_ns)
        syscall(SYS_pidfd_send_signal, runner->process.pidfd, SIGKILL, NULL, 0);
}

static void on_tick(struct fly_runner *runner, int timer_fd)
{
    uint64_t times;
    if (read(timer_fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
        return;
    runner->tick_cnt++;
    fly_runner_look(runner);
    if (runner->workspace.base)
        note_ready(runner);
    fly_runner_tell_trouble(runner);
    check_times(runner);
    if (runner->tick_cnt % TICKS_PER_STATE == 0)
        save_states(runner);
    if (runner->show_progress && runner->tick_cnt % TICKS_PER_PROGRESS == 0)
        show_progress(runner);
}

static void on_text(void *arg, const char *text)
{
    struct fly_runner *runner = arg;
    fly_log_text(&runner->log, FLY_LOG_ERROR, text);
}

/* The dataplane has ended. True: so has the run. */
static bool on_end(struct fly_runner *runner)
{
    char detail[80];
    fly_process_listen(&runner->process, on_text, runner);
    enum fly_ending ending = fly_process_end(&runner->process, detail, sizeof(detail));
    runner->end_ns = fly_clock_ns();
    fly_runner_look(runner);
    note_ready(runner);
    switch (ending) {
    case FLY_ENDED_WELL:
        return true;
    case FLY_ENDED_REFUSED:
        fly_runner_fail(runner, FLY_EXIT_CONFIG);
        return true;
    case FLY_ENDED_MISUSED:
        fly_runner_fail(runner, FLY_EXIT_FAILED);
        return true;
    case FLY_ENDED_SYSTEM:
        fly_runner_fail(runner, FLY_EXIT_IO);
        return true;
    case FLY_ENDED_KILLED:
    case FLY_ENDED_CRASHED:
        break;
    }
    return runner->command == FLY_COMMAND_STOP || fly_runner_recover(runner, ending, detail) != 0;
}

/* Starts the next dataplane if it is due. True: the run has ended instead. */
static bool launch_if_due(struct fly_runner *runner)
{
    if (runner->process.pid)
        return false;
    runner->end_ns = fly_clock_ns();
    if (runner->command == FLY_COMMAND_STOP)
        return true;
    if (runner->end_ns < runner->launch_at_ns)
        return false;
    if (fly_runner_launch(runner) == 0)
        return false;
    fly_log_trace(&runner->log);
    return true;
}

static void run_loop(struct fly_runner *runner, const struct watch *watch)
{
    while (!launch_if_due(runner)) {
        struct pollfd fds[AT_CNT] = {
            [AT_SIGNAL] = {.fd = watch->signal_fd, .events = POLLIN},
            [AT_TIMER] = {.fd = watch->timer_fd, .events = POLLIN},
            [AT_END] = {.fd = runner->process.pid ? runner->process.pidfd : -1, .events = POLLIN},
            [AT_TEXT] = {.fd = runner->process.pid ? runner->process.text_fd : -1,
                         .events = POLLIN},
        };
        if (poll(fds, AT_CNT, -1) < 0)
            continue;
        if (fds[AT_TEXT].revents)
            fly_process_listen(&runner->process, on_text, runner);
        if (fds[AT_SIGNAL].revents)
            on_signal(runner, watch->signal_fd);
        if (fds[AT_TIMER].revents)
            on_tick(runner, watch->timer_fd);
        if (fds[AT_END].revents && on_end(runner))
            return;
    }
}

static void look_at_terminal(struct fly_runner *runner)
{
    struct winsize size;
    enum fly_progress wanted = runner->options->progress;
    bool terminal = isatty(STDERR_FILENO) && !runner->options->json_log;
    runner->show_progress =
        wanted == FLY_PROGRESS_ALWAYS || (wanted == FLY_PROGRESS_AUTO && terminal);
    runner->columns = COLUMNS_UNKNOWN;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
        runner->columns = size.ws_col - 1U;
}

int fly_run_pipeline(const struct fly_pipeline *pipeline, const struct fly_run_options *options)
{
    struct watch watch = {.signal_fd = -1, .timer_fd = -1};
    struct fly_runner *runner = calloc(1, sizeof(*runner));
    if (!runner) {
        fprintf(stderr, "error: no memory\n");
        return FLY_EXIT_LATER;
    }
    runner->pipeline = pipeline;
    runner->options = options;
    runner->log =
        (struct fly_log){.file = stderr, .json = options->json_log, .level = options->log_level};
    look_at_terminal(runner);
    int rc = open_watch(&watch);
    fly_runner_fail(runner, rc ? FLY_EXIT_IO : FLY_EXIT_OK);
    if (!rc)
        rc = fly_runner_init(runner);
    if (rc) {
        fly_log_trace(&runner->log);
    } else {
        run_loop(runner, &watch);
        fly_log_clear(&runner->log);
        if (runner->ready_ns || runner->exit_code == FLY_EXIT_OK)
            fly_runner_finish(runner);
    }
    int exit_code = runner->exit_code;
    fly_runner_fini(runner);
    free(runner);
    close_watch(&watch);
    return exit_code;
}

/* baseline.h - what the programs by hand share: options, clocks, memory, and the line that they
 * print.
 *
 * Idea       Each program names its options in a table and prints one JSON object per round:
 *            {"items": N, "seconds": S, "per_second": R, "cpu_seconds": C, "checksum": "hex", ...}.
 * Owner      main() of a program.
 * Errors     Wrong usage ends it with 64, a result that is not as it must be with an abort.
 */
#ifndef FLY_PERF_BASELINE_H
#define FLY_PERF_BASELINE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

enum baseline_kind { BASELINE_COUNT, BASELINE_REAL, BASELINE_TEXT, BASELINE_FLAG };

struct baseline_option {
    char letter;
    enum baseline_kind kind; /* COUNT: uint64_t; REAL: double; TEXT: const char *; FLAG: bool */
    void *into;
    const char *help;
};

struct baseline {
    const char *name;
    const char *operands; /* "FILE"; "" for none */
    int operand_cnt;
    const struct baseline_option *options; /* ends with an entry without a letter */
    uint64_t round_cnt;                    /* -r, which all have */
};

static inline void baseline_usage(const struct baseline *baseline, FILE *file)
{
    fprintf(file, "usage: baseline_%s [-r ROUNDS] [OPTION...] %s\n", baseline->name,
            baseline->operands);
    for (const struct baseline_option *option = baseline->options; option->letter; option++)
        fprintf(file, "  -%c%s  %s\n", option->letter,
                option->kind == BASELINE_FLAG ? "      " : " VALUE", option->help);
}

static inline bool baseline_store(const struct baseline_option *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    switch (option->kind) {
    case BASELINE_COUNT:
        *(uint64_t *)option->into = strtoull(text, &end, 10);
        return errno == 0 && end != text && *end == '\0' && *text != '-';
    case BASELINE_REAL:
        *(double *)option->into = strtod(text, &end);
        return errno == 0 && end != text && *end == '\0';
    case BASELINE_TEXT:
        *(const char **)option->into = text;
        return true;
    case BASELINE_FLAG:
    default:
        *(bool *)option->into = true;
        return true;
    }
}

/* Reads the command line; the operands are argv[optind...]. */
static inline void baseline_options(struct baseline *baseline, int argc, char **argv)
{
    const struct baseline_option rounds = {'r', BASELINE_COUNT, &baseline->round_cnt, ""};
    char letters[64] = "r:h";
    size_t used = strlen(letters);
    const struct baseline_option *option;
    for (option = baseline->options; option->letter && used + 3 < sizeof(letters); option++) {
        letters[used++] = option->letter;
        if (option->kind != BASELINE_FLAG)
            letters[used++] = ':';
    }
    baseline->round_cnt = 1;
    for (int letter; (letter = getopt(argc, argv, letters)) != -1;) {
        for (option = baseline->options; option->letter && option->letter != letter;)
            option++;
        if (letter == 'r')
            option = &rounds;
        if (letter == 'h')
            baseline_usage(baseline, stdout);
        if (letter == 'h' || !option->letter || !baseline_store(option, optarg ? optarg : "")) {
            if (letter != 'h')
                baseline_usage(baseline, stderr);
            exit(letter == 'h' ? 0 : 64);
        }
    }
    if (argc - optind != baseline->operand_cnt) {
        baseline_usage(baseline, stderr);
        exit(64);
    }
}

/* What a round took. */
struct baseline_timer {
    uint64_t wall_ns, cpu_ns;
};

static inline uint64_t baseline_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline struct baseline_timer baseline_start(void)
{
    uint64_t cpu_ns = baseline_cpu_ns();
    return (struct baseline_timer){fly_clock_ns(), cpu_ns};
}

static inline struct baseline_timer baseline_stop(struct baseline_timer start)
{
    uint64_t wall_ns = fly_clock_ns();
    return (struct baseline_timer){wall_ns - start.wall_ns, baseline_cpu_ns() - start.cpu_ns};
}

/* Begins a round's line, which baseline_end() ends; in between come further fields. */
static inline void baseline_begin(uint64_t items, struct baseline_timer took, uint64_t checksum)
{
    double seconds = (double)took.wall_ns / 1e9;
    printf("{\"items\": %" PRIu64 ", \"seconds\": %.9f, \"per_second\": %.0f", items, seconds,
           seconds > 0 ? (double)items / seconds : 0);
    printf(", \"cpu_seconds\": %.6f, \"checksum\": \"%016" PRIx64 "\"", (double)took.cpu_ns / 1e9,
           checksum);
}

static inline void baseline_field(const char *name, double value)
{
    printf(", \"%s\": %.12g", name, value);
}

static inline void baseline_end(void)
{
    puts("}");
    fflush(stdout);
}

#define BASELINE_PAGE_BYTES ((size_t)2 << 20)

/* What is mapped for `bytes`: whole large pages, and one more to be aligned within. */
static inline size_t baseline_mapped(size_t bytes)
{
    return (bytes + 2 * BASELINE_PAGE_BYTES - 1) / BASELINE_PAGE_BYTES * BASELINE_PAGE_BYTES;
}

/* Zeroed memory in large pages where the kernel has them; all of it is there already. */
static inline void *baseline_memory(size_t bytes)
{
    size_t all = baseline_mapped(bytes);
    uint8_t *at =
        mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FLY_CHECK(at != MAP_FAILED, "no memory for %zu bytes", bytes);
    size_t before =
        (BASELINE_PAGE_BYTES - (uintptr_t)at % BASELINE_PAGE_BYTES) % BASELINE_PAGE_BYTES;
    if (before)
        munmap(at, before);
    madvise(at + before, all - before, MADV_HUGEPAGE);
    memset(at + before, 0, bytes);
    return at + before;
}

/* Gives it back, but for less than a large page of addresses. */
static inline void baseline_free(void *memory, size_t bytes)
{
    munmap(memory, baseline_mapped(bytes) - BASELINE_PAGE_BYTES);
}

/* A file in memory, with a page of zeros behind its last byte. */
struct baseline_text {
    uint8_t *at;
    size_t bytes, mapped_bytes;
};

/* Maps the file over zeros that reach a page further. */
static inline void baseline_map(const char *path, struct baseline_text *text)
{
    const size_t page = 4096;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    FLY_CHECK(fd >= 0 && fstat(fd, &status) == 0, "cannot read %s: %s", path, strerror(errno));
    text->bytes = (size_t)status.st_size;
    text->mapped_bytes = (text->bytes + page - 1) / page * page + page;
    text->at = mmap(NULL, text->mapped_bytes, PROT_READ,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FLY_CHECK(text->at != MAP_FAILED, "cannot map %s: %s", path, strerror(errno));
    void *file = text->bytes ? mmap(text->at, text->bytes, PROT_READ,
                                    MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0)
                             : text->at;
    FLY_CHECK(file == text->at, "cannot map %s: %s", path, strerror(errno));
    close(fd);
}

static inline void baseline_unmap(struct baseline_text *text)
{
    munmap(text->at, text->mapped_bytes);
}

static inline FILE *baseline_create(const char *path)
{
    FILE *file = fopen(path, "w");
    FLY_CHECK(file, "cannot write %s: %s", path, strerror(errno));
    return file;
}

static inline void baseline_close(FILE *file, const char *path)
{
    int failed = ferror(file), rc = fclose(file);
    FLY_CHECK(!failed && rc == 0, "cannot write %s: %s", path, strerror(errno));
}

#endif

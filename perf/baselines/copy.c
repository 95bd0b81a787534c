/* copy.c - copies a file and makes it durable: the baseline of a pipeline from file to file.
 *
 *   baseline_copy [-r ROUNDS] FILE OUT
 *
 * The kernel is asked to copy by itself, as cp does. OUT is made anew in each round, beside itself
 * and renamed at the end; the time goes to the end of fsync and rename. `copy_seconds` is the part
 * before that. Items are lines. The copy is compared with the file afterwards. */
#include "baseline.h"

#include "base/mix.h"

struct lines {
    uint64_t cnt;
    uint64_t checksum;
};

static struct lines look_at(const struct baseline_text *text)
{
    struct lines lines = {.checksum = XXH3_64bits(text->at, text->bytes)};
    const uint8_t *at = text->at, *end = at + text->bytes;
    while ((at = memchr(at, '\n', (size_t)(end - at)))) {
        lines.cnt++;
        at++;
    }
    lines.cnt += text->bytes && end[-1] != '\n';
    return lines;
}

static void copy_all(int from, int to, size_t bytes)
{
    while (bytes) {
        ssize_t done = copy_file_range(from, NULL, to, NULL, bytes, 0);
        FLY_CHECK(done > 0, "cannot copy: %s", done ? strerror(errno) : "the file got shorter");
        bytes -= (size_t)done;
    }
}

static void run_round(const char *path, const char *out, const struct lines *want, size_t bytes)
{
    char part[4096];
    struct baseline_text copied;
    int length = snprintf(part, sizeof(part), "%s.part", out);
    FLY_CHECK(length < (int)sizeof(part), "the name is too long");
    struct baseline_timer start = baseline_start();
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    FLY_CHECK(from >= 0 && to >= 0, "cannot open %s: %s", from < 0 ? path : part, strerror(errno));
    copy_all(from, to, bytes);
    struct baseline_timer copy = baseline_stop(start);
    int rc = fsync(to);
    FLY_CHECK(rc == 0, "cannot sync %s: %s", part, strerror(errno));
    close(to);
    close(from);
    rc = rename(part, out);
    FLY_CHECK(rc == 0, "cannot rename %s: %s", part, strerror(errno));
    struct baseline_timer took = baseline_stop(start);
    baseline_map(out, &copied);
    struct lines got = look_at(&copied);
    baseline_unmap(&copied);
    FLY_CHECK(got.checksum == want->checksum && copied.bytes == bytes, "the copy differs");
    baseline_begin(want->cnt, took, want->checksum);
    baseline_field("copy_seconds", (double)copy.wall_ns / 1e9);
    baseline_field("bytes", (double)bytes);
    baseline_field("bytes_per_second", (double)bytes * 1e9 / (double)took.wall_ns);
    baseline_end();
}

int main(int argc, char **argv)
{
    struct baseline_text text;
    const struct baseline_option options[] = {{0}};
    struct baseline baseline = {
        .name = "copy", .operands = "FILE OUT", .operand_cnt = 2, .options = options};
    baseline_options(&baseline, argc, argv);
    baseline_map(argv[optind], &text);
    struct lines want = look_at(&text);
    baseline_unmap(&text);
    for (uint64_t round = 0; round < baseline.round_cnt; round++)
        run_round(argv[optind], argv[optind + 1], &want, text.bytes);
    return 0;
}

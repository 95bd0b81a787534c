/* wordcount.c - counts the words of a file in one loop, as fast as we can: the baseline of word
 * count.
 *
 *   baseline_wordcount [-r ROUNDS] [-o FILE] TEXT
 *
 * A round is all there is to do: it maps the file and builds the table anew. FILE gets the counts,
 * as lines {"key": "...", "count": ...}. The first round's counts are compared with those of a loop
 * that goes byte by byte. */
#include "baseline.h"

#include "bench/loop.h"

static void write_count(void *arg, const uint8_t *word, size_t bytes, uint64_t cnt)
{
    FILE *file = arg;
    fputs("{\"key\":\"", file);
    for (size_t i = 0; i < bytes; i++) {
        if (word[i] == '"' || word[i] == '\\')
            fputc('\\', file);
        fputc(word[i], file);
    }
    fprintf(file, "\",\"count\":%" PRIu64 "}\n", cnt);
}

static void write_counts(const char *path, const struct fly_word_counts *counts)
{
    FILE *file = baseline_create(path);
    fly_word_counts_walk(counts, write_count, file);
    baseline_close(file, path);
}

/* What a walk adds up, to be compared with a plain loop over the bytes. */
struct sums {
    uint64_t words, letters;
};

static void add_counts(void *arg, const uint8_t *word, size_t bytes, uint64_t cnt)
{
    struct sums *sums = arg;
    (void)word;
    sums->words += cnt;
    sums->letters += bytes * cnt;
}

static void check(const struct baseline_text *text, const struct fly_word_counts *counts)
{
    struct sums got = {0}, want = {0};
    bool inside = false;
    for (size_t i = 0; i < text->bytes; i++) {
        bool letter = text->at[i] > ' ';
        want.letters += letter;
        want.words += letter && !inside;
        inside = letter;
    }
    fly_word_counts_walk(counts, add_counts, &got);
    FLY_CHECK(got.words == want.words && got.letters == want.letters, "words were lost or changed");
}

static void run_round(const char *path, const char *opt_out, bool checked)
{
    struct baseline_text text;
    struct baseline_timer start = baseline_start();
    baseline_map(path, &text);
    struct fly_word_counts *counts = fly_word_counts_create();
    FLY_CHECK(counts, "no memory");
    uint64_t words = fly_loop_words(counts, text.at, text.bytes);
    baseline_begin(words, baseline_stop(start), fly_word_counts_checksum(counts));
    baseline_field("distinct", (double)fly_word_counts_distinct(counts));
    baseline_field("bytes", (double)text.bytes);
    baseline_end();
    if (!checked)
        check(&text, counts);
    if (opt_out)
        write_counts(opt_out, counts);
    fly_word_counts_destroy(counts);
    baseline_unmap(&text);
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    const struct baseline_option options[] = {
        {'o', BASELINE_TEXT, &out, "write the counts to this file"},
        {0},
    };
    struct baseline baseline = {
        .name = "wordcount", .operands = "TEXT", .operand_cnt = 1, .options = options};
    baseline_options(&baseline, argc, argv);
    for (uint64_t round = 0; round < baseline.round_cnt; round++)
        run_round(argv[optind], out, round > 0);
    return 0;
}

/* wordcount.c - counts the words of a file in one loop, as fast as we can: the baseline of word
 * count.
 *
 * Words are what lies between bytes <= 0x20. Whitespace is found 64 bytes at a time, as bits;
 * where they change, a word starts or ends. Counts are in a table with open addressing, whose keys
 * are the words themselves; words over 16 bytes have a table of their own, which points into the
 * mapped file.
 *
 *   wordcount [-r ROUNDS] [-o FILE] TEXT
 *
 * Prints for each round: words, distinct words, seconds, words per second. A round is all there is
 * to do: it maps the file and builds the table anew. FILE gets the counts, as lines {"key": "...",
 * "count": ...}. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "base/check.h"
#include "base/clock.h"

#define PAGE_BYTES ((size_t)4096) /* readable behind the text: words are loaded by 16 bytes */
#define CHUNK_BYTES ((size_t)16384)
#define TABLE_MIN ((size_t)1 << 12)

/* A word of up to 16 bytes is its own key, filled up with zeros, of which it has none. */
struct entry {
    uint64_t low, high;
    uint64_t cnt; /* 0: a free place */
};

struct long_entry {
    const uint8_t *word;
    uint64_t cnt; /* 0: a free place */
    uint32_t bytes;
    uint32_t hash;
};

struct table {
    struct entry *entry;
    size_t mask, used;
    struct long_entry *long_entry;
    size_t long_mask, long_used;
};

struct text {
    uint8_t *at;
    size_t bytes;
    size_t mapped_bytes;
};

static uint64_t load8(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    fly_u128 product = (fly_u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static FLY_ALWAYS_INLINE uint64_t hash_short(uint64_t low, uint64_t high)
{
    return mix(low ^ UINT64_C(0xa0761d6478bd642f), high ^ UINT64_C(0xe7037ed1a0b428db));
}

static uint32_t hash_long(const uint8_t *word, uint32_t bytes)
{
    uint64_t hash = bytes;
    for (uint32_t i = 0; i + 8 < bytes; i += 8)
        hash = hash_short(load8(word + i), hash);
    return (uint32_t)hash_short(load8(word + bytes - 8), hash);
}

static void *new_entries(size_t cnt, size_t bytes)
{
    void *entries = calloc(cnt, bytes);
    FLY_CHECK(entries, "no memory for %zu words", cnt);
    return entries;
}

static FLY_NOINLINE void grow(struct table *table)
{
    size_t mask = 2 * table->mask + 1;
    struct entry *larger = new_entries(mask + 1, sizeof(*larger));
    for (size_t i = 0; i <= table->mask; i++) {
        const struct entry *entry = &table->entry[i];
        if (!entry->cnt)
            continue;
        size_t place = hash_short(entry->low, entry->high) & mask;
        while (larger[place].cnt)
            place = (place + 1) & mask;
        larger[place] = *entry;
    }
    free(table->entry);
    table->entry = larger;
    table->mask = mask;
}

static void grow_long(struct table *table)
{
    size_t mask = 2 * table->long_mask + 1;
    struct long_entry *larger = new_entries(mask + 1, sizeof(*larger));
    for (size_t i = 0; i <= table->long_mask; i++) {
        if (!table->long_entry[i].cnt)
            continue;
        size_t place = table->long_entry[i].hash & mask;
        while (larger[place].cnt)
            place = (place + 1) & mask;
        larger[place] = table->long_entry[i];
    }
    free(table->long_entry);
    table->long_entry = larger;
    table->long_mask = mask;
}

static FLY_NOINLINE void count_long(struct table *table, const uint8_t *word, uint32_t bytes)
{
    uint32_t hash = hash_long(word, bytes);
    for (size_t place = hash & table->long_mask;; place = (place + 1) & table->long_mask) {
        struct long_entry *entry = &table->long_entry[place];
        if (!entry->cnt) {
            *entry = (struct long_entry){word, 1, bytes, hash};
            if (++table->long_used > table->long_mask / 2)
                grow_long(table);
            return;
        }
        if (entry->hash == hash && entry->bytes == bytes && memcmp(entry->word, word, bytes) == 0) {
            entry->cnt++;
            return;
        }
    }
}

/* No branch depends on the length of a word of up to 16 bytes: it would be mispredicted half of
 * the time. */
static FLY_ALWAYS_INLINE void count_word(struct table *table, const uint8_t *word, uint32_t bytes)
{
    static const FLY_ALIGNED(FLY_CACHE_LINE) uint8_t mask[32] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    if (FLY_UNLIKELY(bytes > 16)) {
        count_long(table, word, bytes);
        return;
    }
    uint64_t low = load8(word) & load8(mask + 16 - bytes);
    uint64_t high = load8(word + 8) & load8(mask + 24 - bytes);
    for (size_t place = hash_short(low, high) & table->mask;; place = (place + 1) & table->mask) {
        struct entry *entry = &table->entry[place];
        if (FLY_LIKELY(((entry->low ^ low) | (entry->high ^ high)) == 0)) {
            entry->cnt++;
            return;
        }
        if (!entry->cnt) {
            *entry = (struct entry){low, high, 1};
            if (++table->used > table->mask / 2)
                grow(table);
            return;
        }
    }
}

/* A bit for each of 64 bytes: set where it is whitespace. */
static FLY_ALWAYS_INLINE uint64_t spaces_of(const uint8_t *at)
{
#if defined(__AVX2__)
    const __m256i space = _mm256_set1_epi8(' ');
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(at + 32));
    low = _mm256_cmpeq_epi8(_mm256_max_epu8(low, space), space);
    high = _mm256_cmpeq_epi8(_mm256_max_epu8(high, space), space);
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
#else
    uint64_t spaces = 0;
    for (int i = 0; i < 64; i++)
        spaces |= (uint64_t)(at[i] <= ' ') << i;
    return spaces;
#endif
}

/* Where words start and end in [from, from + bytes), in turns; *before says whether the byte
 * before was whitespace (1) or not (0). Returns how many edges there are. */
static uint32_t find_edges(const uint8_t *from, size_t bytes, uint64_t *before, uint32_t *edge)
{
    uint32_t cnt = 0;
    for (size_t i = 0; i < bytes; i += 64) {
        uint64_t spaces = spaces_of(from + i);
        uint64_t changes = spaces ^ (spaces << 1 | *before);
        *before = spaces >> 63;
        /* Eight at a time, some of them for nothing, so that one branch is predicted and not
         * eight. */
        uint32_t left = (uint32_t)__builtin_popcountll(changes);
        for (uint32_t *at = edge + cnt; changes; at += 8)
            for (int j = 0; j < 8; j++, changes &= changes - 1)
                at[j] = (uint32_t)i + (uint32_t)__builtin_ctzll(changes | UINT64_C(1) << 63);
        cnt += left;
    }
    return cnt;
}

/* The text ends in at least a page of zeros, which are whitespace: the last word ends there. */
static uint64_t count_words(struct table *table, const struct text *text)
{
    static const size_t step = CHUNK_BYTES;
    uint32_t edge[CHUNK_BYTES + 64] = {0};
    uint64_t words = 0, before = 1;
    const uint8_t *open = NULL; /* start of a word that goes on from the last chunk */
    for (size_t done = 0; done <= text->bytes; done += step) {
        size_t left = text->bytes + 1 - done;
        const uint8_t *chunk = text->at + done;
        uint32_t cnt = find_edges(chunk, left < step ? left : step, &before, edge), i = 0;
        if (open && cnt) {
            count_word(table, open, (uint32_t)(chunk + edge[i++] - open));
            words++;
            open = NULL;
        }
        for (; i + 1 < cnt; i += 2, words++)
            count_word(table, chunk + edge[i], edge[i + 1] - edge[i]);
        if (i < cnt)
            open = chunk + edge[i];
    }
    return words;
}

/* Maps the file over zeros that reach a page further. */
static void map_text(const char *path, struct text *text)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    FLY_CHECK(fd >= 0 && fstat(fd, &status) == 0, "cannot read %s: %s", path, strerror(errno));
    text->bytes = (size_t)status.st_size;
    text->mapped_bytes = (text->bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
    text->at = mmap(NULL, text->mapped_bytes, PROT_READ,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FLY_CHECK(text->at != MAP_FAILED, "cannot map %s: %s", path, strerror(errno));
    void *file = text->bytes ? mmap(text->at, text->bytes, PROT_READ,
                                    MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, fd, 0)
                             : text->at;
    FLY_CHECK(file == text->at, "cannot map %s: %s", path, strerror(errno));
    close(fd);
}

static void write_count(FILE *file, const uint8_t *word, size_t bytes, uint64_t cnt)
{
    fputs("{\"key\":\"", file);
    for (size_t i = 0; i < bytes; i++) {
        if (word[i] == '"' || word[i] == '\\')
            fputc('\\', file);
        fputc(word[i], file);
    }
    fprintf(file, "\",\"count\":%" PRIu64 "}\n", cnt);
}

static void write_counts(const char *path, const struct table *table)
{
    FILE *file = fopen(path, "w");
    FLY_CHECK(file, "cannot write %s: %s", path, strerror(errno));
    for (size_t i = 0; i <= table->mask; i++) {
        const struct entry *entry = &table->entry[i];
        uint8_t word[16 + 1] = {0};
        memcpy(word, &entry->low, 8);
        memcpy(word + 8, &entry->high, 8);
        if (entry->cnt)
            write_count(file, word, strlen((const char *)word), entry->cnt);
    }
    for (size_t i = 0; i <= table->long_mask; i++) {
        const struct long_entry *entry = &table->long_entry[i];
        if (entry->cnt)
            write_count(file, entry->word, entry->bytes, entry->cnt);
    }
    int rc = fclose(file);
    FLY_CHECK(rc == 0, "cannot write %s: %s", path, strerror(errno));
}

static void run_round(const char *path, const char *opt_out)
{
    struct text text;
    uint64_t begin_ns = fly_clock_ns();
    map_text(path, &text);
    struct table table = {
        .entry = new_entries(TABLE_MIN, sizeof(struct entry)),
        .mask = TABLE_MIN - 1,
        .long_entry = new_entries(TABLE_MIN, sizeof(struct long_entry)),
        .long_mask = TABLE_MIN - 1,
    };
    uint64_t words = count_words(&table, &text);
    double seconds = (double)(fly_clock_ns() - begin_ns) / 1e9;
    printf("%" PRIu64 " %zu %.6f %.0f\n", words, table.used + table.long_used, seconds,
           (double)words / seconds);
    if (opt_out)
        write_counts(opt_out, &table);
    free(table.entry);
    free(table.long_entry);
    munmap(text.at, text.mapped_bytes);
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    unsigned long rounds = 1;
    for (int option; (option = getopt(argc, argv, "r:o:")) != -1;) {
        if (option == 'r')
            rounds = strtoul(optarg, NULL, 10);
        else if (option == 'o')
            out = optarg;
        else
            return 64;
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: wordcount [-r ROUNDS] [-o FILE] TEXT\n");
        return 64;
    }
    for (; rounds; rounds--)
        run_round(argv[optind], out);
    return 0;
}

#include "bench/text.h"

#include "base/err.h"
#include "base/mix.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    WORD_CNT = 1000,
    WORD_BYTES_MIN = 2,
    WORD_BYTES_MAX = 10,
    LINE_WORDS = 7,
    LINE_BYTES_MAX = LINE_WORDS * (WORD_BYTES_MAX + 1),
    PAGE_BYTES = 4096,
    SEED = 7,
};

struct words {
    char word[WORD_CNT][WORD_BYTES_MAX];
    uint8_t bytes[WORD_CNT];
};

/* Of random letters, alike ones perhaps among them. */
static void make_words(struct words *words, struct fly_rng *rng)
{
    for (int i = 0; i < WORD_CNT; i++) {
        words->bytes[i] =
            (uint8_t)(WORD_BYTES_MIN + fly_rng_below(rng, WORD_BYTES_MAX - WORD_BYTES_MIN + 1));
        for (int j = 0; j < words->bytes[i]; j++)
            words->word[i][j] = (char)('a' + fly_rng_below(rng, 26));
    }
}

/* Writes lines to [at, at + room) for as long as whole ones fit. Returns the bytes. */
static size_t write_lines(uint8_t *at, size_t room)
{
    struct words words;
    struct fly_rng rng;
    size_t used = 0;
    fly_rng_init(&rng, SEED);
    make_words(&words, &rng);
    while (room - used >= LINE_BYTES_MAX) {
        for (int i = 0; i < LINE_WORDS; i++) {
            uint64_t word = fly_rng_below(&rng, WORD_CNT);
            memcpy(at + used, words.word[word], words.bytes[word]);
            used += words.bytes[word];
            at[used++] = i + 1 < LINE_WORDS ? ' ' : '\n';
        }
    }
    return used;
}

/* Maps the file over zeros that reach a page further. */
static int map(struct fly_bench_text *text)
{
    size_t whole = (text->bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    text->mapped_bytes = whole + PAGE_BYTES;
    uint8_t *at = mmap(NULL, text->mapped_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return FLY_ERR(errno, "no memory for a text: %s", strerror(errno));
    if (mmap(at, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, text->fd, 0) ==
        MAP_FAILED) {
        munmap(at, text->mapped_bytes);
        return FLY_ERR(errno, "cannot map a text: %s", strerror(errno));
    }
    size_t used = write_lines(at, text->bytes);
    memset(at + used, 0, whole - used);
    text->at = at;
    text->bytes = used;
    return 0;
}

int fly_bench_text_open(struct fly_bench_text *text, size_t about_bytes)
{
    size_t bytes = about_bytes < PAGE_BYTES ? PAGE_BYTES : about_bytes;
    *text = (struct fly_bench_text){.fd = memfd_create("text", MFD_CLOEXEC), .bytes = bytes};
    if (text->fd < 0)
        return FLY_ERR(errno, "no memory for a text: %s", strerror(errno));
    int rc = ftruncate(text->fd, (off_t)bytes)
                 ? FLY_ERR(errno, "no memory for a text: %s", strerror(errno))
                 : map(text);
    if (rc == 0 && ftruncate(text->fd, (off_t)text->bytes)) {
        rc = FLY_ERR(errno, "cannot cut a text: %s", strerror(errno));
        munmap((void *)(uintptr_t)text->at, text->mapped_bytes);
    }
    if (rc)
        close(text->fd);
    return rc;
}

void fly_bench_text_close(struct fly_bench_text *text)
{
    munmap((void *)(uintptr_t)text->at, text->mapped_bytes);
    close(text->fd);
}

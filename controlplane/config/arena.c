#include "config/arena.h"

#include "base/check.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct block {
    struct block *next;
    size_t used_bytes;
    size_t max_bytes;
    alignas(max_align_t) char memory[];
};

struct fly_arena {
    struct block *block;
};

static struct block *add_block(struct fly_arena *arena, size_t bytes)
{
    size_t max_bytes = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct block *block = calloc(1, sizeof(*block) + max_bytes);
    FLY_CHECK(block, "no memory for %zu bytes of configuration", max_bytes);
    block->max_bytes = max_bytes;
    block->next = arena->block;
    arena->block = block;
    return block;
}

struct fly_arena *fly_arena_create(void)
{
    struct fly_arena *arena = calloc(1, sizeof(*arena));
    FLY_CHECK(arena, "no memory for a configuration");
    return arena;
}

void fly_arena_destroy(struct fly_arena *arena)
{
    if (!arena)
        return;
    for (struct block *block = arena->block; block;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

void *fly_arena_take(struct fly_arena *arena, size_t bytes)
{
    const size_t align = alignof(max_align_t);
    FLY_CHECK(bytes < SIZE_MAX / 2, "%zu bytes asked for", bytes);
    bytes = (bytes + align - 1) & ~(align - 1);
    struct block *block = arena->block;
    if (!block || block->max_bytes - block->used_bytes < bytes)
        block = add_block(arena, bytes);
    void *piece = block->memory + block->used_bytes;
    block->used_bytes += bytes;
    return piece;
}

void *fly_arena_array(struct fly_arena *arena, size_t cnt, size_t bytes)
{
    size_t total_bytes;
    FLY_CHECK(!__builtin_mul_overflow(cnt, bytes, &total_bytes), "%zu elements asked for", cnt);
    return fly_arena_take(arena, total_bytes);
}

void *fly_arena_grow(struct fly_arena *arena, const void *old, size_t old_cnt, size_t cnt,
                     size_t bytes)
{
    void *array = fly_arena_array(arena, old_cnt + cnt, bytes);
    if (old_cnt)
        memcpy(array, old, old_cnt * bytes);
    return array;
}

struct fly_string fly_arena_text(struct fly_arena *arena, const char *text, size_t bytes)
{
    FLY_CHECK(bytes < UINT32_MAX, "a text of %zu bytes", bytes);
    char *copy = fly_arena_take(arena, bytes + 1);
    if (bytes)
        memcpy(copy, text, bytes);
    return (struct fly_string){copy, (uint32_t)bytes};
}

char *fly_arena_print(struct fly_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    FLY_CHECK(fmt, "no format");
    va_start(args, fmt);
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    FLY_CHECK(bytes >= 0, "a text can't be formatted");
    char *text = fly_arena_take(arena, (size_t)bytes + 1);
    vsnprintf(text, (size_t)bytes + 1, fmt, again);
    va_end(again);
    return text;
}

/* arena.h - memory of a configuration: taken piece by piece, given back at once.
 *
 * Idea       Pieces are cut off blocks; nothing is freed but the whole.
 * Owner      One thread.
 * Memory     The heap. Running out of it ends the process: whoever can't hold a configuration of
 *            some kilobytes can't do anything else either, and no caller needs to handle it.
 * Cost       O(1) per piece.
 */
#ifndef FLY_CONFIG_ARENA_H
#define FLY_CONFIG_ARENA_H

#include <flyover/message.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct fly_arena;

struct fly_arena *fly_arena_create(void);
void fly_arena_destroy(struct fly_arena *arena); /* NULL is fine */

/* Zeroed, aligned for anything; never NULL, also for 0 bytes. */
void *fly_arena_take(struct fly_arena *arena, size_t bytes) __attribute__((malloc));

/* `cnt` elements of `bytes` each; an overflow ends the process. */
void *fly_arena_array(struct fly_arena *arena, size_t cnt, size_t bytes);

/* A copy with room for `cnt` more elements; the old array stays where it was. */
void *fly_arena_grow(struct fly_arena *arena, const void *old, size_t old_cnt, size_t cnt,
                     size_t bytes);

/* A copy that ends in a NUL. */
struct fly_string fly_arena_text(struct fly_arena *arena, const char *text, size_t bytes);

char *fly_arena_print(struct fly_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

/* held.h - a queue of held messages, first in, first out.
 *
 * Idea       A ring as long as the task's hold pool, so that it can never overflow.
 * Owner      One task.
 * Memory     fly_task_alloc() at setup.
 * Cost       O(1).
 * When full  Cannot be: process is called only with as many messages as there is room to hold.
 * See also   throttle.c, delay.c, inject_fault.c
 */
#ifndef FLY_STAGES_HELD_H
#define FLY_STAGES_HELD_H

#include <flyover/stage.h>

struct fly_held_entry {
    struct fly_held held;
    uint64_t since_ns;
};

struct fly_held_queue {
    struct fly_held_entry *entry;
    uint32_t max, first, cnt;
};

/* In setup. 0, or -1: no memory, or no hold pool. */
static inline int fly_held_init(struct fly_held_queue *queue, struct fly_task *task)
{
    queue->max = fly_hold_room(task, NULL);
    queue->entry = fly_task_alloc(task, queue->max * sizeof(*queue->entry));
    return queue->max > 0 && queue->entry ? 0 : -1;
}

static inline void fly_held_push(struct fly_held_queue *queue, struct fly_held held,
                                 uint64_t since_ns)
{
    queue->entry[(queue->first + queue->cnt++) % queue->max] =
        (struct fly_held_entry){held, since_ns};
}

/* The oldest; NULL: none. */
static inline const struct fly_held_entry *fly_held_first(const struct fly_held_queue *queue)
{
    return queue->cnt ? &queue->entry[queue->first] : NULL;
}

static inline void fly_held_pop(struct fly_held_queue *queue)
{
    queue->first = (queue->first + 1) % queue->max;
    queue->cnt--;
}

#endif

#include "ack/tracker.h"

void fly_tracker_init(struct fly_tracker *tracker, uint32_t worker, uint32_t incarnation,
                      uint32_t cnt)
{
    *tracker = (struct fly_tracker){.worker = worker, .incarnation = incarnation, .cnt = cnt};
    for (uint32_t i = 0; i < cnt; i++) {
        struct fly_root_entry *entry = &tracker->entry[i];
        struct fly_root root = fly_root_make(worker, i, incarnation, 1);
        *entry = (struct fly_root_entry){.next = FLY_SLOT_NONE};
        atomic_init(&entry->anchor.root, root.bits);
        entry->anchor.block = UINT32_MAX;
        atomic_init(&entry->state, FLY_ROOT_FREE);
        atomic_init(&entry->attempts, 1);
    }
}

void fly_tracker_range(struct fly_tracker *tracker, struct fly_root_range *range, uint32_t first,
                       uint32_t cnt, uint16_t task)
{
    *range = (struct fly_root_range){first, cnt, cnt ? first : FLY_SLOT_NONE, cnt};
    for (uint32_t i = first; i < first + cnt; i++) {
        tracker->entry[i].next = i + 1 < first + cnt ? i + 1 : FLY_SLOT_NONE;
        tracker->entry[i].anchor.holder = task;
    }
}

/* Copies what the entry holds; false: nothing unfinished. The name is read before and after, and
 * every change of root comes with a new name, so both looks were at the same root. */
static bool look(const struct fly_root_entry *entry, struct fly_open_root *out)
{
    for (;;) {
        /* Acquire, each: keeps the order of the looks. Partners: begin, rename and free in
         * tracker.h. */
        out->root = atomic_load_explicit(&entry->anchor.root, memory_order_acquire);
        uint8_t state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (state == FLY_ROOT_FREE)
            return false;
        out->id = atomic_load_explicit(&entry->id, memory_order_acquire);
        out->attempts = atomic_load_explicit(&entry->attempts, memory_order_acquire);
        out->flags = atomic_load_explicit(&entry->flags, memory_order_acquire);
        if (state == FLY_ROOT_OPEN || state == FLY_ROOT_LIVE)
            out->flags |= FLY_ROOT_UNDER_WAY;
        if (atomic_load_explicit(&entry->anchor.root, memory_order_relaxed) == out->root)
            return true;
    }
}

uint32_t fly_tracker_scan(const struct fly_tracker *tracker, uint32_t first, uint32_t cnt,
                          struct fly_open_root *out, uint32_t max)
{
    uint32_t found = 0;
    for (uint32_t i = first; i < first + cnt && found < max; i++)
        found += look(&tracker->entry[i], &out[found]);
    return found;
}

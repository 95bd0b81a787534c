#include "ack/wheel.h"

void fly_wheel_init(struct fly_wheel *wheel, struct fly_tracker *tracker, uint32_t clock_ms)
{
    wheel->tracker = tracker;
    wheel->passed = clock_ms >> FLY_WHEEL_SHIFT;
    wheel->armed_cnt = 0;
    for (uint32_t i = 0; i < FLY_WHEEL_BUCKETS; i++)
        wheel->bucket[i] = FLY_SLOT_NONE;
}

void fly_wheel_arm(struct fly_wheel *wheel, struct fly_root_entry *entry)
{
    /* The bucket after the deadline's: when it is passed, the deadline surely was. */
    uint32_t tick = (entry->clock_ms >> FLY_WHEEL_SHIFT) + 1;
    uint32_t max_tick = UINT32_MAX >> FLY_WHEEL_SHIFT;
    if (((tick - wheel->passed) & max_tick) == 0 ||
        ((tick - wheel->passed) & max_tick) > max_tick / 2)
        tick = wheel->passed + 1;
    uint32_t *bucket = &wheel->bucket[tick % FLY_WHEEL_BUCKETS];
    entry->next = *bucket;
    *bucket = (uint32_t)(entry - wheel->tracker->entry);
    wheel->armed_cnt++;
}

/* Moves the due entries of one bucket to the front of `due`. */
static uint32_t collect(struct fly_wheel *wheel, uint32_t *bucket, uint32_t clock_ms, uint32_t due)
{
    for (uint32_t *link = bucket; *link != FLY_SLOT_NONE;) {
        uint32_t slot = *link;
        struct fly_root_entry *entry = &wheel->tracker->entry[slot];
        if ((int32_t)(clock_ms - entry->clock_ms) < 0) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry->next = due;
        due = slot;
        wheel->armed_cnt--;
    }
    return due;
}

uint32_t fly_wheel_advance(struct fly_wheel *wheel, uint32_t clock_ms)
{
    uint32_t now = clock_ms >> FLY_WHEEL_SHIFT, due = FLY_SLOT_NONE;
    uint32_t steps = (now - wheel->passed) & (UINT32_MAX >> FLY_WHEEL_SHIFT);
    if (steps > FLY_WHEEL_BUCKETS)
        steps = FLY_WHEEL_BUCKETS;
    for (uint32_t i = 0; i < steps && wheel->armed_cnt; i++)
        due = collect(wheel, &wheel->bucket[(now - i) % FLY_WHEEL_BUCKETS], clock_ms, due);
    wheel->passed = now;
    return due;
}

/* wheel.h - retries that wait for their time, without a scan.
 *
 * Idea       Deadlines fall into 256 buckets of 8 ms; only the buckets that the clock passes are
 *            walked, and what is not due there yet (a later turn of the wheel) stays.
 * Owner      One worker thread.
 * Memory     Buckets here; entries are linked through the tracker's own array.
 * Cost       O(1) to arm; an advance touches the entries of the buckets it passes.
 * When full  Cannot fill.
 * Caveat     A deadline is late by up to one bucket, never early. The clock is the timeout clock
 *            in ms, which may wrap.
 * See also   tests/unit/dataplane/ack/test_wheel.c
 */
#ifndef FLY_ACK_WHEEL_H
#define FLY_ACK_WHEEL_H

#include "ack/tracker.h"

enum { FLY_WHEEL_BUCKETS = 256, FLY_WHEEL_SHIFT = 3 };

struct fly_wheel {
    struct fly_tracker *tracker;
    uint32_t bucket[FLY_WHEEL_BUCKETS]; /* first slot, or FLY_SLOT_NONE */
    uint32_t passed; /* clock >> FLY_WHEEL_SHIFT up to which buckets were walked */
    uint32_t armed_cnt;
};

void fly_wheel_init(struct fly_wheel *wheel, struct fly_tracker *tracker, uint32_t clock_ms);

/* Puts a waiting root in; its clock_ms is the deadline. */
void fly_wheel_arm(struct fly_wheel *wheel, struct fly_root_entry *entry);

/* Takes out what is due at `clock_ms`, linked through `next`, and returns the first slot. */
uint32_t fly_wheel_advance(struct fly_wheel *wheel, uint32_t clock_ms);

#endif

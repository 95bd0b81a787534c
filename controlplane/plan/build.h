/* build.h - from the checked pipeline to the binary plan that every process of a run reads.
 *
 * Idea       Everything is worked out here, before the start: which task runs on which core, which
 *            edge reaches which tasks, how many frames, roots and bytes each part gets.
 * Rules      One task of each stage on every worker, unless `tasks:`, `cores:` or the node's type
 *            say otherwise; nodes with fewer tasks go where the fewest are. Inputs of one `group`
 *            share an
 *            edge. Budgets never fall below what is free of deadlock.
 * Memory     The heap; the plan is one block, ready to be copied into a workspace.
 * See also   shm/plan.h (the result), place.h, edges.h, tests/unit/controlplane/plan/test_build.c
 */
#ifndef FLY_PLAN_BUILD_H
#define FLY_PLAN_BUILD_H

#include "config/cores.h"
#include "config/pipeline.h"
#include "shm/plan.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FLY_BUILD_IN_FLIGHT_SOURCE = 16384,
    FLY_BUILD_IN_FLIGHT_STAGE = 1024,
    FLY_BUILD_HOLD_MESSAGES = 4096,
    FLY_BUILD_HOLD_BYTES = 4 << 20,
    FLY_BUILD_STATE_BYTES = 64 << 20,
    FLY_BUILD_RETAIN_BYTES_SOURCE = 64 << 20,
    FLY_BUILD_RETAIN_BYTES_STAGE = 8 << 20,
    FLY_BUILD_FRAME_BYTES = 8192,
    FLY_BUILD_MESSAGE_BYTES = 1 << 20,
    FLY_BUILD_MESSAGE_BYTES_MAX = 1 << 30,
    FLY_BUILD_FRAMES_MIN = 32,          /* of an (edge, sender), so that the sender can run ahead */
    FLY_BUILD_DEAD_LETTER_EXTRA = 4096, /* what a dead letter's metadata adds to a message */
    FLY_BUILD_ATTEMPTS = 3,
    FLY_BUILD_NOTES_MAX = 32,
    FLY_BUILD_NOTE_BYTES = 200,
};

#define FLY_BUILD_ACK_TIMEOUT_NS UINT64_C(30000000000)
#define FLY_BUILD_BACKOFF_NS UINT64_C(100000000)
#define FLY_BUILD_BACKOFF_MAX_NS UINT64_C(10000000000)
#define FLY_BUILD_DRAIN_TIMEOUT_NS UINT64_C(30000000000)
#define FLY_BUILD_FLUSH_NS UINT64_C(1000000)   /* latency under load, while frames fill */
#define FLY_BUILD_IDLE_SPIN_NS UINT64_C(50000) /* about the cost of sleeping and waking, times 5 */

/* What the command line says beyond the pipeline file. */
struct fly_build_options {
    struct fly_cores cores; /* to run on; empty: all that this process may use */
    const char *instance;   /* NULL: the pipeline's name */
};

struct fly_built {
    struct fly_plan *plan;
    char note[FLY_BUILD_NOTES_MAX][FLY_BUILD_NOTE_BYTES]; /* what a reader may not expect */
    uint32_t note_cnt;
};

/* 0; -EINVAL (cores that are not there, budgets or counts out of range) or -ENOMEM with a trace. */
int fly_plan_build(const struct fly_pipeline *pipeline, const struct fly_build_options *options,
                   struct fly_built **out) __attribute__((warn_unused_result));

/* NULL is fine. */
void fly_built_destroy(struct fly_built *built);

#endif

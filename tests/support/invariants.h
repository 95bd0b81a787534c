/* invariants.h - what must hold of an engine whenever none of its workers is inside a turn.
 *
 * Idea       Every frame is looked for in every place where it may be, and must be found once;
 *            every count that the engine keeps is counted again. A broken invariant fails the
 *            running test.
 * Owner      The thread that calls the turns.
 * Cost       O(frames + roots + held messages).
 * See also   tests/support/pipeline.h
 */
#ifndef TEST_SUPPORT_INVARIANTS_H
#define TEST_SUPPORT_INVARIANTS_H

#include "support/pipeline.h"

/* At any moment between turns: frames, queues, the flags for direct calls, ledgers, trackers,
 * pools. */
void invariants_check(const struct pipe *pipe);

/* After the end: the same, and nothing is left anywhere. */
void invariants_ended(const struct pipe *pipe);

#endif

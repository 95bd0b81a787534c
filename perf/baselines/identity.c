/* identity.c - generate, identity, drop in one loop, without an engine: the baseline of a fused
 * chain.
 *
 *   baseline_identity [-r ROUNDS] [-n MESSAGES] */
#include "baseline.h"

#include "bench/loop.h"

int main(int argc, char **argv)
{
    uint64_t messages = 100000000;
    const struct baseline_option options[] = {
        {'n', BASELINE_COUNT, &messages, "messages (default 100000000)"},
        {0},
    };
    struct baseline baseline = {.name = "identity", .operands = "", .options = options};
    baseline_options(&baseline, argc, argv);
    for (uint64_t round = 0; round < baseline.round_cnt; round++) {
        struct baseline_timer start = baseline_start();
        struct fly_loop_result result = fly_loop_identity(messages);
        baseline_begin(result.item_cnt, baseline_stop(start), result.checksum);
        baseline_end();
    }
    return 0;
}

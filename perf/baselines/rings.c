/* rings.c - two threads, a ring each way: what the way to another core and back costs by itself,
 * with acks or without. The baseline of a chain whose edges cross cores.
 *
 *   baseline_rings [-r ROUNDS] [-n MESSAGES] [-a] [-c CORE,CORE] */
#include "baseline.h"

#include "base/err.h"
#include "bench/loop.h"
#include "cores.h"

int main(int argc, char **argv)
{
    struct fly_loop_rings rings = {.message_cnt = 30000000};
    const char *cores = NULL;
    const struct baseline_option options[] = {
        {'n', BASELINE_COUNT, &rings.message_cnt, "messages (default 30000000)"},
        {'a', BASELINE_FLAG, &rings.acks, "with an XOR tracker and acks"},
        {'c', BASELINE_TEXT, &cores, "the two cores, like 0,1 (default: the first two usable)"},
        {0},
    };
    struct baseline baseline = {.name = "rings", .operands = "", .options = options};
    baseline_options(&baseline, argc, argv);
    baseline_cores(&baseline, cores, rings.core);
    for (uint64_t round = 0; round < baseline.round_cnt; round++) {
        struct fly_loop_result result;
        struct baseline_timer start = baseline_start();
        int rc = fly_loop_rings(&rings, &result);
        FLY_CHECK(rc == 0, "%s", fly_err_text());
        struct baseline_timer took = baseline_stop(start);
        took.wall_ns = result.ns; /* without the start of a thread */
        baseline_begin(result.item_cnt, took, result.checksum);
        baseline_field("acks", rings.acks);
        baseline_end();
    }
    return 0;
}

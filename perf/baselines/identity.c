/* identity.c - generate, identity, drop in one loop, without an engine: the baseline of a fused
 * chain.
 *
 * A batch of 32 messages of 64 bytes is made, each by a copy of a template with its number in
 * front; each is copied once more; each is looked at and dropped. Between the three the compiler
 * must assume that anybody looks at the messages, else it would leave out what nobody asks for.
 *
 *   identity [-r ROUNDS] [-n MESSAGES]
 *
 * Prints for each round: messages, seconds, messages per second. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

enum { BATCH = 32, PAYLOAD_BYTES = 64 };

struct message {
    FLY_ALIGNED(FLY_CACHE_LINE) uint8_t payload[PAYLOAD_BYTES];
};

/* The batches between the three, and what is known of each message. */
struct batch {
    struct message message[BATCH];
    uint32_t bytes[BATCH];
};

static FLY_ALWAYS_INLINE void generate(struct batch *batch, const struct message *template,
                                       uint64_t first)
{
    for (uint64_t i = 0; i < BATCH; i++) {
        uint64_t number = first + i;
        batch->message[i] = *template;
        memcpy(batch->message[i].payload, &number, sizeof(number));
        batch->bytes[i] = PAYLOAD_BYTES;
    }
}

static FLY_ALWAYS_INLINE void pass_on(struct batch *to, const struct batch *from)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        to->message[i] = from->message[i];
        to->bytes[i] = from->bytes[i];
    }
}

static FLY_ALWAYS_INLINE uint64_t drop(const struct batch *batch)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < BATCH; i++)
        sum += batch->bytes[i] + batch->message[i].payload[0];
    return sum;
}

/* Memory may have been read and changed by others here. */
static FLY_ALWAYS_INLINE void hand_over(void)
{
    __asm__ __volatile__("" ::: "memory");
}

static uint64_t run(struct batch *made, struct batch *passed, uint64_t batch_cnt)
{
    struct message template;
    uint64_t sum = 0;
    memset(template.payload, 'x', PAYLOAD_BYTES);
    for (uint64_t i = 0; i < batch_cnt; i++) {
        generate(made, &template, i * BATCH);
        hand_over();
        pass_on(passed, made);
        hand_over();
        sum += drop(passed);
    }
    return sum;
}

/* What run() must have summed up: every length, and the low byte of every number. */
static uint64_t expected(uint64_t cnt)
{
    uint64_t whole = cnt / 256, rest = cnt % 256;
    return cnt * PAYLOAD_BYTES + whole * (255 * 256 / 2) + (rest ? rest * (rest - 1) / 2 : 0);
}

int main(int argc, char **argv)
{
    unsigned long long messages = 100000000;
    unsigned long rounds = 1;
    for (int option; (option = getopt(argc, argv, "r:n:")) != -1;) {
        if (option == 'r')
            rounds = strtoul(optarg, NULL, 10);
        else if (option == 'n')
            messages = strtoull(optarg, NULL, 10);
        else
            return 64;
    }
    struct batch *batch = aligned_alloc(FLY_CACHE_LINE, 2 * sizeof(struct batch));
    FLY_CHECK(batch, "no memory");
    uint64_t batch_cnt = (messages + BATCH - 1) / BATCH, cnt = batch_cnt * BATCH;
    for (; rounds; rounds--) {
        uint64_t begin_ns = fly_clock_ns();
        uint64_t sum = run(&batch[0], &batch[1], batch_cnt);
        double seconds = (double)(fly_clock_ns() - begin_ns) / 1e9;
        FLY_CHECK(sum == expected(cnt), "messages were lost or changed");
        printf("%" PRIu64 " %.6f %.0f\n", cnt, seconds, (double)cnt / seconds);
    }
    free(batch);
    return 0;
}

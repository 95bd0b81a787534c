/* A batch of 32 messages of 64 bytes is made, each by a copy of a template with its number in
 * front; each is copied once more; each is looked at and dropped. Between the three the compiler
 * must assume that anybody looks at the messages, else it would leave out what nobody asks for. */
#include "bench/loop.h"

#include "base/check.h"
#include "base/clock.h"

#include <string.h>

enum { BATCH = 32 };

struct message {
    FLY_ALIGNED(FLY_CACHE_LINE) uint8_t payload[FLY_LOOP_MESSAGE_BYTES];
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
        batch->bytes[i] = FLY_LOOP_MESSAGE_BYTES;
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

static FLY_ALWAYS_INLINE uint64_t run(struct batch *made, struct batch *passed, uint64_t batch_cnt)
{
    struct message template;
    uint64_t sum = 0;
    memset(template.payload, 'x', FLY_LOOP_MESSAGE_BYTES);
    for (uint64_t i = 0; i < batch_cnt; i++) {
        generate(made, &template, i * BATCH);
        hand_over();
        pass_on(passed, made);
        hand_over();
        sum += drop(passed);
    }
    return sum;
}

static uint64_t run_portable(struct batch *made, struct batch *passed, uint64_t batch_cnt)
{
    return run(made, passed, batch_cnt);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t run_avx2(struct batch *made, struct batch *passed,
                                                         uint64_t batch_cnt)
{
    return run(made, passed, batch_cnt);
}
#endif

/* What run() must have summed up: every length, and the low byte of every number. */
static uint64_t expected(uint64_t cnt)
{
    uint64_t whole = cnt / 256, rest = cnt % 256;
    return cnt * FLY_LOOP_MESSAGE_BYTES + whole * (255 * 256 / 2) +
           (rest ? rest * (rest - 1) / 2 : 0);
}

struct fly_loop_result fly_loop_identity(uint64_t message_cnt)
{
    struct batch made, passed;
    uint64_t batch_cnt = (message_cnt + BATCH - 1) / BATCH;
    uint64_t (*loop)(struct batch *, struct batch *, uint64_t) = run_portable;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        loop = run_avx2;
#endif
    uint64_t begin_ns = fly_clock_ns();
    uint64_t sum = loop(&made, &passed, batch_cnt);
    uint64_t ns = fly_clock_ns() - begin_ns;
    FLY_CHECK(sum == expected(batch_cnt * BATCH), "messages were lost or changed");
    return (struct fly_loop_result){batch_cnt * BATCH, ns, sum};
}

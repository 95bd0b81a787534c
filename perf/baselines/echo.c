/* echo.c - round trips through a ring to another core and a ring back, and nothing else: the floor
 * of every latency of two hops.
 *
 *   baseline_echo [-r ROUNDS] [-n MESSAGES] [-R RATE] [-c CORE,CORE]
 *
 * Without a rate each message waits for the one before. With one, message i is due at i / RATE
 * whatever became of those before it, and its time counts from then on: a stall is felt by all that
 * should have been sent meanwhile. Percentiles are at most 3.2 % too large. */
#include "baseline.h"

#include "bench/lane.h"
#include "cores.h"
#include "stats/histogram.h"

enum { SLOT_CNT = 4096, SLOT_MASK = SLOT_CNT - 1 };

struct message {
    FLY_ALIGNED(FLY_CACHE_LINE) uint64_t number;
    uint8_t payload[FLY_CACHE_LINE - sizeof(uint64_t)];
};

struct echo {
    struct fly_lane there, back;
    struct message there_slot[SLOT_CNT], back_slot[SLOT_CNT];
    FLY_ALIGNED(FLY_CACHE_LINE_PAIR) uint64_t message_cnt;
    double rate; /* 0: each waits for the one before */
    uint32_t core[2];
    _Atomic bool ready;
    struct fly_clock_rate clock;
    struct fly_histogram *histogram; /* ns */
};

static void *answer(void *arg)
{
    struct echo *echo = arg;
    struct fly_lane_side in = {0, 0}, out = {0, 0};
    baseline_pin(echo->core[1]);
    atomic_store(&echo->ready, true);
    for (uint64_t done = 0; done < echo->message_cnt;) {
        uint64_t ready = fly_lane_ready(&echo->there, &in);
        if (!ready)
            continue;
        uint64_t room = fly_lane_room(&echo->back, &out, SLOT_CNT, ready);
        uint64_t cnt = ready < room ? ready : room;
        for (uint64_t i = 0; i < cnt; i++)
            echo->back_slot[(out.own + i) & SLOT_MASK] = echo->there_slot[(in.own + i) & SLOT_MASK];
        fly_lane_release(&echo->there, &in, cnt);
        fly_lane_publish(&echo->back, &out, cnt);
        done += cnt;
    }
    return NULL;
}

static FLY_ALWAYS_INLINE void send(struct echo *echo, struct fly_lane_side *side, uint64_t number,
                                   uint64_t cnt)
{
    for (uint64_t i = 0; i < cnt; i++)
        echo->there_slot[(side->own + i) & SLOT_MASK].number = number + i;
    fly_lane_publish(&echo->there, side, cnt);
}

/* One message at a time. Returns the sum of the numbers that came back. */
static uint64_t ask_in_turn(struct echo *echo)
{
    struct fly_lane_side out = {0, 0}, in = {0, 0};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < echo->message_cnt; i++) {
        uint64_t begin = fly_ticks();
        fly_lane_room(&echo->there, &out, SLOT_CNT, 1);
        send(echo, &out, i, 1);
        while (!fly_lane_ready(&echo->back, &in))
            ;
        sum += echo->back_slot[in.own & SLOT_MASK].number;
        fly_lane_release(&echo->back, &in, 1);
        uint64_t ns = fly_ticks_to_ns(&echo->clock, fly_ticks() - begin);
        fly_histogram_record(echo->histogram, ns, 1);
    }
    return sum;
}

static uint64_t ask_on_time(struct echo *echo)
{
    struct fly_lane_side out = {0, 0}, in = {0, 0};
    uint64_t sum = 0, sent = 0, done = 0;
    double ticks_each = (double)echo->clock.ticks_hz / echo->rate;
    uint64_t begin = fly_ticks();
    while (done < echo->message_cnt) {
        uint64_t now = fly_ticks() - begin;
        uint64_t due = (uint64_t)((double)now / ticks_each) + 1;
        due = due < echo->message_cnt ? due : echo->message_cnt;
        uint64_t room = fly_lane_room(&echo->there, &out, SLOT_CNT, due - sent);
        uint64_t cnt = due - sent < room ? due - sent : room;
        if (cnt) {
            send(echo, &out, sent, cnt);
            sent += cnt;
        }
        cnt = fly_lane_ready(&echo->back, &in);
        if (!cnt)
            continue;
        now = fly_ticks() - begin;
        for (uint64_t i = 0; i < cnt; i++) {
            uint64_t number = echo->back_slot[(in.own + i) & SLOT_MASK].number;
            uint64_t late = now - (uint64_t)((double)number * ticks_each);
            fly_histogram_record(echo->histogram, fly_ticks_to_ns(&echo->clock, late), 1);
            sum += number;
        }
        fly_lane_release(&echo->back, &in, cnt);
        done += cnt;
    }
    return sum;
}

static void print(const struct echo *echo, struct baseline_timer took, uint64_t sum)
{
    static const struct {
        const char *name;
        double share;
    } percentiles[] = {{"p50_ns", 0.5},
                       {"p90_ns", 0.9},
                       {"p99_ns", 0.99},
                       {"p999_ns", 0.999},
                       {"p9999_ns", 0.9999}};
    baseline_begin(echo->message_cnt, took, sum);
    baseline_field("rate", echo->rate);
    baseline_field("mean_ns", fly_histogram_mean(echo->histogram));
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        baseline_field(percentiles[i].name,
                       (double)fly_histogram_percentile(echo->histogram, percentiles[i].share));
    baseline_field("max_ns", (double)fly_histogram_max(echo->histogram));
    baseline_end();
}

static void run_round(const struct echo *config)
{
    pthread_t other;
    struct echo *echo = baseline_memory(sizeof(*echo));
    echo->message_cnt = config->message_cnt;
    echo->rate = config->rate;
    memcpy(echo->core, config->core, sizeof(echo->core));
    echo->clock = fly_clock_calibrate();
    echo->histogram = fly_histogram_init(baseline_memory(fly_histogram_footprint()));
    int rc = pthread_create(&other, NULL, answer, echo);
    FLY_CHECK(rc == 0, "cannot start a thread: %s", strerror(rc));
    while (!atomic_load(&echo->ready))
        sched_yield();
    struct baseline_timer start = baseline_start();
    uint64_t sum = echo->rate > 0 ? ask_on_time(echo) : ask_in_turn(echo);
    struct baseline_timer took = baseline_stop(start);
    pthread_join(other, NULL);
    uint64_t cnt = echo->message_cnt;
    FLY_CHECK(sum == cnt * (cnt - 1) / 2 && fly_histogram_count(echo->histogram) == cnt,
              "messages were lost or changed");
    print(echo, took, sum);
    baseline_free(echo->histogram, fly_histogram_footprint());
    baseline_free(echo, sizeof(*echo));
}

int main(int argc, char **argv)
{
    static struct echo config = {.message_cnt = 1000000};
    const char *cores = NULL;
    const struct baseline_option options[] = {
        {'n', BASELINE_COUNT, &config.message_cnt, "messages (default 1000000)"},
        {'R', BASELINE_REAL, &config.rate, "messages per second (default: one at a time)"},
        {'c', BASELINE_TEXT, &cores, "the two cores, like 0,1 (default: the first two usable)"},
        {0},
    };
    struct baseline baseline = {.name = "echo", .operands = "", .options = options};
    baseline_options(&baseline, argc, argv);
    baseline_cores(&baseline, cores, config.core);
    baseline_pin(config.core[0]);
    for (uint64_t round = 0; round < baseline.round_cnt; round++)
        run_round(&config);
    return 0;
}

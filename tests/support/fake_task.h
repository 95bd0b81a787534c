/* fake_task.h - a task in memory: runs one node without a runtime and writes down all that it does.
 *
 * Idea       Implements struct fly_calls. What a node emits is kept by reference as long as the
 *            contract says that it stays, and copied only when its call returns, so a node that
 *            overwrites too early is found out. Messages given to process are overwritten
 *            afterwards. I/O happens when the test says so, in any order, and may be cut short or
 *            fail.
 * Owner      The test.
 * Memory     The heap; fake_task_destroy() frees it, also after a failed assertion it may leak.
 * Cost       Does not matter.
 * When full  Hold pool and I/O queue have limits that a test can set.
 * Caveat     Breaches of the contract (a handle used twice, a call between reserve and commit, a
 *            message that is neither held nor finished) fail the test at once.
 * See also   tests/unit/dataplane/stages, tests/unit/connectors
 */
#ifndef TEST_SUPPORT_FAKE_TASK_H
#define TEST_SUPPORT_FAKE_TASK_H

#include <flyover/source.h>
#include <flyover/stage.h>

enum fake_kind {
    FAKE_CHILD,
    FAKE_OWN,
    FAKE_DETACHED,
    FAKE_JOINED,
    FAKE_ROOT,
    FAKE_AGAIN,
    FAKE_DEAD
};

/* Something that the node emitted. */
struct fake_out {
    enum fake_kind kind;
    uint32_t port;
    uint64_t input;       /* CHILD: number of its parent, see fake_process() */
    uint64_t id, next;    /* ROOT, DEAD; AGAIN: the attempt's bits in id */
    uint32_t reason;      /* DEAD */
    uint64_t total_bytes; /* DEAD */
    uint32_t parent_cnt;  /* JOINED */
    struct fly_msg msg;   /* key may be NULL; metadata behind the payload as always */
    void *memory;         /* of msg; NULL: still by reference */
};

/* What became of a message that was given to process. */
struct fake_input {
    uint64_t root;
    uint32_t held_cnt; /* handles that are not used up */
    uint32_t reason;   /* if it failed */
    bool failed, acked;
    bool touched;       /* held, acked or failed by name */
    struct fly_msg msg; /* as it was given; a copy */
    void *memory;
};

struct fake_held {
    uint64_t input;
    uint64_t input_last; /* a token may stand for consecutive ones of a root */
    enum fly_hold_what what;
    bool used;
};

struct fake_io {
    struct fly_io io;
};

struct fake_task {
    struct fly_task task; /* first: what the node sees */
    void *self;
    struct fly_port port[16];
    struct fly_msg port_msg[16][4]; /* small, so that both ways of emitting are taken */
    const char *port_name[17];
    uint32_t port_cnt;

    /* Set by the test, before setup. */
    struct fly_place place;
    uint64_t now_ns, wall_ns, random;
    uint64_t state_bytes;
    uint32_t unconnected; /* ports, as bits */
    uint32_t max_message_bytes, hold_max, io_max, take_max;
    int32_t (*io_do)(struct fake_task *fake, const struct fly_io *io); /* NULL: the real thing */
    void *context;                                                     /* of the test */

    /* Read by the test. */
    struct fake_out *out;
    struct fake_input *input;
    struct fake_held *held;
    struct fake_io *io;
    uint64_t out_cnt, input_cnt, held_cnt, io_cnt;
    uint64_t owned_cnt; /* outputs below it are copies */
    uint64_t out_max, input_max, held_array_max;
    uint64_t held_now; /* handles in use */
    int io_errno;      /* of fly_io_trouble() */
    uint64_t errors, lost, tick_every_ns, wake_in_ns, done, total;
    int64_t watermark_ns; /* the last one that the node said, of so many */
    uint64_t watermark_cnt;
    bool idle; /* fly_watermark_idle() came after it */
    char refused_param[64], refused_why[256];

    /* Within a call. */
    uint64_t call_first; /* first input of the call */
    uint64_t taken_cnt;
    bool in_process;
    void *reserved;
    uint32_t reserved_bytes;
    void *state;
    void **allocated;
    uint32_t allocated_cnt;
};

/* A task for `node`, whose struct begins as a copy of `self` (self_bytes of it; NULL: zeroed). */
struct fake_task *fake_task_create(const struct fly_node *node, const void *self);
void fake_task_destroy(struct fake_task *fake);

/* Another output port than those of the node's table. Before setup. */
void fake_add_port(struct fake_task *fake, const char *name);

/* check and setup. 0, or what they returned: refused_param and refused_why say why. */
int fake_setup(struct fake_task *fake);

/* One call of process with so many messages, of roots of their own unless msg[i].reserved is not
 * 0: then it is the root's number. Keys and payloads are copied first. Returns the number of the
 * first message. */
uint64_t fake_process(struct fake_task *fake, const struct fly_msg *msg, uint32_t cnt);

/* The same for one payload, or one payload with a key; text is NUL-terminated. */
uint64_t fake_send(struct fake_task *fake, const char *payload);
uint64_t fake_send_keyed(struct fake_task *fake, const char *key, const char *payload);

void fake_tick(struct fake_task *fake);
void fake_watermark(struct fake_task *fake, int64_t time_ns);
void fake_finish(struct fake_task *fake);
enum fly_polled fake_poll(struct fake_task *fake, uint32_t budget);
void fake_replay(struct fake_task *fake, uint64_t id, uint64_t attempt);
int fake_restore(struct fake_task *fake, uint64_t position);

/* Does the i-th request that is waiting and tells the node. */
void fake_io_step(struct fake_task *fake, uint64_t i);
/* Does all of them, also those that come of it; `seed` 0: in order. */
void fake_io_run(struct fake_task *fake, uint64_t seed);
/* Polls and does I/O until the source is done. `budget` roots at most in each poll. */
void fake_drain_source(struct fake_task *fake, uint32_t budget, uint64_t seed);

/* Is the message done, by return or by name, and was it not failed? */
bool fake_is_done(const struct fake_task *fake, uint64_t input);

/* Forgets what was emitted. */
void fake_forget(struct fake_task *fake);

/* Asserts that output i has this port and text. */
void fake_expect(const struct fake_task *fake, uint64_t i, uint32_t port, const char *payload);

/* Index of a port by name; fails the test if there is none. */
uint32_t fake_port(const struct fake_task *fake, const char *name);

/* An input with this payload. */
static inline struct fly_msg fake_msg(const void *payload, size_t bytes)
{
    return (struct fly_msg){.payload = (const uint8_t *)payload, .payload_bytes = (uint32_t)bytes};
}

#endif

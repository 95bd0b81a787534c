/* test_routes.c - where messages go: groupings, direct calls and frames, large ones, the end of a
 * stream. */
#include "unit/dataplane/worker/nodes.h"

#define LOCAL(a, b, ...)                                                                           \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_LOCAL, __VA_ARGS__                           \
    }
#define EDGE(a, b, how, ...)                                                                       \
    {                                                                                              \
        .from = (a), .to = (b), .grouping = FLY_GROUP_##how, __VA_ARGS__                           \
    }

static struct world *new_world(uint32_t count)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->count = count;
    return world;
}

static const struct fly_edge_stats *edge_stats(const struct world *world, uint32_t edge,
                                               uint32_t sender)
{
    const struct fly_layout *layout = &world->pipe.layout;
    return fly_feed_stats(&world->pipe.workspace, layout, layout->edge_feed[edge] + sender);
}

static void test_a_local_chain_is_called_directly(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &stage}, {.type = &sink}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 1);
    struct world *world = new_world(1000);
    (void)state;
    start(world, &spec);
    pipe_run(&world->pipe, 10000);
    assert_int_equal(fly_counted(&edge_stats(world, 0, 0)->direct), 1000);
    assert_int_equal(fly_counted(&edge_stats(world, 1, 0)->direct), 1000);
    assert_int_equal(fly_counted(&edge_stats(world, 1, 0)->frames), 0);
    finish(world);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(world->got[i], 1);
    free(world);
}

static void test_a_key_has_one_receiver(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3);
    struct world *world = new_world(1000);
    uint8_t at[64] = {0}, all = 0;
    (void)state;
    world->key_cnt = 64;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(world->got[i], 1);
        if (at[i % 64])
            assert_int_equal(world->got_at[i], at[i % 64]);
        at[i % 64] = world->got_at[i];
        all |= world->got_at[i];
    }
    assert_int_equal(all, 7);
    free(world);
}

static void test_a_broadcast_reaches_every_task(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, BROADCAST, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3);
    struct world *world = new_world(100);
    (void)state;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(world->got[i], 3);
        assert_int_equal(world->got_at[i], 7);
    }
    free(world);
}

static void test_a_shuffle_reaches_one_of_all(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .workers = 1}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, SHUFFLE, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3);
    struct world *world = new_world(300);
    uint32_t at[8] = {0};
    (void)state;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(world->got[i], 1);
        at[world->got_at[i]]++;
    }
    assert_true(at[1] > 50 && at[2] > 50 && at[4] > 50);
    free(world);
}

static void test_global_is_the_first_receiver(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, GLOBAL, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3);
    struct world *world = new_world(300);
    (void)state;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(world->got_at[i], 1);
    free(world);
}

static void test_local_without_a_receiver_here_is_shuffled(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .workers = 1},
                                            {.type = &sink, .workers = 6}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3);
    struct world *world = new_world(200);
    uint32_t at[8] = {0};
    (void)state;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 200; i++)
        at[world->got_at[i]]++;
    assert_int_equal(at[2] + at[4], 200);
    assert_true(at[2] > 30 && at[4] > 30);
    free(world);
}

static void test_two_stages_on_one_stream_get_a_copy_each(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &sink}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0), LOCAL(0, 2, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(200);
    (void)state;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(world->got[i], 2);
    free(world);
}

/* --- Large messages -------------------------------------------------------------------------- */

static void run_large(enum fly_grouping grouping, uint32_t workers, uint32_t bytes, bool apart)
{
    const struct pipe_node node[] = {
        {.type = &numbers, .workers = 1}, {.type = &stage}, {.type = &sink, .workers = workers}};
    const struct pipe_edge edge[] = {
        {.from = 0, .to = 1, .grouping = grouping, .max_message_bytes = 4096},
        {.from = 1, .to = 2, .grouping = grouping, .max_message_bytes = 4096}};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(60);
    world->bytes = bytes;
    world->key_apart = apart;
    run_all(world, &spec);
    for (uint32_t i = 0; i < 60; i++)
        assert_true(world->got[i] >= 1);
    assert_int_equal(world->acked_cnt, 60);
    free(world);
}

static void test_large_messages_arrive_whole(void **state)
{
    static const uint32_t bytes[] = {400, 460, 470, 480, 490, 500, 513, 1000, 1024, 2048, 4091};
    (void)state;
    for (uint32_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        for (uint32_t apart = 0; apart < 2; apart++) {
            run_large(FLY_GROUP_LOCAL, 1, bytes[i], apart);
            run_large(FLY_GROUP_KEY, 2, bytes[i], apart);
            run_large(FLY_GROUP_BROADCAST, 0, bytes[i], apart);
        }
}

/* From a source that replays, from one whose copies are kept, and far over every limit. */
static void run_too_large(const struct fly_node *type, uint64_t retain_bytes, uint32_t bytes)
{
    const struct pipe_node node[] = {
        {.type = type, .dead_letters = 3, .retain_bytes = retain_bytes},
        {.type = &sink},
        {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .max_message_bytes = 1000)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(5);
    char length[32];
    (void)snprintf(length, sizeof(length), ";bytes=%u;", bytes);
    world->bytes = bytes;
    run_all(world, &spec);
    assert_int_equal(world->failed_cnt, 5);
    assert_int_equal(world->dead_cnt, 5);
    assert_int_equal(world->last_reason, FLY_REASON_TOO_LARGE);
    assert_non_null(strstr(world->dead_meta, "reason=too_large;"));
    if (bytes <= 3000) {
        assert_int_equal(world->dead_bytes, bytes);
        assert_null(strstr(world->dead_meta, ";bytes="));
    } else {
        assert_in_range(world->dead_bytes, 1000, 4096);
        assert_non_null(strstr(world->dead_meta, length));
    }
    free(world);
}

static void test_too_large_a_message_is_a_dead_letter(void **state)
{
    static const uint32_t bytes[] = {1000, 1200, 3000, 5000, PAYLOAD_MAX, 200000};
    (void)state;
    for (uint32_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        run_too_large(&numbers, 0, bytes[i]);
        run_too_large(&numbers_kept, 1 << 20, bytes[i]);
    }
}

/* --- The end --------------------------------------------------------------------------------- */

static void emit_three(struct fly_task *task, struct world *world)
{
    struct number number;
    for (uint32_t i = 0; i < 3; i++)
        fly_emit(task, 0, NULL, content_of(world, &number, 1000 + i));
    for (uint32_t i = 0; i < world->count; i++)
        assert_int_equal(world->got[i], 1); /* all that came before is done */
}

static void test_finish_comes_last_and_its_output_arrives(void **state)
{
    static const struct pipe_node node[] = {
        {.type = &numbers}, {.type = &holder, .retain_bytes = 4096}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0), EDGE(1, 2, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(300);
    (void)state;
    world->on_finish = emit_three;
    run_all(world, &spec);
    assert_int_equal(world->finish_cnt, 2);
    for (uint32_t i = 1000; i < 1003; i++)
        assert_int_equal(world->got[i], 2);
    free(world);
}

static void test_an_empty_source_ends_all(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &holder}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0), EDGE(1, 2, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 3);
    struct world *world = new_world(0);
    (void)state;
    run_all(world, &spec);
    assert_int_equal(world->got_cnt, 0);
    assert_int_equal(world->finish_cnt, 3);
    free(world);
}

static void test_drain_stops_sources_and_finishes_trees(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &stage}, {.type = &sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0), EDGE(1, 2, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(ROOTS_MAX);
    (void)state;
    world->per_poll = 1;
    start(world, &spec);
    pipe_rounds(&world->pipe, 50);
    atomic_store(&world->pipe.workspace.header->command, FLY_COMMAND_DRAIN);
    pipe_run(&world->pipe, 10000);
    assert_true(world->emitted > 0 && world->emitted < ROOTS_MAX);
    world->count = world->emitted;
    finish(world);
    free(world);
}

static void test_stop_stops_at_once(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers}, {.type = &holding_sink}};
    static const struct pipe_edge edge[] = {EDGE(0, 1, KEY, .port = 0)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(ROOTS_MAX);
    (void)state;
    start(world, &spec);
    pipe_rounds(&world->pipe, 50);
    atomic_store(&world->pipe.workspace.header->command, FLY_COMMAND_STOP);
    pipe_rounds(&world->pipe, 100);
    assert_true(pipe_ended(&world->pipe));
    invariants_check(&world->pipe);
    pipe_close(&world->pipe);
    free(world);
}

static void test_a_full_edge_suspends_its_sender_only(void **state)
{
    static const struct pipe_node node[] = {{.type = &numbers, .workers = 1, .max_in_flight = 256},
                                            {.type = &stage, .workers = 1},
                                            {.type = &sink, .workers = 2}};
    static const struct pipe_edge edge[] = {LOCAL(0, 1, .port = 0), LOCAL(1, 2, .frames = 1)};
    const struct pipe_spec spec = SPEC(node, edge, .worker_cnt = 2);
    struct world *world = new_world(1000);
    (void)state;
    start(world, &spec);
    for (uint32_t i = 0; i < 20; i++)
        pipe_turn(&world->pipe, 0);
    assert_int_equal(world->pipe.worker[0]->suspended_cnt, 1);
    assert_true(fly_counted(&edge_stats(world, 1, 0)->blocked) > 0);
    invariants_check(&world->pipe);
    finish(world);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_local_chain_is_called_directly),
        cmocka_unit_test(test_a_key_has_one_receiver),
        cmocka_unit_test(test_a_broadcast_reaches_every_task),
        cmocka_unit_test(test_a_shuffle_reaches_one_of_all),
        cmocka_unit_test(test_global_is_the_first_receiver),
        cmocka_unit_test(test_local_without_a_receiver_here_is_shuffled),
        cmocka_unit_test(test_two_stages_on_one_stream_get_a_copy_each),
        cmocka_unit_test(test_large_messages_arrive_whole),
        cmocka_unit_test(test_too_large_a_message_is_a_dead_letter),
        cmocka_unit_test(test_finish_comes_last_and_its_output_arrives),
        cmocka_unit_test(test_an_empty_source_ends_all),
        cmocka_unit_test(test_drain_stops_sources_and_finishes_trees),
        cmocka_unit_test(test_stop_stops_at_once),
        cmocka_unit_test(test_a_full_edge_suspends_its_sender_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* stages.h - the built-in nodes that need nothing outside the process.
 *
 * Idea       One file per node, its descriptor at the end of it; connectors/builtin.c puts them in
 *            a table.
 * Owner      Constants; the runtime keeps one struct of the node's own per task.
 * Memory     What the runtime hands out: the node's struct, state memory, memory asked for in
 *            setup.
 * Cost       Nothing is allocated after setup.
 * When full  Each node's help says what it does.
 * See also   include/flyover/plugin.h, tests/unit/dataplane/stages
 */
#ifndef FLY_STAGES_STAGES_H
#define FLY_STAGES_STAGES_H

#include <flyover/plugin.h>

extern const struct fly_node fly_generate_node;

extern const struct fly_node fly_identity_node;
extern const struct fly_node fly_split_node;
extern const struct fly_node fly_filter_node;
extern const struct fly_node fly_route_node;
extern const struct fly_node fly_count_node;
extern const struct fly_node fly_parse_json_node;
extern const struct fly_node fly_select_node;
extern const struct fly_node fly_lookup_node;
extern const struct fly_node fly_map_node;
extern const struct fly_node fly_batch_node;
extern const struct fly_node fly_throttle_node;
extern const struct fly_node fly_delay_node;
extern const struct fly_node fly_timestamps_node;
extern const struct fly_node fly_window_node;
extern const struct fly_node fly_inject_fault_node;

extern const struct fly_node fly_drop_node;

#endif

#include "route/route.h"

void fly_route_by_key(struct fly_msg *msg, uint32_t cnt, const uint16_t *slots, uint16_t *target)
{
    for (uint32_t i = 0; i < cnt; i++) {
        msg[i].key_hash = fly_route_hash(&msg[i]);
        target[i] = slots[fly_route_slot(msg[i].key_hash)];
    }
}

void fly_route_random(struct fly_rng *rng, uint32_t cnt, uint32_t target_cnt, uint16_t *target)
{
    for (uint32_t i = 0; i < cnt; i++)
        target[i] = (uint16_t)fly_rng_below(rng, target_cnt);
}

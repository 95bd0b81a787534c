#include "stages/members.h"

#include <string.h>

uint64_t fly_members_bytes(uint32_t object_bytes, const struct fly_member *member, uint32_t cnt)
{
    uint64_t bytes = object_bytes;
    for (uint32_t i = 0; i < cnt; i++)
        bytes += (uint64_t)member[i].head.bytes + member[i].value.bytes + 1;
    return bytes;
}

static const uint8_t *place_of(const struct fly_member *member)
{
    return member->old->kind == FLY_JSON_NONE ? NULL : member->old->at;
}

/* By their places in the object, those that are new first. */
static void sort_by_place(struct fly_member *member, uint32_t cnt)
{
    for (uint32_t i = 1; i < cnt; i++) {
        struct fly_member moved = member[i];
        uint32_t k = i;
        for (; k > 0 && place_of(&member[k - 1]) > place_of(&moved); k--)
            member[k] = member[k - 1];
        member[k] = moved;
    }
}

static uint8_t *put(uint8_t *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

static uint8_t *put_member(uint8_t *to, const struct fly_member *member)
{
    to = put(to, member->head.text, member->head.bytes);
    return put(to, member->value.text, member->value.bytes);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

uint32_t fly_members_write(const uint8_t *object, uint32_t bytes, struct fly_member *member,
                           uint32_t cnt, uint8_t *to)
{
    const uint8_t *begin = to, *at = object, *close = object + bytes - 1, *last;
    uint32_t i = 0, new_cnt = 0;
    sort_by_place(member, cnt);
    while (new_cnt < cnt && !place_of(&member[new_cnt]))
        new_cnt++;
    for (i = new_cnt; i < cnt; i++) {
        const struct fly_json_value *old = member[i].old;
        uint32_t quote = old->kind == FLY_JSON_STRING;
        to = put(to, at, (size_t)(old->at - quote - at));
        to = put(to, member[i].value.text, member[i].value.bytes);
        at = old->at + old->bytes + quote;
    }
    while (*close != '}')
        close--;
    for (last = close - 1; is_space(*last);)
        last--;
    to = put(to, at, (size_t)(last + 1 - at));
    for (i = 0; i < new_cnt; i++) {
        if (i || *last != '{')
            *to++ = ',';
        to = put_member(to, &member[i]);
    }
    *to++ = '}';
    return (uint32_t)(to - begin);
}

#include "connectors/common/framing.h"

#include <flyover/plugin.h>
#include <string.h>

static uint32_t head_of(uint64_t bytes)
{
    return bytes < FLY_FRAMING_HEAD_BYTES ? (uint32_t)bytes : FLY_FRAMING_HEAD_BYTES;
}

static enum fly_framed more(struct fly_record *record, uint64_t consumed_bytes)
{
    record->consumed_bytes = consumed_bytes;
    return FLY_FRAMED_MORE;
}

/* A record that lies in the piece, `bytes` from `at`, of which `span_bytes` are consumed. */
static enum fly_framed found(const struct fly_framing *framing, struct fly_record *record,
                             const uint8_t *at, uint64_t bytes, uint64_t span_bytes)
{
    record->at = at;
    record->total_bytes = bytes;
    record->span_bytes = span_bytes;
    record->consumed_bytes = span_bytes;
    if (bytes <= framing->max_bytes) {
        record->bytes = (uint32_t)bytes;
        return FLY_FRAMED_RECORD;
    }
    record->bytes = head_of(bytes);
    record->reason = FLY_REASON_TOO_LARGE;
    return FLY_FRAMED_DEAD;
}

/* The end of the record that was skipped, after `consumed_bytes` of the piece. */
static enum fly_framed end_skip(struct fly_framing *framing, struct fly_record *record,
                                uint64_t total_bytes, uint64_t span_bytes, uint64_t consumed_bytes)
{
    framing->skipping = false;
    *record = (struct fly_record){
        .at = framing->head,
        .bytes = framing->head_bytes,
        .reason = FLY_REASON_TOO_LARGE,
        .total_bytes = total_bytes,
        .span_bytes = span_bytes,
        .consumed_bytes = consumed_bytes,
    };
    return FLY_FRAMED_DEAD;
}

static void begin_skip(struct fly_framing *framing, const uint8_t *at, uint64_t bytes)
{
    framing->skipping = true;
    framing->skipped_bytes = 0;
    framing->head_bytes = head_of(bytes);
    memcpy(framing->head, at, framing->head_bytes);
}

static enum fly_framed skip_line(struct fly_framing *framing, const uint8_t *at, const uint8_t *end,
                                 bool last, struct fly_record *record)
{
    uint64_t left = (uint64_t)(end - at);
    const uint8_t *newline = left ? memchr(at, '\n', left) : NULL;
    uint64_t rest = newline ? (uint64_t)(newline - at) : left;
    uint64_t total = framing->skipped_bytes + rest, extra = newline ? 1 : 0;
    if (newline || last)
        return end_skip(framing, record, total, total + extra, rest + extra);
    framing->skipped_bytes += left;
    return more(record, left);
}

static enum fly_framed next_line(struct fly_framing *framing, const uint8_t *at, const uint8_t *end,
                                 bool last, struct fly_record *record)
{
    uint64_t left = (uint64_t)(end - at);
    const uint8_t *newline = memchr(at, '\n', left);
    if (newline)
        return found(framing, record, at, (uint64_t)(newline - at), (uint64_t)(newline - at) + 1);
    if (last)
        return found(framing, record, at, left, left);
    if (left <= framing->max_bytes)
        return more(record, 0);
    begin_skip(framing, at, left);
    return skip_line(framing, at, end, last, record);
}

static enum fly_framed skip_known(struct fly_framing *framing, const uint8_t *at,
                                  const uint8_t *end, bool last, struct fly_record *record)
{
    uint64_t left = (uint64_t)(end - at);
    uint64_t take = left < framing->skip_bytes ? left : framing->skip_bytes;
    framing->skip_bytes -= take;
    framing->skipped_bytes += take;
    if (framing->skip_bytes == 0 || last)
        return end_skip(framing, record, framing->total_bytes, framing->skipped_bytes, take);
    return more(record, take);
}

/* The end came within a record. */
static enum fly_framed cut_off(struct fly_record *record, const uint8_t *at, uint64_t bytes,
                               uint64_t span_bytes)
{
    *record = (struct fly_record){
        .at = at,
        .bytes = head_of(bytes),
        .reason = FLY_REASON_BAD_INPUT,
        .total_bytes = bytes,
        .span_bytes = span_bytes,
        .consumed_bytes = span_bytes,
    };
    return FLY_FRAMED_DEAD;
}

static uint32_t big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Framings that say a record's length before it begins. */
static enum fly_framed next_known(struct fly_framing *framing, const uint8_t *at,
                                  const uint8_t *end, bool last, struct fly_record *record)
{
    uint64_t left = (uint64_t)(end - at);
    uint64_t prefix = framing->kind == FLY_FRAMING_LENGTH_PREFIXED ? FLY_FRAMING_PREFIX_BYTES : 0;
    if (left < prefix)
        return last ? cut_off(record, at, left, left) : more(record, 0);
    uint64_t bytes = prefix ? big_endian(at) : framing->record_bytes;
    if (left - prefix >= bytes)
        return found(framing, record, at + prefix, bytes, prefix + bytes);
    if (bytes > framing->max_bytes && (last || left - prefix >= FLY_FRAMING_HEAD_BYTES)) {
        begin_skip(framing, at + prefix, left - prefix);
        framing->total_bytes = bytes;
        framing->skip_bytes = prefix + bytes;
        return skip_known(framing, at, end, last, record);
    }
    return last ? cut_off(record, at + prefix, left - prefix, left) : more(record, 0);
}

enum fly_framed fly_framing_next(struct fly_framing *framing, const uint8_t *at, const uint8_t *end,
                                 bool last, struct fly_record *record)
{
    bool lines = framing->kind == FLY_FRAMING_NEWLINE;
    if (framing->skipping)
        return lines ? skip_line(framing, at, end, last, record)
                     : skip_known(framing, at, end, last, record);
    if (at == end)
        return more(record, 0);
    return lines ? next_line(framing, at, end, last, record)
                 : next_known(framing, at, end, last, record);
}

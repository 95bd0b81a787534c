/* test_params.c - each type of parameter becomes its msgpack form, in the order of the table. */
#include "plan/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct fly_param row_params[] = {
    {.name = "n", .type = FLY_PARAM_UINT}, {.name = "on", .type = FLY_PARAM_BOOL}, {.name = NULL}};

static const struct fly_param params[] = {
    {.name = "a", .type = FLY_PARAM_BOOL},
    {.name = "b", .type = FLY_PARAM_INT},
    {.name = "c", .type = FLY_PARAM_UINT},
    {.name = "d", .type = FLY_PARAM_FLOAT},
    {.name = "e", .type = FLY_PARAM_STRING},
    {.name = "f", .type = FLY_PARAM_PATH},
    {.name = "g", .type = FLY_PARAM_ENUM},
    {.name = "h", .type = FLY_PARAM_DURATION},
    {.name = "i", .type = FLY_PARAM_SIZE},
    {.name = "j", .type = FLY_PARAM_LIST},
    {.name = "k", .type = FLY_PARAM_PATHS},
    {.name = "l", .type = FLY_PARAM_TABLE, .row = row_params},
};
enum { PARAM_CNT = sizeof(params) / sizeof(params[0]) };

static void test_every_type(void **state)
{
    (void)state;
    struct fly_string items[] = {{"x", 1}, {"y\0z", 3}};
    struct fly_config_value cells[] = {{.param = &row_params[0], .count = 7},
                                       {.param = &row_params[1], .flag = true}};
    struct fly_config_row row = {.name = {"r", 1}, .value = cells};
    struct fly_config_value values[PARAM_CNT];
    memset(values, 0, sizeof(values));
    for (uint32_t i = 0; i < PARAM_CNT; i++)
        values[i].param = &params[i];
    values[0].flag = true;
    values[1].number = -5;
    values[2].count = UINT64_MAX;
    values[3].real = 1.5;
    values[4].string = (struct fly_string){"hi", 2};
    values[6].choice = 2;
    values[7].count = 300;
    values[8].count = 70000;
    values[9].list = (struct fly_config_list){items, 2};
    values[11].table = (struct fly_config_table){&row, 1};
    static const uint8_t expected[] = {
        0x9c,                                                 /* array of 12 */
        0xc3,                                                 /* true */
        0xfb,                                                 /* -5 */
        0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* uint64 */
        0xcb, 0x3f, 0xf8, 0,    0,    0,    0,    0,    0,    /* 1.5 */
        0xa2, 'h',  'i',                                      /* "hi" */
        0xa0,                                                 /* "" */
        0x02,                                                 /* choice 2 */
        0xcd, 0x01, 0x2c,                                     /* 300 */
        0xce, 0x00, 0x01, 0x11, 0x70,                         /* 70000 */
        0x92, 0xa1, 'x',  0xa3, 'y',  0,    'z',              /* ["x", "y\0z"] */
        0x90,                                                 /* [] */
        0x91, 0x92, 0xa1, 'r',  0x92, 0x07, 0xc3,             /* [["r", [7, true]]] */
    };
    struct fly_params out;
    assert_int_equal(fly_params_encode(&out, values, PARAM_CNT), 0);
    assert_int_equal(out.bytes_cnt, sizeof(expected));
    assert_memory_equal(out.bytes, expected, sizeof(expected));
    free(out.bytes);
}

static void test_no_parameters_are_an_empty_array(void **state)
{
    (void)state;
    struct fly_params out;
    assert_int_equal(fly_params_encode(&out, NULL, 0), 0);
    assert_int_equal(out.bytes_cnt, 1);
    assert_int_equal(*(const uint8_t *)out.bytes, 0x90);
    free(out.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_no_parameters_are_an_empty_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

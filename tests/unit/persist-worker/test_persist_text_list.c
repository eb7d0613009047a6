/* text_list: texts one after another, dropped and turned round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "persist-worker/text_list.h"

static void test_list(void **state) {
    (void)state;
    text_list_t list = {0};
    for (uint64_t i = 0; i < 40; i++) {
        strbuf_printf(&list.bytes, "text %d", (int)i);
        text_list_end(&list, i);
    }
    text_list_add(&list, STR(""), 40);
    text_list_drop_last(&list);
    text_list_drop_last(&list);
    text_list_add(&list, STR("last"), 99);
    proto_texts_t texts = text_list_texts(&list);
    assert_int_equal(texts.n, 40);
    assert_true(str_eq(texts.items[0], STR("text 0")));
    assert_true(str_eq(texts.items[38], STR("text 38")));
    assert_true(str_eq(texts.items[39], STR("last")));
    assert_int_equal(text_list_numbers(&list).items[39], 99);
    text_list_reverse(&list);
    texts = text_list_texts(&list);
    assert_true(str_eq(texts.items[0], STR("last")));
    assert_true(str_eq(texts.items[39], STR("text 0")));
    assert_int_equal(text_list_numbers(&list).items[0], 99);
    text_list_clear(&list);
    assert_int_equal(text_list_texts(&list).n, 0);
    text_list_reverse(&list);
    text_list_fini(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

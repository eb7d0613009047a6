/* base64: what the polling transport carries binary messages in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/socketio/base64.h"

static const struct {
    const char *plain, *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};

static void test_known_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        strbuf_t text = {0}, plain = {0};
        base64_append(&text, str_from(vectors[i].plain));
        assert_string_equal(strbuf_cstr(&text), vectors[i].text);
        assert_int_equal(base64_decode(strbuf_str(&text), &plain), OK);
        assert_string_equal(strbuf_cstr(&plain), vectors[i].plain);
        strbuf_fini(&text);
        strbuf_fini(&plain);
    }
}

static void test_all_bytes(void **state) {
    (void)state;
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    for (size_t n = 250; n <= 256; n++) {
        strbuf_t text = {0}, plain = {0};
        base64_append(&text, (str_t){bytes, n});
        assert_int_equal(base64_decode(strbuf_str(&text), &plain), OK);
        assert_true(str_eq(strbuf_str(&plain), (str_t){bytes, n}));
        strbuf_fini(&text);
        strbuf_fini(&plain);
    }
}

static void test_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",  "Z===",   "====", "Zg==Zg==", "Zm9",  "Zm-v",
        "Zm_v", "Zh==", "Zm9=", "Zm9v\n", " Zg=", "Zg= ",     "Z=g=", "=Zg="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        strbuf_t plain = {0};
        assert_int_equal(base64_decode(str_from(bad[i]), &plain), ERR_INVALID);
        assert_int_equal(plain.n, 0);
        strbuf_fini(&plain);
    }
}

static void test_url_safe(void **state) {
    (void)state;
    strbuf_t text = {0};
    base64url_append(&text, (str_t){"\xfb\xff\xfe\x01", 4});
    assert_string_equal(strbuf_cstr(&text), "-__-AQ");
    strbuf_fini(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_vectors),
        cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_url_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

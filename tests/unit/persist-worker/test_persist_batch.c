/* batch: what is written together, in which order, and what becomes of it when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "job_maker.h"
#include "persist-worker/batch.h"

static batches_t *batches;

static int set_up(void **state) {
    (void)state;
    batch_limits_t limits = {.rows = 8, .bytes = 100000, .queue_jobs = 20, .queue_bytes = 200000};
    batches = batches_new(&limits);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    batches_free(&batches);
    return 0;
}

static job_t *add(uint16_t type, const char *room, uint64_t digest) {
    job_t *job = make_job(type, room, digest, 10);
    assert_int_equal(batches_add(batches, job), OK);
    return job;
}

static job_t *add_send(const char *room, uint64_t digest) {
    return add(MSG_SEND, room, digest);
}

/* Asserts that the next batch is exactly these jobs. */
static batch_t expect(job_t *const *jobs, size_t n) {
    batch_t batch = batches_next(batches, 0);
    assert_int_equal(batch.n, n);
    for (size_t i = 0; i < n; i++)
        assert_ptr_equal(batch.jobs[i], jobs[i]);
    return batch;
}

static void finish(batch_t batch) {
    for (size_t i = 0; i < batch.n; i++) {
        job_t *job = batch.jobs[i];
        batches_done(batches, job);
        job_free(&job);
    }
}

static void test_everything_that_waits(void **state) {
    (void)state;
    job_t *a1 = add_send("a", 1), *b1 = add_send("b", 1), *a2 = add_send("a", 2);
    batch_t batch = expect((job_t *[]){a1, a2, b1}, 3);
    assert_true(batches_is_out(batches));
    job_t *later = add_send("a", 3);
    assert_int_equal(batches_next(batches, 0).n, 0); /* one at a time */
    finish(batch);
    assert_false(batches_is_out(batches));
    finish(expect(&later, 1));
    assert_int_equal(batches_count(batches), 0);
    assert_int_equal(batches_bytes(batches), 0);
}

static void test_marks_follow_messages(void **state) {
    (void)state;
    job_t *s1 = add_send("a", 1), *m1 = add(MSG_MARK_READ, "a", 2), *s2 = add_send("a", 3);
    job_t *other = add(MSG_MARK_READ, "b", 9);
    finish(expect((job_t *[]){s1, m1, other}, 3));
    finish(expect(&s2, 1));
}

static void test_one_key_once(void **state) {
    (void)state;
    job_t *s1 = add_send("a", 1), *again = add_send("a", 1), *s2 = add_send("a", 2);
    job_t *elsewhere = add_send("b", 1);
    finish(expect((job_t *[]){s1, elsewhere}, 2));
    finish(expect((job_t *[]){again, s2}, 2));
}

static void test_others_come_alone(void **state) {
    (void)state;
    job_t *s1 = add_send("a", 1), *remove = add(MSG_REMOVE_PARTICIPANT, "a", 0);
    job_t *s2 = add_send("a", 2), *seen = add(MSG_USER_SEEN, "user_1", 0);
    finish(expect((job_t *[]){s1, seen}, 2));
    finish(expect(&remove, 1));
    finish(expect(&s2, 1));
}

static void test_rows_have_a_limit(void **state) {
    (void)state;
    job_t *jobs[12];
    for (uint64_t i = 0; i < 12; i++)
        jobs[i] = add_send(i < 10 ? "a" : "b", i);
    finish(expect(jobs, 8));
    /* The room that has had its turn comes after the other. */
    finish(expect((job_t *[]){jobs[10], jobs[11], jobs[8], jobs[9]}, 4));
}

static void test_bytes_have_a_limit(void **state) {
    (void)state;
    batches_free(&batches);
    batch_limits_t limits = {.rows = 8, .bytes = 5000, .queue_jobs = 20, .queue_bytes = 200000};
    batches = batches_new(&limits);
    job_t *jobs[3];
    for (uint64_t i = 0; i < 3; i++) {
        jobs[i] = make_job(MSG_SEND, "a", i, 4000);
        assert_int_equal(batches_add(batches, jobs[i]), OK);
    }
    for (size_t i = 0; i < 3; i++)
        finish(expect(&jobs[i], 1));
}

static void test_the_queue_has_limits(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 20; i++)
        add_send("a", i);
    job_t *job = make_job(MSG_SEND, "a", 99, 10);
    assert_int_equal(batches_add(batches, job), ERR_LIMIT);
    job_free(&job);
    batches_free(&batches);
    batch_limits_t limits = {.rows = 8, .bytes = 5000, .queue_jobs = 20, .queue_bytes = 6000};
    batches = batches_new(&limits);
    job_t *big = make_job(MSG_SEND, "a", 1, 4000), *second = make_job(MSG_SEND, "a", 2, 4000);
    assert_int_equal(batches_add(batches, big), OK);
    assert_int_equal(batches_add(batches, second), ERR_LIMIT);
    job_free(&second);
}

static void test_held_rooms_keep_their_order(void **state) {
    (void)state;
    job_t *a1 = add_send("a", 1), *a2 = add_send("a", 2), *b1 = add_send("b", 1);
    batch_t batch = expect((job_t *[]){a1, a2, b1}, 3);
    batches_hold(batches, batch.jobs[0], 100);
    batches_hold(batches, batch.jobs[1], 100);
    job_t *done = batch.jobs[2];
    batches_done(batches, done);
    job_free(&done);
    job_t *a3 = add_send("a", 3);
    assert_int_equal(batches_next(batches, 99).n, 0);
    assert_int_equal(batches_next_ms(batches), 100);
    batch = batches_next(batches, 100);
    assert_int_equal(batch.n, 3);
    assert_ptr_equal(batch.jobs[0], a1);
    assert_ptr_equal(batch.jobs[1], a2);
    assert_ptr_equal(batch.jobs[2], a3);
    finish(batch);
}

static void test_nothing_overtakes_a_held_job(void **state) {
    (void)state;
    job_t *a1 = add_send("a", 1), *b1 = add_send("b", 1), *a2 = add_send("a", 2);
    expect((job_t *[]){a1, a2, b1}, 3);
    batches_failed(batches, BATCH_SPLIT);
    batch_t batch = expect(&a1, 1);
    batches_hold(batches, batch.jobs[0], 100);
    finish(expect(&b1, 1));
    assert_int_equal(batches_next(batches, 99).n, 0);
    batch = batches_next(batches, 100);
    assert_int_equal(batch.n, 2);
    assert_ptr_equal(batch.jobs[0], a1);
    finish(batch);
    (void)a2;
}

static void test_halving_finds_the_offender(void **state) {
    (void)state;
    job_t *jobs[8], *order[8];
    size_t answered = 0, tries = 0;
    for (uint64_t i = 0; i < 8; i++)
        jobs[i] = add_send("a", i);
    while (answered < 8) {
        batch_t batch = batches_next(batches, 0);
        bool refused = false;
        assert_true(batch.n > 0);
        for (size_t i = 0; i < batch.n; i++)
            refused = refused || batch.jobs[i] == jobs[5];
        tries++;
        if (refused) {
            job_t *offender = batches_failed(batches, BATCH_SPLIT);
            if (offender) {
                assert_ptr_equal(offender, jobs[5]);
                order[answered++] = offender;
            }
            continue;
        }
        for (size_t i = 0; i < batch.n; i++) {
            order[answered++] = batch.jobs[i];
            batches_done(batches, batch.jobs[i]);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        assert_ptr_equal(order[i], jobs[i]);
        job_free(&jobs[i]);
    }
    assert_true(tries <= 10); /* each level: a half that works, one that does not */
    assert_int_equal(batches_count(batches), 0);
}

static void test_again_some_times(void **state) {
    (void)state;
    job_t *jobs[] = {add_send("a", 1), add_send("a", 2)};
    for (int i = 1; i < BATCH_ATTEMPTS; i++) {
        expect(jobs, 2);
        assert_null(batches_failed(batches, BATCH_AGAIN));
    }
    expect(jobs, 2);
    assert_null(batches_failed(batches, BATCH_AGAIN)); /* in halves from now on */
    for (int i = 1; i < BATCH_ATTEMPTS; i++) {
        expect(jobs, 1);
        assert_null(batches_failed(batches, BATCH_AGAIN));
    }
    expect(jobs, 1);
    assert_ptr_equal(batches_failed(batches, BATCH_AGAIN), jobs[0]);
    job_free(&jobs[0]);
    finish(expect(&jobs[1], 1));
}

static void test_deadlines(void **state) {
    (void)state;
    job_t *a1 = add_send("a", 1), *a2 = add_send("a", 2);
    assert_int_equal(batches_next_ms(batches), 1000);
    assert_null(batches_expire(batches, 999));
    batch_t batch = expect((job_t *[]){a1, a2}, 2);
    assert_null(batches_expire(batches, 5000)); /* what is out isn't given up */
    batches_failed(batches, BATCH_AWAY);
    assert_ptr_equal(batches_expire(batches, 5000), a1);
    assert_ptr_equal(batches_expire(batches, 5000), a2);
    assert_null(batches_expire(batches, 5000));
    (void)batch;
    job_free(&a1);
    job_free(&a2);
    assert_int_equal(batches_count(batches), 0);
    assert_int_equal(batches_next_ms(batches), INT64_MAX);
}

static void test_what_may_be_committed_is_tried_again(void **state) {
    (void)state;
    job_t *a1 = add_send("a", 1), *b1 = add_send("b", 1);
    expect((job_t *[]){a1, b1}, 2);
    assert_null(batches_failed(batches, BATCH_LOST));
    job_t *a2 = add_send("a", 2);
    assert_ptr_equal(batches_expire(batches, 5000), a2); /* never begun */
    job_free(&a2);
    assert_null(batches_expire(batches, 5000));
    assert_null(batches_drop(batches, 0));
    finish(expect((job_t *[]){a1, b1}, 2));
}

static void test_only_the_lost_part_is_unsure(void **state) {
    (void)state;
    job_t *jobs[4];
    for (uint64_t i = 0; i < 4; i++)
        jobs[i] = add_send("a", i);
    expect(jobs, 4);
    assert_null(batches_failed(batches, BATCH_SPLIT));
    expect(jobs, 2);
    assert_null(batches_failed(batches, BATCH_LOST));
    assert_ptr_equal(batches_expire(batches, 5000), jobs[2]);
    assert_ptr_equal(batches_expire(batches, 5000), jobs[3]);
    assert_null(batches_expire(batches, 5000));
    job_free(&jobs[2]);
    job_free(&jobs[3]);
    finish(expect(jobs, 2));
}

static void test_drop(void **state) {
    (void)state;
    job_t *a1 = add_send("a", 1), *a2 = add_send("a", 2);
    a2->broker = 1;
    assert_ptr_equal(batches_drop(batches, 0), a1);
    assert_null(batches_drop(batches, 0));
    job_free(&a1);
    finish(expect(&a2, 1));
}

static void test_freed_in_any_state(void **state) {
    (void)state;
    job_t *jobs[] = {add_send("a", 1), add_send("b", 1), add_send("a", 2)};
    batch_t batch = expect((job_t *[]){jobs[0], jobs[2], jobs[1]}, 3);
    batches_hold(batches, batch.jobs[2], 50);
    batches_done(batches, jobs[0]);
    job_free(&jobs[0]);
    add_send("a", 3);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_everything_that_waits),
        TEST(test_marks_follow_messages),
        TEST(test_one_key_once),
        TEST(test_others_come_alone),
        TEST(test_rows_have_a_limit),
        TEST(test_bytes_have_a_limit),
        TEST(test_the_queue_has_limits),
        TEST(test_held_rooms_keep_their_order),
        TEST(test_nothing_overtakes_a_held_job),
        TEST(test_halving_finds_the_offender),
        TEST(test_again_some_times),
        TEST(test_deadlines),
        TEST(test_what_may_be_committed_is_tried_again),
        TEST(test_only_the_lost_part_is_unsure),
        TEST(test_drop),
        TEST(test_freed_in_any_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

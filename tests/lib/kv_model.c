#include "tests/lib/kv_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const enum kv_table model_tables[2] = {KV_STATE, KV_TXS};

/* Sorted by n; lengths differ, one key begins with another, the longest are as long as may be. */
static struct bytes model_key(unsigned n, uint8_t out[KV_KEY_MAX]) {
    memset(out, 0, KV_KEY_MAX);
    out[0] = (uint8_t)(1 + n / 5);
    static const size_t lengths[5] = {1, 2, 3, 30, KV_KEY_MAX};
    size_t len = lengths[n % 5];
    if (n % 5 == 4) {
        memset(out + 1, 0xff, KV_KEY_MAX - 1);
    } else if (n % 5 == 3) {
        out[2] = 7;
    }
    return bytes_of(out, len);
}

/* From nothing to more than one LMDB page. */
static size_t model_len(uint32_t number) {
    if (number % 11 == 0) {
        return 0;
    }
    return number % 13 == 0 ? 6000 : 1 + number % 60;
}

static struct bytes model_value(uint32_t number, uint8_t out[6000]) {
    size_t len = model_len(number);
    memset(out, (int)(number % 251), len);
    if (len >= 4) {
        store_u32(out, number);
    }
    return bytes_of(out, len);
}

static void model_assert_value(uint32_t number, struct bytes value) {
    uint8_t expected[6000];
    assert_non_null(value.data);
    assert_true(bytes_equal(value, model_value(number, expected)));
}

/* Compares everything a view gives with what it should. */
static void model_check(struct kv_view *view, const struct model *model) {
    uint8_t place[KV_KEY_MAX];
    struct bytes key, value;
    for (size_t t = 0; t < 2; t++) {
        const uint32_t *values = model->values[t];
        for (unsigned n = 0; n < MODEL_KEYS; n++) {
            enum err e = kv_get(view, model_tables[t], model_key(n, place), &value);
            assert_int_equal(e, values[n] == 0 ? ERR_NOTFOUND : OK);
            if (values[n] != 0) {
                model_assert_value(values[n], value);
            }
            unsigned after = n, before = n;
            while (after < MODEL_KEYS && values[after] == 0) {
                after++;
            }
            e = kv_seek(view, model_tables[t], model_key(n, place), &key, &value);
            assert_int_equal(e, after == MODEL_KEYS ? ERR_NOTFOUND : OK);
            if (e == OK) {
                assert_true(bytes_equal(key, model_key(after, place)));
                model_assert_value(values[after], value);
            }
            while (before > 0 && values[before] == 0) {
                before--;
            }
            e = kv_seek_back(view, model_tables[t], model_key(n, place), &key, &value);
            assert_int_equal(e, values[before] == 0 ? ERR_NOTFOUND : OK);
            if (e == OK) {
                assert_true(bytes_equal(key, model_key(before, place)));
                model_assert_value(values[before], value);
            }
        }
    }
}

static void model_write(struct model_run *run, struct kv_layer *layer, struct model *model, unsigned count) {
    uint8_t place[KV_KEY_MAX], bytes[6000];
    for (unsigned i = 0; i < count; i++) {
        size_t t = dice_below(&run->dice, 2);
        unsigned n = (unsigned)dice_below(&run->dice, MODEL_KEYS);
        if (dice_below(&run->dice, 5) < 2) {
            assert_int_equal(kv_layer_delete(layer, model_tables[t], model_key(n, place)), OK);
            model->values[t][n] = 0;
        } else {
            uint32_t number = run->next_value++;
            assert_int_equal(kv_layer_put(layer, model_tables[t], model_key(n, place), model_value(number, bytes)), OK);
            model->values[t][n] = number;
        }
    }
}

/* One block: built under a view of its own, checked there, then pushed; now and then thrown away instead. */
static void model_push(struct model_run *run) {
    struct kv_layer *layers[2];
    struct kv_view *view;
    struct model model = run->now;
    assert_int_equal(kv_layer_new(&layers[0]), OK);
    assert_int_equal(kv_layer_new(&layers[1]), OK);
    assert_int_equal(kv_view_open_above(run->kv, layers, 2, &view), OK);
    model_write(run, layers[0], &model, 1 + (unsigned)dice_below(&run->dice, 30));
    struct model between = model;
    model_write(run, layers[1], &model, 1 + (unsigned)dice_below(&run->dice, 10));
    if (dice_below(&run->dice, 6) == 0) {
        model_check(view, &model);
    }
    kv_view_close(view);
    assert_int_equal(kv_push(run->kv, layers[0]), OK);
    run->now = between;
    if (dice_below(&run->dice, 3) != 0) {
        assert_int_equal(kv_push(run->kv, layers[1]), OK);
        run->now = model;
    }
    kv_layer_unref(layers[0]);
    kv_layer_unref(layers[1]);
}

static void model_change_view(struct model_run *run) {
    size_t i = dice_below(&run->dice, MODEL_VIEWS);
    if (run->views[i] == NULL) {
        assert_int_equal(kv_view_open(run->kv, &run->views[i]), OK);
        run->seen[i] = run->now;
        return;
    }
    model_check(run->views[i], &run->seen[i]);
    kv_view_close(run->views[i]);
    run->views[i] = NULL;
}

static void assert_sound(const struct kv *kv, bool entries) {
    struct why why = WHY_NONE;
    if (!kv_check(kv, entries, &why)) {
        fail_msg("%s", why.text);
    }
}

void model_steps(struct model_run *run, int steps) {
    struct kv_checkpoint *checkpoint = NULL;
    struct model frozen = run->now;
    bool written = false;
    for (int i = 0; i < steps; i++) {
        assert_sound(run->kv, i % 16 == 0);
        uint64_t what = dice_below(&run->dice, 20);
        if (what < 12) {
            model_push(run);
        } else if (what < 16) {
            model_change_view(run);
        } else if (checkpoint == NULL) {
            frozen = run->now;
            enum err e = kv_checkpoint_begin(run->kv, &checkpoint);
            assert_true(e == OK || (e == ERR_NOTFOUND && kv_pending_bytes(run->kv) == 0));
            written = false;
        } else if (!written) {
            struct kv_checkpoint *second;
            assert_int_equal(kv_checkpoint_begin(run->kv, &second), ERR_BUSY);
            assert_int_equal(kv_checkpoint_write(checkpoint), OK);
            run->at_checkpoint = frozen;
            written = true;
        } else {
            /* Also when it went well, one may be told that it did not: then it is simply written again later. */
            bool good = dice_below(&run->dice, 4) != 0;
            assert_int_equal(kv_checkpoint_end(run->kv, checkpoint, good ? OK : ERR_IO), good ? OK : ERR_IO);
            checkpoint = NULL;
        }
    }
    if (checkpoint != NULL) {
        assert_int_equal(kv_checkpoint_end(run->kv, checkpoint, ERR_IO), ERR_IO);
    }
    for (size_t i = 0; i < MODEL_VIEWS; i++) {
        if (run->views[i] != NULL) {
            model_check(run->views[i], &run->seen[i]);
            kv_view_close(run->views[i]);
            run->views[i] = NULL;
        }
    }
}

void model_check_now(struct model_run *run) {
    struct kv_view *view;
    assert_int_equal(kv_view_open(run->kv, &view), OK);
    model_check(view, &run->now);
    kv_view_close(view);
}

/* Every place in an update and every event: where the table leads, and where it does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/gateway/fleet_place.h"

static void a_newer_proof_leads_from_everywhere_to_what_it_says(void **state) {
    static const struct {
        enum fleet_place_event event;
        enum fleet_place to;
    } proofs[] = {{PROOF_OF_NONE, PLACE_ABSENT},
                  {PROOF_OF_UNVERIFIED, PLACE_UNVERIFIED},
                  {PROOF_OF_VERIFIED, PLACE_VERIFIED},
                  {PROOF_OF_END, PLACE_OVER}};
    (void)state;
    for (enum fleet_place place = PLACE_UNPROVEN; place < PLACES; place++) {
        for (size_t i = 0; i < sizeof proofs / sizeof proofs[0]; i++) {
            assert_int_equal(fleet_place_after(place, proofs[i].event), proofs[i].to);
        }
    }
}

static void an_older_proof_changes_nothing_and_room_is_made_where_something_stands(void **state) {
    (void)state;
    for (enum fleet_place place = PLACE_ABSENT; place < PLACES; place++) {
        assert_int_equal(fleet_place_after(place, PROOF_OLDER), place);
        assert_int_equal(fleet_place_after(place, PLACE_MAKES_ROOM), PLACE_UNPROVEN);
    }
}

static void what_the_table_does_not_have_is_refused(void **state) {
    (void)state;
    assert_int_equal(fleet_place_after(PLACE_UNPROVEN, PROOF_OLDER), 0);
    assert_int_equal(fleet_place_after(PLACE_UNPROVEN, PLACE_MAKES_ROOM), 0);
    for (unsigned event = 0; event <= PLACE_EVENTS; event++) {
        assert_int_equal(fleet_place_after(0, (enum fleet_place_event)event), 0);
        assert_int_equal(fleet_place_after((enum fleet_place)PLACES, (enum fleet_place_event)event), 0);
    }
    for (unsigned place = 0; place < PLACES; place++) {
        assert_int_equal(fleet_place_after((enum fleet_place)place, 0), 0);
        assert_int_equal(fleet_place_after((enum fleet_place)place, (enum fleet_place_event)PLACE_EVENTS), 0);
    }
}

static void a_record_says_by_its_status_where_the_device_stands(void **state) {
    static const enum fleet_place_event want[] = {
        [STATUS_UNVERIFIED] = PROOF_OF_UNVERIFIED, [STATUS_VERIFIED] = PROOF_OF_VERIFIED,
        [STATUS_EXPIRED] = PROOF_OF_END,           [STATUS_EXHAUSTED] = PROOF_OF_END,
        [STATUS_INSTALLED] = PROOF_OF_END,         [STATUS_FAILED] = PROOF_OF_END,
        [STATUS_ROLLED_BACK] = PROOF_OF_END,
    };
    (void)state;
    assert_int_equal(fleet_place_says(NULL), PROOF_OF_NONE);
    for (enum device_status status = STATUS_UNVERIFIED; status <= STATUS_ROLLED_BACK; status++) {
        const struct status_record record = {.status = status};
        assert_int_equal(fleet_place_says(&record), want[status]);
    }
    assert_false(fleet_place_is_present(PLACE_UNPROVEN));
    assert_false(fleet_place_is_present(PLACE_ABSENT));
    assert_true(fleet_place_is_present(PLACE_UNVERIFIED));
    assert_true(fleet_place_is_present(PLACE_VERIFIED));
    assert_true(fleet_place_is_present(PLACE_OVER));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newer_proof_leads_from_everywhere_to_what_it_says),
        cmocka_unit_test(an_older_proof_changes_nothing_and_room_is_made_where_something_stands),
        cmocka_unit_test(what_the_table_does_not_have_is_refused),
        cmocka_unit_test(a_record_says_by_its_status_where_the_device_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

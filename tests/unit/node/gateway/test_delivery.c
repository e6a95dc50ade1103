/* Every state of a statement on its way and every event: where the table leads, and where it does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/gateway/delivery.h"

static const struct {
    enum delivery from;
    enum delivery_event event;
    enum delivery to;
} moves[] = {
    {DELIVERY_QUEUED, DELIVERY_TAKEN, DELIVERY_SENDING},   {DELIVERY_SENDING, DELIVERY_PROVEN, DELIVERY_ACCEPTED},
    {DELIVERY_SENDING, DELIVERY_DENIED, DELIVERY_REFUSED}, {DELIVERY_SENDING, DELIVERY_CAME_TO_NOTHING, DELIVERY_RETRY},
    {DELIVERY_ACCEPTED, DELIVERY_NOTED, DELIVERY_QUEUED},  {DELIVERY_REFUSED, DELIVERY_NOTED, DELIVERY_QUEUED},
    {DELIVERY_RETRY, DELIVERY_PAUSE_OVER, DELIVERY_QUEUED}};

/* 0 and one past the last are walked as well: they are no states and no events. */
static void every_cell_is_as_drawn_and_the_others_are_refused(void **state) {
    (void)state;
    for (unsigned from = 0; from <= DELIVERIES; from++) {
        for (unsigned event = 0; event <= DELIVERY_EVENTS; event++) {
            unsigned want = 0;
            for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
                want = moves[i].from == from && moves[i].event == event ? moves[i].to : want;
            }
            assert_int_equal(delivery_after((enum delivery)from, (enum delivery_event)event), want);
        }
    }
}

static void a_lane_holds_a_statement_from_taking_it_until_it_is_noted_or_back(void **state) {
    static const bool under_way[DELIVERIES] = {
        [DELIVERY_SENDING] = true, [DELIVERY_ACCEPTED] = true, [DELIVERY_REFUSED] = true};
    (void)state;
    for (enum delivery at = DELIVERY_QUEUED; at < DELIVERIES; at++) {
        assert_int_equal(delivery_is_under_way(at), under_way[at]);
        assert_int_equal(delivery_is_settled(at), under_way[at] && at != DELIVERY_SENDING);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_drawn_and_the_others_are_refused),
        cmocka_unit_test(a_lane_holds_a_statement_from_taking_it_until_it_is_noted_or_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "node/api/alarms.h"

#include <stdio.h>
#include <string.h>

/* Those that are not of the common weight. */
static enum alarm_weight weight_of(const char *name) {
    static const struct {
        const char *name;
        enum alarm_weight weight;
    } known[] = {
        {"equivocation", ALARM_STAYS},    {"safety", ALARM_STAYS},     {"old-journal", ALARM_STAYS},
        {"journal-damaged", ALARM_STAYS}, {"chain-ahead", ALARM_MILD}, {"read-failed", ALARM_MILD},
        {"certificate", ALARM_MILD},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            return known[i].weight;
        }
    }
    return ALARM_PASSES;
}

static struct alarm *place_of(struct alarms *alarms, const char *name) {
    size_t i = 0;
    while (i < alarms->count && strncmp(alarms->items[i].name, name, ALARMS_NAME_MAX - 1) != 0) {
        i++;
    }
    if (i == ALARMS_MAX) {
        return &alarms->items[ALARMS_MAX - 1];
    }
    alarms->count += i == alarms->count ? 1 : 0;
    return &alarms->items[i];
}

bool alarms_raise(struct alarms *alarms, const char *name, const char *text, uint64_t now_ms) {
    struct alarm *alarm = place_of(alarms, name);
    bool fresh = !alarm->on;
    (void)snprintf(alarm->name, sizeof alarm->name, "%s", name);
    (void)snprintf(alarm->text, sizeof alarm->text, "%s", text);
    alarm->raised++;
    alarm->raised_ms = now_ms;
    alarm->on = true;
    alarm->weight = weight_of(name);
    return fresh;
}

bool alarms_end(struct alarms *alarms, const char *name) {
    for (size_t i = 0; i < alarms->count; i++) {
        struct alarm *alarm = &alarms->items[i];
        if (strncmp(alarm->name, name, ALARMS_NAME_MAX - 1) == 0) {
            bool was_on = alarm->on;
            alarm->on = false;
            return was_on;
        }
    }
    return false;
}

const char *alarms_pass(struct alarms *alarms, uint64_t now_ms) {
    for (size_t i = 0; i < alarms->count; i++) {
        struct alarm *alarm = &alarms->items[i];
        if (alarm->on && alarm->weight != ALARM_STAYS && now_ms - alarm->raised_ms > ALARMS_KEPT_MS) {
            alarm->on = false;
            return alarm->name;
        }
    }
    return NULL;
}

const struct alarm *alarms_first(const struct alarms *alarms) {
    const struct alarm *first = NULL;
    for (size_t i = 0; i < alarms->count; i++) {
        const struct alarm *a = &alarms->items[i];
        if (a->on && (first == NULL || a->weight > first->weight ||
                      (a->weight == first->weight && a->raised_ms > first->raised_ms))) {
            first = a;
        }
    }
    return first;
}

#include "node/answers/registry.h"

static const struct field class_fields[] = {
    {"class", "What it is.", FIELD_PART, MEMBER(struct class_answer, definition), .of = &class_definition_shape},
    {"record", "What its devices should run.", FIELD_PART, MEMBER(struct class_answer, record),
     .of = &class_record_shape},
};
const struct record class_answer_shape = {"Class", "A class of devices, and what they should run.",
                                          RECORD_OF(struct class_answer, class_fields)};

static const struct field device_fields[] = {
    {"device", "The record.", FIELD_PART, MEMBER(struct device_answer, record), .of = &device_shape},
    {"running_sequence", "What it last said it runs; before that, what it ran when it was registered.", FIELD_DECIMAL,
     MEMBER(struct device_answer, running_sequence)},
};
const struct record device_answer_shape = {"DeviceAnswer", "A device, and what it runs.",
                                           RECORD_OF(struct device_answer, device_fields)};

static const struct field history_fields[] = {
    {"height", "Of the block.", FIELD_NUMBER, MEMBER(struct history_answer, height)},
    {"time_ms", "Time of the block.", FIELD_NUMBER, MEMBER(struct history_answer, time_ms)},
    {"tx_id", "The transaction that did it; null: it fell due.", FIELD_HEX, MEMBER(struct history_answer, tx_id),
     IF(struct history_answer, is_of_tx)},
    {"signer", "Who signed it first; null: it fell due.", FIELD_HEX, MEMBER(struct history_answer, signer),
     IF(struct history_answer, is_of_tx)},
    {"action", "What was done.", FIELD_BYTES_OF_TEXT, MEMBER(struct history_answer, action)},
    {"detail", "More about it, for people.", FIELD_BYTES_OF_TEXT, MEMBER(struct history_answer, detail)},
};
const struct record history_answer_shape = {"HistoryEntry", "Something that happened to a record.",
                                            RECORD_OF(struct history_answer, history_fields)};

static const struct field release_fields[] = {
    {"release", "The record.", FIELD_PART, MEMBER(struct release_answer, release), .of = &release_shape},
    {"history", "Oldest first; the first 200 entries.", FIELD_ITEMS, MEMBER(struct release_answer, history),
     .of = &history_answer_shape},
};
const struct record release_answer_shape = {"ReleaseAnswer", "A release with what happened to it.",
                                            RECORD_OF(struct release_answer, release_fields)};

static const struct field latest_fields[] = {
    {"release", "The record.", FIELD_PART, MEMBER(struct latest_answer, release), .of = &release_shape},
    {"floor", "Releases of the class with a lower sequence may not be installed.", FIELD_NUMBER,
     MEMBER(struct latest_answer, floor)},
    {"at_height", "The block as of which this holds.", FIELD_NUMBER, MEMBER(struct latest_answer, at_height)},
};
const struct record latest_answer_shape = {"LatestAnswer", "The release that devices of a class should run.",
                                           RECORD_OF(struct latest_answer, latest_fields)};

static const struct field update_fields[] = {
    {"update", "The record.", FIELD_PART, MEMBER(struct update_answer_page, update), .of = &update_shape},
    {"counts", "Its devices by status.", FIELD_RECORD, MEMBER(struct update_answer_page, counts),
     .of = &update_counts_shape},
    {"devices", "This page of its devices.", FIELD_ITEMS, MEMBER(struct update_answer_page, devices),
     .of = &update_status_shape},
    {"next_after", "To ask for the next page with; null: there is no more.", FIELD_WORDS,
     MEMBER(struct update_answer_page, next), IF(struct update_answer_page, has_more)},
    {"at_height", "The block as of which this holds.", FIELD_NUMBER, MEMBER(struct update_answer_page, at_height)},
};
const struct record update_answer_shape = {"UpdateAnswer", "An update and its devices.",
                                           RECORD_OF(struct update_answer_page, update_fields)};

static const struct field entry_fields[] = {
    {"entry", "What happened.", FIELD_PART, MEMBER(struct update_history_entry, entry), .of = &history_answer_shape},
    {"device_id", "The device it happened to; null: the update itself.", FIELD_HEX,
     MEMBER(struct update_history_entry, device_id), IF(struct update_history_entry, is_of_device)},
};
const struct record update_history_entry_shape = {"UpdateHistoryEntry",
                                                  "Something that happened to an update or one of its devices.",
                                                  RECORD_OF(struct update_history_entry, entry_fields)};

static const struct field update_history_fields[] = {
    {"update_id", "The update.", FIELD_HEX, MEMBER(struct update_history_answer, update_id)},
    {"history",
     "By height: of this page of its devices, and on the first page its own; the first 1000 entries of each.",
     FIELD_ITEMS, MEMBER(struct update_history_answer, history), .of = &update_history_entry_shape},
    {"next_after", "To ask for the next page with; null: there is no more.", FIELD_WORDS,
     MEMBER(struct update_history_answer, next), IF(struct update_history_answer, has_more)},
};
const struct record update_history_shape = {"UpdateHistory", "What happened to an update and its devices.",
                                            RECORD_OF(struct update_history_answer, update_history_fields)};

static const struct field proposal_fields[] = {
    {"proposal", "The record.", FIELD_PART, MEMBER(struct proposal_answer, proposal), .of = &proposal_shape},
    {"needed", "The yes votes with which it passes, by the present parameters.", FIELD_NUMBER,
     MEMBER(struct proposal_answer, needed)},
    {"votes", "By organisation.", FIELD_ITEMS, MEMBER(struct proposal_answer, votes), .of = &vote_shape},
};
const struct record proposal_answer_shape = {"ProposalAnswer", "A proposal and its votes.",
                                             RECORD_OF(struct proposal_answer, proposal_fields)};

static const struct field params_fields[] = {
    {"params", "The record.", FIELD_PART, MEMBER(struct params_answer, record), .of = &params_record_shape},
    {"protocol_next", "A change of the rules that is to come.", FIELD_RECORD, MEMBER(struct params_answer, next),
     IF(struct params_answer, changes_protocol), .is_omitted = true, .of = &protocol_next_shape},
};
const struct record params_answer_shape = {"ParamsAnswer", "The ledger's parameters.",
                                           RECORD_OF(struct params_answer, params_fields)};

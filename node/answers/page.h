/* Lists, a page at a time: {"orgs": [...], "next_after": ...}. Whoever wants the next page hands back what the page
 * gave; without it there is no more. */
#ifndef ASSAY_NODE_ANSWERS_PAGE_H
#define ASSAY_NODE_ANSWERS_PAGE_H

#include "base/record.h"

struct page_answer {
    void *items; /* json_t *, an array */
    bool has_more;
    const char *next;
};

extern const struct record orgs_page;
extern const struct record validators_page;
extern const struct record nodes_page;
extern const struct record authors_page;
extern const struct record classes_page;
extern const struct record devices_page;
extern const struct record releases_page;
extern const struct record updates_page;
extern const struct record proposals_page;
extern const struct record blobs_page;
extern const struct record sender_txs_page;

#endif

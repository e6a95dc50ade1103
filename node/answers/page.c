#include "node/answers/page.h"

#include "contracts/author/author.h"
#include "contracts/governance/governance_proposal.h"
#include "node/answers/block.h"
#include "node/answers/registry.h"
#include "node/answers/blob.h"

/* A list of `shape` called `member`, whose next page is asked for with what `cursor` says. */
#define PAGE(variable, schema, member, shape, cursor)                                                                  \
    static const struct field variable##_fields[] = {                                                                  \
        {member, "This page of them.", FIELD_ITEMS, MEMBER(struct page_answer, items), .of = &(shape)},                \
        {cursor, "To ask for the next page with; null: there is no more.", FIELD_WORDS,                                \
         MEMBER(struct page_answer, next), IF(struct page_answer, has_more)},                                          \
    };                                                                                                                 \
    const struct record variable = {schema, "A page of a list.", RECORD_OF(struct page_answer, variable##_fields)}

PAGE(orgs_page, "OrganisationsPage", "orgs", org_shape, "next_after");
PAGE(validators_page, "ValidatorsPage", "validators", node_shape, "next_after");
PAGE(nodes_page, "NodesPage", "nodes", node_shape, "next_after");
PAGE(authors_page, "AuthorsPage", "authors", author_shape, "next_after");
PAGE(classes_page, "ClassesPage", "classes", class_answer_shape, "next_after");
PAGE(devices_page, "DevicesPage", "devices", device_answer_shape, "next_after");
PAGE(releases_page, "ReleasesPage", "releases", release_shape, "next_after");
PAGE(updates_page, "UpdatesPage", "updates", update_shape, "next_after");
PAGE(proposals_page, "ProposalsPage", "proposals", proposal_shape, "next_after");
PAGE(blobs_page, "BlobsPage", "blobs", blob_answer_shape, "next_after");
PAGE(sender_txs_page, "SenderTxsPage", "txs", tx_answer_shape, "next_cursor");

#include "node/api/api.h"

#include "base/clock.h"
#include "contracts/kernel/transaction.h"
#include "ipfs-lite/repo.h"
#include "node/json/record_json.h"
#include "node/ledger/execute.h"
#include "node/ledger/ledger_time.h"
#include "node/ledger/rehearse.h"

#include <string.h>

#define TIMEOUT_DEFAULT_MS 10000
#define TIMEOUT_MAX_MS 60000

/* What a client is told when its transaction does not go in; the contract's own refusals are receipts, not this. */
static struct http_response *refusal(const struct submit_outcome *outcome) {
    switch (outcome->error) {
    case ERR_EXISTS:
        return http_error(409, "TX_ALREADY_EXECUTED", "look at it with GET /v1/txs/{id}",
                          "the transaction is final already, at height %llu", (unsigned long long)outcome->height);
    case ERR_FULL:
        return http_error(503, "MEMPOOL_FULL", "try again in a moment", "too many transactions wait for a block");
    case ERR_DENIED:
        return http_error(429, "SENDER_SHARE_USED", "wait until some of them are final",
                          "this sender has as many transactions waiting as one may have");
    case ERR_RANGE:
        return http_error(400, "TX_EXPIRY_TOO_FAR", "make it again with an earlier expiry (--expires)",
                          "the transaction's expiry is further ahead than the organisations allow now");
    case ERR_TIMEOUT:
        return http_error(504, "NOT_FINAL_IN_TIME",
                          "it may still become final: look with GET /v1/txs/{id}; if it stays away, see whether more "
                          "than a third of the validators are down",
                          "the transaction was accepted but is not final yet");
    default:
        return http_error(503, "NOT_ACCEPTED", "try again in a moment", "the ledger does not take it now: %s",
                          err_text(outcome->error));
    }
}

static void on_done(void *arg, const struct submit_outcome *outcome) {
    struct http_deferred *deferred = arg;
    if (outcome->error != OK) {
        (void)http_complete(deferred, refusal(outcome));
        return;
    }
    bool is_final = outcome->height != 0;
    struct submitted_answer answer = {
        .is_final = is_final, .height = outcome->height, .was_taken = !is_final, .accepted = !is_final};
    memcpy(answer.tx_id, outcome->tx_id, HASH_LEN);
    if (is_final) {
        answer.result = api_result(&outcome->receipt);
        answer.result_bytes = outcome->receipt.result;
    }
    (void)http_complete(deferred, http_json(is_final ? 200 : 202, record_json(&submitted_shape, &answer)));
}

/* The checks that need no state. On failure the answer has been given. */
static bool check_form(struct api *api, struct http_request *request, struct transaction *out) {
    const char *why = "";
    enum err e = transaction_decode(http_body(request), out, &why);
    if (e != OK) {
        http_respond(request,
                     http_error(e == ERR_TOOLARGE ? 413 : 400, e == ERR_TOOLARGE ? "TX_TOO_LARGE" : "TX_MALFORMED",
                                "make it with the assay command line", "not a transaction: %s", why));
        return false;
    }
    if (memcmp(out->chain_id, chain_id(api->chain), CHAIN_ID_LEN) != 0) {
        http_respond(request, http_error(400, "WRONG_CHAIN", "make it for the chain id that /v1/status shows",
                                         "the transaction is for another chain"));
        return false;
    }
    (void)http_spend(request, (struct http_budget){.signatures = (uint32_t)out->signer_count});
    if (transaction_check_signatures(out) != OK) {
        http_respond(request, http_error(400, "BAD_SIGNATURE", "sign it again with the keys it lists",
                                         "a signature does not verify"));
        return false;
    }
    return true;
}

/* A release must be fetchable from the node that takes it. On failure the answer has been given. */
static bool check_image(struct api *api, struct http_request *request, const struct transaction *tx) {
    if (api->repo == NULL || !bytes_equal(tx->contract, bytes_str("firmware")) ||
        !bytes_equal(tx->method, bytes_str("register"))) {
        return true;
    }
    return api_release_image_is_here(api, request, tx->args);
}

/* What is refused in a block stands there with its refusal, and costs everybody its bytes: where they are many, or come
 * from devices, it is looked first whether anything else is possible. */
#define WORTH_BYTES 2048u

static bool is_worth_a_rehearsal(const struct transaction *tx) {
    return tx->args.len > WORTH_BYTES || bytes_equal(tx->contract, bytes_str("update"));
}

/* What depends on the state may have changed by the time it stands in a block, and is left to that. */
static enum err look_whether_sure(struct api *api, struct http_request *request, struct chain_view *view,
                                  const struct transaction *tx, struct answer *answer) {
    const struct rehearsal what = {.chain_id = chain_id(api->chain),
                                   .signers = tx->signers,
                                   .signer_count = tx->signer_count,
                                   .contract = tx->contract,
                                   .method = tx->method,
                                   .args = tx->args,
                                   .time_ms = ledger_time_now(clock_wall_ms(), view->head.header.time_ms)};
    (void)http_spend(request, (struct http_budget){.signatures = 1});
    enum err e = rehearse(view, &what, answer, NULL);
    if (e == OK && !code_is_sure(answer->code)) {
        answer->code = CODE_OK;
    }
    return e;
}

static bool check_state(struct api *api, struct http_request *request, const struct transaction *tx) {
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return false;
    }
    uint64_t now = view.head.header.time_ms;
    struct answer answer = {.code = CODE_OK};
    struct call call = {.state = state_of_view(view.kv),
                        .crypto = api->crypto,
                        .chain_id = chain_id(api->chain),
                        .signers = tx->signers,
                        .signer_count = tx->signer_count,
                        .height = view.head.header.height,
                        .time_ms = now};
    memcpy(call.tx_id, tx->id, HASH_LEN);
    struct genesis_params params = {0};
    enum err e = contracts_check(&call, tx->contract, tx->method, tx->args, &answer);
    if (e == OK && answer.code == CODE_OK && is_worth_a_rehearsal(tx)) {
        e = look_whether_sure(api, request, &view, tx, &answer);
    }
    buffer_free(&answer.result);
    e = e == OK ? chain_view_params(&view, &params) : e;
    chain_view_close(&view);
    if (e != OK) {
        api_fail(api, request, e, "the ledger");
        return false;
    }
    /* A chain that rested has an old block time; the next block's will be the leader's clock. */
    uint64_t latest = ledger_time_now(clock_wall_ms(), now) + params.tx_max_lifetime_ms;
    if (tx->expiry_ms <= now || tx->expiry_ms > latest) {
        bool late = tx->expiry_ms <= now;
        http_respond(
            request,
            late ? http_error(400, "TX_EXPIRED", "make it again; the default is 10 minutes ahead",
                              "the transaction has expired")
                 : http_error(400, "TX_EXPIRY_TOO_FAR", "make it again with an earlier expiry (--expires)",
                              "the transaction's expiry is more than %llu s ahead, the longest that is allowed now",
                              (unsigned long long)(params.tx_max_lifetime_ms / 1000)));
        return false;
    }
    if (answer.code != CODE_OK) {
        http_respond(request, http_error(400, code_name(answer.code), code_hint(answer.code), "%s%s%s",
                                         code_text(answer.code), answer.detail[0] != '\0' ? ": " : "", answer.detail));
        return false;
    }
    return true;
}

void api_submit(struct api *api, struct http_request *request, struct bytes envelope, enum submit_wait wait,
                uint64_t timeout_ms) {
    /* The client's own deadline lies a little behind the ledger's, so that the ledger's clearer answer wins. */
    struct submit_outcome late = {.error = ERR_TIMEOUT};
    struct http_deferred *deferred = http_defer(request, timeout_ms + 1000, refusal(&late));
    enum err e = submit_post(api->submit, envelope, wait, timeout_ms, on_done, deferred);
    if (e != OK) {
        struct submit_outcome refused = {.error = e};
        (void)http_complete(deferred, refusal(&refused));
    }
}

static void post_tx(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    if (submit_is_full(api->submit)) { /* nothing is spent on what would be refused */
        struct submit_outcome full = {.error = ERR_FULL};
        http_respond(request, refusal(&full));
        return;
    }
    struct transaction tx;
    if (!check_form(api, request, &tx) || !check_state(api, request, &tx) || !check_image(api, request, &tx)) {
        return;
    }
    const char *wait = http_text(request, "wait");
    bool finalized = wait != NULL && strcmp(wait, "finalized") == 0;
    api_submit(api, request, tx.envelope, finalized ? SUBMIT_FINALIZED : SUBMIT_ACCEPTED,
               http_number(request, "timeout_ms"));
}

enum err api_txs_routes(struct api *api, struct http_server *server) {
    static const char *const waits[] = {"finalized", "accepted", NULL};
    static const struct http_argument arguments[] = {
        {"wait", "finalized: answer when it is final; accepted: at once", HTTP_CHOICE, .choices = waits},
        {"timeout_ms", "how long to wait for finality", HTTP_NUMBER, .least = 1, .most = TIMEOUT_MAX_MS,
         .fallback = TIMEOUT_DEFAULT_MS},
        {0}};
    static const struct http_route routes[] = {
        {HTTP_POST, "/v1/txs", post_tx, .body_max = LIMIT_TX_BYTES + 1024,
         HTTP_BUDGET(64 * 1024, 0, LIMIT_TX_SIGNERS + 2), .summary = "Takes a signed transaction",
         .arguments = arguments, .answers = &submitted_shape, .media_taken = "application/octet-stream",
         .may_answer_202 = true},
        {HTTP_POST, "/v1/updates", post_tx, .body_max = LIMIT_TX_BYTES + 1024,
         HTTP_BUDGET(64 * 1024, 0, LIMIT_TX_SIGNERS + 2), .summary = "Takes a signed transaction, as /v1/txs does",
         .arguments = arguments, .answers = &submitted_shape, .media_taken = "application/octet-stream",
         .may_answer_202 = true},
    };
    return api->submit == NULL ? OK : api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}

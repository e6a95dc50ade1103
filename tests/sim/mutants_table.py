"""The deliberate breaks: name: (edits, scenario). An edit is (file, text that stands there once, what it becomes). A
mutant with a scenario is found by it alone; the others by seeds."""

RULES = "consensus/rules.c"
VIEWS = "consensus/views.c"
RESTART = "consensus/restart.c"
CORE = "consensus/consensus.c"
CORE_H = "consensus/consensus_internal.h"
CERTIFICATES = "consensus/certificates.c"
EXECUTE = "node/ledger/chain_execute.c"
CANDIDATES = "node/ledger/chain_candidates.c"
CATCHUP = "node/ledger/replica_catchup.c"
BLOCKS = "node/ledger/replica_blocks.c"
SCAN = "store/seglog_scan.c"
EFFECTS = "node/ledger/replica_effects.c"
NO_ASSERT_PROMISE = (CORE, "        ASSERT(!(views_cast(own, VOTE_NULLIFY) && views_cast(own, VOTE_FINALIZE)));\n", "")

MUTANTS = {
    "quorum of f + 1": ([
        (CORE, "core->quorum = validators_quorum(n);", "core->quorum = (uint16_t)(validators_faulty(n) + 1);"),
        (CERTIFICATES, "parts.signers < validators_quorum(n)", "parts.signers < validators_faulty(n) + 1"),
    ], None),
    "no journal sync before sending": ([
        ("node/ledger/replica.c", "        e = replica_sync_journal(r);\n", "        e = OK;\n"),
    ], None),
    "votes forgotten at a restart": ([
        (RESTART, "        restore_vote(core, &restored->votes[i], out);\n", ""),
    ], None),
    "stale parent accepted": ([
        (RULES, "        ask_certificates(core, slot, missing, out);\n        return false;\n    case ANCESTRY_REFUSED:\n"
                "        slot->proposal_bad = true;\n        return true;\n", "    case ANCESTRY_REFUSED:\n"),
    ], None),
    "roots unchecked": ([
        (EXECUTE, "    return which == NULL;\n", "    return true;\n"),
    ], None),
    "finalize after nullify": ([
        (RULES, "if (other || too_early || views_cast(own, VOTE_NULLIFY) ||", "if (other || too_early ||"),
        (RULES, "    ASSERT(kind == VOTE_NULLIFY || !views_cast(own, VOTE_NULLIFY));\n", ""),
        NO_ASSERT_PROMISE,
    ], None),
    "nullify after finalize": ([
        (RULES, "    if (views_cast(own, VOTE_NULLIFY) || views_cast(own, VOTE_FINALIZE)) {\n",
                "    if (views_cast(own, VOTE_NULLIFY)) {\n"),
        (RULES, "    ASSERT(kind != VOTE_NULLIFY || !views_cast(own, VOTE_FINALIZE));\n", ""),
        (RULES, "kind == VOTE_FINALIZE ? slot->view : slot->view - 1", "slot->view - 1"),
        (RESTART, "vote->subject.kind == VOTE_FINALIZE ? view + 1 : view", "view"),
        (CORE, "        ASSERT(!views_cast(own, VOTE_FINALIZE) || v < core->view);\n", ""),
        NO_ASSERT_PROMISE,
    ], None),
    "second proposal of a view voted on": ([
        (VIEWS, "        note_equivocation(core, slot, &slot->proposal, &vote, out);\n        return false;\n", ""),
        (RULES, "    if (views_cast(own, VOTE_NOTARIZE) || views_cast(own, VOTE_NULLIFY) || block == NULL",
                "    if (views_cast(own, VOTE_NULLIFY) || block == NULL"),
        (RULES, "    ASSERT(!views_cast(own, kind));\n",
                "    if (kind != VOTE_NULLIFY && views_cast(own, kind) && core_same(own->blocks[kind], block)) {\n"
                "        return;\n    }\n"),
        (RULES, "    cast(core, slot, VOTE_NOTARIZE, block->hash, out);\n    return true;\n",
                "    cast(core, slot, VOTE_NOTARIZE, block->hash, out);\n    return false;\n"),
    ], None),
    "proposal of another than the leader": ([
        (VIEWS, "                                  .signer = core_leader(core, view)};\n",
                "                                  .signer = header->proposer < core->n ? header->proposer\n"
                "                                                                       : core_leader(core, view)};\n"),
    ], None),
    "signatures in certificates unchecked": ([
        (VIEWS, "        if (!known && !views_signature_good(core, &vote)) {\n", "        if (!known && false) {\n"),
    ], None),
    "used ids unchecked": ([
        (EXECUTE, "    *out_used = e == OK;\n", "    *out_used = false;\n"),
    ], None),
    "finalize without the bodies": ([
        (RULES, "            !bodies_at_hand(core, slot, hash, false, out)) {\n", "            false) {\n"),
    ], None),
    "view left without a certificate": ([
        (RULES, "    if (core->top_certified < core->view) {\n        return false;\n",
                "    const struct slot *mine = views_get(core, core->view);\n"
                "    if (mine != NULL && core_is_validator(core) && core->top_certified < core->view &&\n"
                "        views_cast(views_own(core, mine), VOTE_NULLIFY)) {\n"
                "        core->top_certified = core->view;\n    }\n"
                "    if (core->top_certified < core->view) {\n        return false;\n"),
    ], None),
    "certificate of another epoch": ([
        (VIEWS, "parts.subject.epoch != core->config.epoch ||", "false ||"),
    ], "a set comes back"),
    "child of a closing block in its own epoch": ([
        (RULES, "    if (block != NULL && block->closes) {\n", "    if (false) {\n"),
        (EXECUTE, "    if (h->epoch == parent->epoch && block_header_closes(parent)) {\n", "    if (false) {\n"),
        (EXECUTE, " || (branch.count > 0 && block_header_closes(&branch.header))) {\n", ") {\n"),
    ], None),
    "new epoch on a notarized closing block": ([
        (RULES, "    for (uint64_t v = core->top_finalized; v > core->final_view; v--) {\n",
                "    for (uint64_t v = core->top_notarized; v > core->final_view; v--) {\n"),
        (RULES, "        struct held_certificate *held = slot != NULL ? &slot->certificates[VOTE_FINALIZE] : NULL;\n",
                "        struct held_certificate *held = slot != NULL ? &slot->certificates[VOTE_FINALIZE] : NULL;\n"
                "        struct held_certificate *taken = slot != NULL ? &slot->certificates[VOTE_NOTARIZE] : NULL;\n"
                "        struct slot_block *last =\n"
                "            taken != NULL && taken->len != 0 ? views_block(slot, taken->block) : NULL;\n"
                "        if (held != NULL && held->len == 0 && last != NULL && last->closes) {\n"
                "            held = taken;\n        }\n"),
    ], None),
    "block log not durable at a new epoch": ([
        ("node/ledger/replica_open.c", "    enum err e = replica_sync_chain(r);\n", "    enum err e = OK;\n"),
    ], "epochs change, and power"),
    "bodies not journaled": ([
        (EFFECTS, "        if (body.data != NULL) {\n            e = journal_body(",
                                          "        if (body.data == NULL) {\n            e = journal_body("),
    ], None),
    "certificates not journaled": ([
        (RULES, "            if (held->len != 0 && !held->journaled) {\n", "            if (false) {\n"),
    ], "proof of a view"),
    "journal shortened too far": ([
        (EFFECTS, "block_header_closes(head) ? UINT64_MAX : head->view", "UINT64_MAX"),
    ], None),
    "nothing is resent": ([
        ("consensus/pace.c", "    return core->active && core->now_ms >= resend_at(core);\n",
                             "    return false && core->now_ms >= resend_at(core);\n"),
    ], None),

    # ---- Catch-up ----
    "catch-up takes any kind of certificate": ([
        (CATCHUP, "subject.kind != VOTE_FINALIZE || ", ""),
    ], None),
    "catch-up takes a certificate of another epoch": ([
        (CATCHUP, " subject.epoch != r->epoch.number ||", ""),
    ], "another epoch"),
    "catch-up takes another block's certificate": ([
        (CATCHUP, "        memcmp(subject.block, hash, HASH_LEN) != 0 || ", "        "),
    ], None),
    "quorum of one in certificates": ([
        ("verify/certificate.c", "signers >= validators_quorum(n)", "signers >= 1"),
    ], None),
    "catch-up checks no signatures": ([
        ("verify/certificate.c", "        if (!crypto->ed25519_verify(set->keys[i], message, sizeof message, sig)) {\n",
                                 "        if (!crypto->ed25519_verify(set->keys[i], message, sizeof message, sig) && false) {\n"),
    ], None),
    "nobody catches up": ([
        (CATCHUP, "    if (r->behind_since_ms == 0 || r->mono_ms < r->behind_since_ms + patience(r)) {\n",
                  "    if (r->mono_ms >= r->behind_since_ms) {\n"),
    ], None),
    # ---- Recall ----
    "no recall before the first vote": ([
        (RESTART, "    core->recalling = core_is_validator(core) && core->config.may_vote && core->n > 1;\n",
                  "    core->recalling = false;\n"),
    ], None),
    "any one answer ends a recall": ([
        (RESTART, "(waited && answers >= core->quorum - 1)", "answers >= 1"),
    ], None),
    "answers to a recall are not checked": ([
        (RESTART, " && views_signature_good(core, vote)) {\n", ") {\n"),
    ], None),
    "a vote of ours in a recall stops nobody": ([
        (RESTART, "            restart_found_own(core, vote, out);\n", "            (void)out;\n"),
    ], None),
    "a vote of ours in a certificate stops nobody": ([
        (VIEWS, "                restart_found_own(core, &vote, out);\n            }\n        } else",
                "                (void)out;\n            }\n        } else"),
    ], None),
    "who refuses votes all the same": ([
        (CORE_H, "!core->recalling && !core->refused &&", "!core->recalling &&"),
    ], None),
    "votes of others are not remembered": ([
        (VIEWS, "    fill_in(slot, vote);\n    views_remember(core, vote);\n", "    fill_in(slot, vote);\n"),
    ], None),
    "proposals forgotten at a restart": ([
        (RESTART, "        restore_proposal(core, &restored->proposals[i]);\n", ""),
    ], None),
    # ---- Evidence ----
    "a contradiction is not reported": ([
        (VIEWS, "    struct consensus_effect *effect = core_effect(out, EFFECT_EVIDENCE, signer, slot->view);\n",
                "    struct consensus_effect scratch, *effect = &scratch;\n"),
    ], None),
    "a broken promise is not reported": ([
        (VIEWS, "    return views_cast(b, kind) && (kind == VOTE_NULLIFY || !core_same(b->blocks[kind], finalized));\n",
                "    return b->cast == UINT8_MAX && finalized == b->blocks[kind];\n"),
    ], None),
    # ---- Late votes ----
    "late votes are not remembered": ([
        (VIEWS, "    raise(&core->peers[vote->signer].late[vote->subject.kind], vote);\n", ""),
    ], None),
    "late votes that contradict are not checked": ([
        (VIEWS, "core_same(held->block, vote->subject.block) &&\n"
                "           !would_contradict(&slot->ballots[vote->signer], vote->subject.kind, vote->subject.block);\n",
                "core_same(held->block, vote->subject.block);\n"),
    ], None),
    "votes are not checked before their quorum either": ([
        (VIEWS, "    return from == vote->signer && held->len != 0 && core_same(held->block, vote->subject.block) &&\n",
                "    return from == vote->signer && held->len == 0 &&\n"),
        (CORE, "            ASSERT(views_unchecked_is_late(core, slot, kind));\n", ""),
    ], None),
    "a late vote that was never checked is evidence": ([
        (VIEWS, "        if (views_signature_good(core, &vote)) {\n            views_remember(core, &vote);\n",
                "        if (vote.signer < core->n) {\n            views_remember(core, &vote);\n"),
    ], "unit consensus/test_late_votes"),
    "votes for another block than the certificate's are late": ([
        (VIEWS, "held->len != 0 && core_same(held->block, vote->subject.block) &&\n", "held->len != 0 &&\n"),
    ], "unit consensus/test_late_votes"),
    "a finalize vote that was never checked is evidence": ([
        (VIEWS, "            stands(core, slot, signer, VOTE_FINALIZE) && stands(core, slot, signer, kind)) {\n",
                "            stands(core, slot, signer, kind)) {\n"),
    ], "unit consensus/test_late_votes"),
    "an older late vote is told": ([
        (VIEWS, "    if (late->any && (!highest->any || late->vote.subject.view > highest->vote.subject.view) &&\n",
                "    if (late->any &&\n"),
    ], "unit consensus/test_late_votes"),
    "late votes are told unchecked": ([
        (VIEWS, " &&\n        views_signature_good(core, &late->vote)) {\n", ") {\n"),
    ], "unit consensus/test_late_votes"),
    "what others say is a late vote": ([
        (VIEWS, "    return from == vote->signer && held->len", "    return from < UINT16_MAX && held->len"),
    ], "unit consensus/test_late_votes"),
    "late votes show no sign of life": ([
        (VIEWS, "        core->peers[vote->signer].silent = false;\n        record_unchecked(", "        record_unchecked("),
    ], "unit consensus/test_late_votes"),
    # ---- Certificates to whom they help ----
    "nobody is helped into a view": ([
        ("consensus/pace.c", "    return is_help_due(core) && core->now_ms >= help_at(core);\n", "    return false && is_help_due(core);\n"),
    ], "unit consensus/test_rules"),
    "everybody is helped into every view": ([
        (RESTART, " && core->peers[i].reached < core->view) {\n", ") {\n"),
    ], "unit consensus/test_rules"),
    "who begins anew is taken to be where it was": ([
        (RESTART, "    core->peers[event->from].reached = 0; /* it begins anew, and what it lost it may lack */\n", ""),
    ], "unit consensus/test_late_votes"),
    "late votes show nobody's view": ([
        (VIEWS, "    raise(&core->peers[vote->signer].late[vote->subject.kind], vote);\n    note_reached(core, vote);\n",
                "    raise(&core->peers[vote->signer].late[vote->subject.kind], vote);\n"),
    ], "unit consensus/test_late_votes"),
    # ---- Blocks ----
    "signatures of transactions unchecked": ([
        (EXECUTE, " && !chain->replaying && !signatures_good(chain, tx)) {\n", " && false && !signatures_good(chain, tx)) {\n"),
    ], None),
    "a transaction twice in a block": ([
        (EXECUTE, "        *out = *out || compare_ids(&sorted[i - 1], &sorted[i]) == 0;\n", ""),
    ], None),
    "expired transactions in blocks": ([
        (EXECUTE, "    } else if (tx->expiry_ms <= time_ms) {\n", "    } else if (false) {\n"),
        (EXECUTE, "    return tx->expiry_ms > time_ms && tx->expiry_ms - time_ms <=",
                  "    return tx->expiry_ms <= time_ms || tx->expiry_ms - time_ms <="),
    ], None),
    "untimely transactions in blocks": ([
        (EXECUTE, "    } else if (!chain_tx_is_timely(params, tx, time_ms)) {\n", "    } else if (false) {\n"),
    ], None),
    "transactions of other chains in blocks": ([
        (EXECUTE, "    if (memcmp(tx->chain_id, chain->id, CHAIN_ID_LEN) != 0) {\n", "    if (false) {\n"),
    ], None),
    "blocks over the limit": ([
        (EXECUTE, "    if (block->tx_count > params.max_block_txs ||", "    if ("),
    ], "over a limit"),
    "header of another proposer": ([
        (VIEWS, "header->proposer != vote.signer;", "false;"),
    ], None),
    "any block may be proposed again": ([
        # The core keeps the rule in two places: what is no closing block gets no verdict in a later view either.
        (VIEWS, "again ? !block_header_closes(header) :", "again ? false :"),
        (CORE, "    uint64_t end = event->u.block.closes ? core->final_view + CONSENSUS_WINDOW : 0;\n",
               "    uint64_t end = core->final_view + CONSENSUS_WINDOW;\n"),
    ], None),
    "a time that is not later than the parent's": ([
        (EXECUTE, "    if (h->time_ms <= parent->time_ms) {\n", "    if (false) {\n"),
    ], None),
    "a height that is not the next": ([
        (EXECUTE, "    if (h->height != parent->height + 1) {\n", "    if (false) {\n"),
    ], None),
    "another validator set in a header": ([
        (EXECUTE, "    return memcmp(h->validators_hash, chain->epoch.hash, HASH_LEN) != 0 ?", "    return false ?"),
    ], None),
    "the receipts root unchecked": ([
        (EXECUTE, "    } else if (memcmp(h->receipts_root, r->receipts_root, HASH_LEN) != 0) {\n", "    } else if (false) {\n"),
    ], None),
    "the next set unchecked": ([
        (EXECUTE, "    } else if (memcmp(h->next_validators_hash, next_hash(chain, outcome->next), HASH_LEN) != 0) {\n",
                  "    } else if (false) {\n"),
    ], None),
    "parameters of the head and not of the parent": ([
        (EXECUTE, "    *out = record.params;\n", "    *out = chain->params;\n"),
    ], None),
    # ---- Room ----
    "no budget for a proposer": ([
        (CANDIDATES, "offered + len > chain->limits.proposer_bytes", "false"),
    ], "liar fills"),
    "old proposals keep their place": ([
        (CANDIDATES, "offer->worth <= CHAIN_WORTH_OFFERED && offered + len > chain->limits.proposer_bytes", "false"),
        (CANDIDATES, "            goes = victim(chain, &ranking, offer, offered + len);\n", "            goes = NULL;\n"),
        (CANDIDATES, "            goes = goes == NULL && offered > 0 ? oldest_of(chain, &ranking, offer->payer) : goes;\n", ""),
    ], "liar fills"),
    # ---- Clocks ----
    "proposals ahead of every clock": ([
        (BLOCKS, "    bool ahead = h->time_ms > r->wall_ms + r->config.timing.max_ahead_ms;\n", "    bool ahead = false;\n"),
    ], None),
    "proposals long past": ([
        (BLOCKS, "    bool behind = h->time_ms + r->config.timing.max_behind_ms < r->wall_ms;\n", "    bool behind = false;\n"),
    ], "long past"),
    # ---- Claims ----
    "the highest claim is believed": ([
        (CATCHUP, "    size_t kept = (size_t)validators_faulty(r->epoch.count) + 1;\n", "    size_t kept = 1;\n"),
    ], None),
    # ---- Disks ----
    "no sync of the block log before a checkpoint": ([
        ("node/ledger/chain_final.c", "    enum err e = chain_sync(chain);\n    return e == OK ? kv_checkpoint_begin(",
                                      "    enum err e = OK;\n    return e == OK ? kv_checkpoint_begin("),
    ], None),
    "a new folder is not synced in its parent": ([
        ("store/disk_files.c", "    return e == OK || e == ERR_EXISTS ? sync_parent(disk, path) : e;\n",
                               "    return e == ERR_EXISTS ? OK : e;\n"),
    ], None),
    "a new segment is not synced in its folder": ([
        ("store/seglog_segment.c", "        log->spare_count -= log->spare_count > 0;\n"
                                   "        e = log->disk.ops->sync_dir(log->disk.ctx, log->dir);\n",
                                   "        log->spare_count -= log->spare_count > 0;\n"),
    ], None),
    "what a failed sync left is not written again": ([
        (SCAN, "        e = write_again(w);\n", "        e = OK;\n"),
    ], None),
    # ---- Used ids ----
    "a snapshot's bodies may begin anywhere": ([
        ("node/snapshot/snapshot_window.c", "        e = whole ? OK : ERR_INVALID;\n", "        e = whole ? OK : OK;\n"),
    ], "sources lie"),
    "the least time is refused like any that is ahead": ([
        (BLOCKS, "    if (parent != NULL && h->time_ms == block_next_time(parent, 0)) {\n", "    if (false) {\n"),
    ], "clocks were ahead"),
    "more is proposed and voted for than can stand": ([
        (BLOCKS, " && !replica_is_crowded(r, hash);", ";"),
    ], "a leader fills blocks"),
    "less may stand above the head than views are kept": ([
        (EXECUTE, "branch.count >= LIMIT_UNFINAL_DEPTH", "branch.count >= 64"),
    ], "two of four give up"),
    "only the present lifetime counts": ([
        ("contracts/governance/governance.c", "time_ms < w->until_ms && w->longest_ms > lifetime ? w->longest_ms : lifetime;\n",
                                   "lifetime;\n"),
    ], "lifetimes are voted down"),
    "votes of a later epoch are forgotten": ([
        ("node/ledger/replica_restore.c", "    if (vote->subject.epoch < r->epoch.number) {\n",
                                          "    if (vote->subject.epoch != r->epoch.number) {\n"),
    ], "a ledger is lost"),
    "synced damage is cut like a torn tail": ([
        ("store/seglog_scan.c", "    if (e == OK && tail.synced >= w->sequence) {\n", "    if (false) {\n"),
    ], "bits rot"),
    "what a list of snapshots says is believed": ([
        ("node/snapshot/snapshot_join.c", "    return proven.height == offer->height && proven.time_ms == offer->time_ms ? OK : ERR_INVALID;\n",
                                 "    return OK;\n"),
        ("node/snapshot/snapshot_join.c", "    snapshot_fetch_refuse_false(j->fetch, &proven);\n", ""),
    ], "sources lie"),
    "an empty block may crowd": ([
        ("node/ledger/chain_candidates.c", "c != NULL && c->block.tx_count > 0 && ", "c != NULL && "),
    ], "a leader fills blocks"),
    "a gateway begins from where it stood however long ago": ([
        ("verify/freshness.c", "[FOLLOWER_GATEWAY] = {true, true}", "[FOLLOWER_GATEWAY] = {true, false}"),
    ], "unit verify/test_freshness"),
    "a gateway shows heads of any age": ([
        ("verify/freshness.c", "limit_ms > 0 && is_older(head_ms, now_ms, limit_ms) ? BAD_STALE : GOOD", "GOOD"),
    ], "unit verify/test_freshness"),
    "a due item that writes too much is kept all the same": ([
        ("node/ledger/execute.c", "    if (operation_is_over(op)) {\n        operation_begin(", "    if (false) {\n        operation_begin("),
    ], "unit node/ledger/test_execute_due"),
    "what an item makes due is done in the same block": ([
        ("contracts/kernel/due_queue.c", "        item.due_ms = call->time_ms + 1;\n", "        item.due_ms = call->time_ms;\n"),
    ], "unit contracts/kernel/test_due_queue"),
    "one kind of due items takes the turns of all": ([
        ("contracts/kernel/due_queue.c", "    if (!lane->empty && round->in_turn < DUE_TURN) {\n", "    if (!lane->empty) {\n"),
    ], "unit contracts/kernel/test_due_queue"),
    "a recount goes over nobody but the first": ([
        ("contracts/governance/governance_vote.c", "    e = found ? recount_put(call, &place) : recount_end(call);\n",
                                        "    e = recount_end(call);\n"),
    ], "unit contracts/governance/test_governance_recount"),
    # ---- What only an invariant shows ----
    # Nothing else of the simulator or the unit tests finds these: accounts and copies that nobody reads until it is too late.
    "bytes of what stood in a block stay counted": ([
        ("node/ledger/mempool.c", "    pool->bytes -= gone->tx.envelope.len;\n",
                                  "    pool->bytes -= gone->in_block ? 0 : gone->tx.envelope.len;\n"),
    ], None),
    "a layer's filter is not counted": ([
        ("store/kv_layer.c", "    layer->bytes += size;\n", ""),
    ], None),
    "several blocks final at once prove no less": ([
        ("node/ledger/chain_final.c", "        chain->provable_from = from;\n",
                                      "        chain->provable_from = n == 1 ? from : chain->provable_from;\n"),
    ], None),
}

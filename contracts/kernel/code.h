/* Every answer a contract can give, in one list.
 *
 * The number stands in receipts and never changes or gets a new meaning; the name (without CODE_) is what people and
 * programs read (`RELEASE_SEQUENCE_TOO_LOW`), the text says what is wrong, the hint says what to do about it.
 * 0..99 any contract, 100.. governance and author, 200.. firmware, 300.. device, 400.. update.
 *
 * The outcomes of a device's `update.verify` that the ledger records (revoked, expired, exhausted, mismatch) are not
 * here: their transaction is carried out (CODE_OK) and the outcome is in its result, its detail, and the device's
 * status record.
 */
#ifndef ASSAY_CONTRACTS_KERNEL_CODE_H
#define ASSAY_CONTRACTS_KERNEL_CODE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Number, name, text, hint. */
#define CODE_LIST(X)                                                                                                   \
    X(0, OK, "done", "")                                                                                               \
    X(1, UNKNOWN_METHOD, "no such contract or method", "check the name; this node may run an older protocol version")  \
    X(2, BAD_ARGUMENTS, "the arguments can't be decoded or break a rule", "see the detail for the argument")           \
    X(3, NOT_AUTHORIZED, "the signers may not do this", "sign with a key the method asks for; see docs/contracts")     \
    X(4, UNKNOWN_SENDER, "no signer is known to this chain", "register the key first")                                 \
    X(5, TEXT_NOT_CLEAN, "a text is not UTF-8, or holds what is not seen on a screen", "see the detail")               \
    X(6, TEXT_TOO_LONG, "a text is over its limit", "shorten it")                                                      \
    X(7, TOO_MANY_WRITES, "it would write more than one operation may", "do it in smaller steps")                      \
    X(100, ORG_UNKNOWN, "no such organisation", "list organisations with `assay org list`")                            \
    X(101, ORG_WRONG_KIND, "the organisation is not of the kind this needs", "use an organisation of the right kind")  \
    X(102, ADMIN_THRESHOLD, "too few admins of the organisation signed",                                               \
      "collect more admins' signatures: --cosigner with --out, then 'assay tx sign'")                                  \
    X(103, ORG_EXISTS, "an organisation has this id already", "choose another id")                                     \
    X(104, ORG_LIMIT, "there are as many organisations as there may be", "remove one first")                           \
    X(105, ORG_LAST, "the last organisation can't be removed", "admit another first")                                  \
    X(106, ORG_HAS_VALIDATORS, "the organisation still has validators", "remove or replace its validators first")      \
    X(107, ORG_LEAVING, "nodes of a removed organisation of this id are still being taken away",                       \
      "try again some blocks later")                                                                                   \
    X(108, ADMIN_KEY_TAKEN, "the key is an admin of another organisation",                                             \
      "use a key of your own for each organisation")                                                                   \
    X(110, AUTHOR_UNKNOWN, "no such author", "register the key with `assay author register`")                          \
    X(111, AUTHOR_EXISTS, "this author key is registered already", "use another key")                                  \
    X(112, AUTHOR_REVOKED, "the author key was revoked", "sign with another author's key")                             \
    X(113, AUTHOR_EXPIRED, "the author key's lifetime is over", "register a fresh key")                                \
    X(114, AUTHOR_KEY_INVALID, "not a usable public key of its type", "give 32 bytes of Ed25519 or a 65-byte point")   \
    X(115, AUTHOR_NO_POSSESSION, "possession of the author key is not proven",                                         \
      "co-sign with the author key, or give its signature over the possession text")                                   \
    X(116, AUTHOR_LIFETIME, "the lifetime is not allowed", "choose an expiry ahead of now, at most 5 years")           \
    X(117, DELEGATION_INVALID, "the delegation is malformed, of another chain or key, or not signed by the root key",  \
      "have the vendor's root key sign a delegation for this chain, key and class")                                    \
    X(118, DELEGATION_NOT_COVERING, "the author's delegation does not cover this class and sequence",                  \
      "register an author whose delegation covers them")                                                               \
    X(120, NODE_UNKNOWN, "no such node", "register it with `assay member add`")                                        \
    X(121, NODE_EXISTS, "a node has this signing key already", "use another key")                                      \
    X(122, LINK_KEY_TAKEN, "another node has this link key", "make a link key of its own for each node")               \
    X(123, NODE_ROLE, "the node is not of the role this needs", "see the detail")                                      \
    X(124, NODE_ADDRESS, "an address of the node can't be used", "give host:port, and http://... or https://...")      \
    X(125, NODE_LIMIT, "there are as many nodes as there may be", "remove one first; see the detail")                  \
    X(126, NODE_NO_POSSESSION, "possession of the node's key is not proven", "co-sign with the node's own key")        \
    X(127, NODE_IS_VALIDATOR, "the node is a validator", "have it removed as validator by a proposal first")           \
    X(128, NODE_CONVICTED, "evidence stands against this key", "register the node under a fresh key")                  \
    X(130, VALIDATOR_UNKNOWN, "no such validator", "list validators with `assay member list`")                         \
    X(131, VALIDATOR_EXISTS, "the node is a validator already", "nothing to do")                                       \
    X(132, VALIDATOR_LIMIT, "there are as many validators as there may be", "remove or replace one")                   \
    X(133, VALIDATOR_LAST, "the last validator can't be removed", "replace it, or add another first")                  \
    X(140, PROPOSAL_UNKNOWN, "no such proposal", "the proposal id is the propose transaction's id")                    \
    X(141, PROPOSAL_CLOSED, "the proposal is not open any more", "propose it again")                                   \
    X(142, PROPOSAL_LIMIT, "too many proposals are open", "wait until some are decided, or withdraw one")              \
    X(143, PROPOSAL_LIFETIME, "the lifetime is out of range", "choose 1 minute to 90 days")                            \
    X(144, PROPOSAL_NO_EFFECT, "the change would change nothing", "nothing to do")                                     \
    X(145, VOTE_EXISTS, "the organisation has voted already", "a vote can't be changed")                               \
    X(146, PARAM_UNKNOWN, "no such parameter", "see docs/contracts for the parameters")                                \
    X(147, PARAM_RANGE, "the value is out of the parameter's range", "see docs/contracts for the ranges")              \
    X(148, PROTOCOL_LOWER, "the protocol version never falls", "give a version above the present one")                 \
    X(149, PROTOCOL_HEIGHT_PASSED, "the height is not ahead of this block", "propose a later height")                  \
    X(150, EVIDENCE_NO_CONTRADICTION, "the two votes may both exist", "see docs/contracts for what contradicts")       \
    X(151, EVIDENCE_SIGNATURE, "a vote is not signed by this validator for this chain",                                \
      "give both votes as they were signed")                                                                           \
    X(152, EVIDENCE_NOT_VALIDATOR, "the key is no validator's", "nothing to do")                                       \
    X(153, EVIDENCE_RECORDED, "evidence stands against this key already", "nothing to do")                             \
    X(154, EVIDENCE_NONE, "no evidence stands against this validator", "use remove_validator")                         \
    X(200, CLASS_UNKNOWN, "no such device class", "define it with `assay class define`")                               \
    X(201, CLASS_EXISTS, "the class is defined already", "use it, or choose another name")                             \
    X(202, CLASS_INVALID, "the class definition breaks a rule", "see the detail")                                      \
    X(203, RELEASE_UNKNOWN, "no such release", "list releases with `assay release list`")                              \
    X(204, RELEASE_EXISTS, "this very release is registered already", "nothing to do")                                 \
    X(205, RELEASE_ENVELOPE_INVALID, "the SUIT envelope can't be accepted", "see the detail; check with `assay suit`") \
    X(206, RELEASE_NOT_SIGNED_BY_AUTHOR, "no author of the class signed the envelope",                                 \
      "sign with a registered, unexpired author of the class")                                                         \
    X(207, RELEASE_WRONG_VENDOR, "the manifest is for another vendor", "set the vendor id of the class")               \
    X(208, RELEASE_WRONG_CLASS, "the manifest is for another class", "set the class id of the class")                  \
    X(209, RELEASE_SEQUENCE_TOO_LOW, "the sequence number is not above every one released for the class",              \
      "use a higher sequence number")                                                                                  \
    X(210, RELEASE_SEQUENCE_TOO_FAR, "the sequence number jumps too far ahead", "use a sequence nearer to the last")   \
    X(211, RELEASE_BELOW_FLOOR, "the sequence number is below the floor of the class", "use a higher sequence number") \
    X(212, RELEASE_DIGEST_MISMATCH, "the image digest differs from the manifest's", "sign the manifest of this image") \
    X(213, RELEASE_SIZE_MISMATCH, "the image size differs from the manifest's", "sign the manifest of this image")     \
    X(214, RELEASE_COMPONENT_UNKNOWN, "the class has no such component slot", "use a component of the class")          \
    X(215, RELEASE_TOO_BIG_FOR_SLOT, "the image does not fit the component slot", "make the image smaller")            \
    X(216, RELEASE_DEPENDENCY_UNKNOWN, "a dependency is not registered", "register the dependency first")              \
    X(217, RELEASE_DEPENDENCY_REVOKED, "a dependency is revoked", "depend on a release that is not revoked")           \
    X(218, RELEASE_CID_INVALID, "a CID is not a CIDv1 with SHA-256", "give the binary CID, 36 bytes")                  \
    X(219, RELEASE_REVOKED, "the release is revoked", "choose another release")                                        \
    X(220, RELEASE_PENDING, "the release still waits for signers", "have further authors approve it")                  \
    X(221, RELEASE_NOT_PENDING, "the release does not wait for signers", "nothing to do")                              \
    X(222, RELEASE_ALREADY_APPROVED, "this author has approved it already", "another author must approve")             \
    X(223, RELEASE_EXPIRED, "the release expired before enough authors signed", "register it again")                   \
    X(224, FLOOR_MUST_RISE, "the floor never falls", "give a sequence above the present floor")                        \
    X(225, FLOOR_TOO_FAR, "the floor is above every released sequence", "release that sequence first")                 \
    X(300, DEVICE_UNKNOWN, "no such device", "register it through its gateway")                                        \
    X(301, DEVICE_EXISTS, "the device is registered already", "nothing to do")                                         \
    X(302, DEVICE_KEY_INVALID, "not a usable device key of its type", "give 32 bytes of Ed25519 or a 65-byte point")   \
    X(303, DEVICE_HARDWARE_TOO_OLD, "the hardware revision is below the class's minimum", "use another class")         \
    X(304, DEVICE_ALREADY_ENDORSED, "the device is endorsed already", "nothing to do")                                 \
    X(305, GATEWAY_UNKNOWN, "no such gateway", "name the key of a node of role gateway")                               \
    X(400, UPDATE_UNKNOWN, "no such update", "the update id is the push transaction's id")                             \
    X(401, UPDATE_NOT_A_TARGET, "the device is not a target of this update", "push an update that names the device")   \
    X(402, UPDATE_NO_TARGETS, "the update names no target", "name devices or the class")                               \
    X(403, UPDATE_TOO_MANY_TARGETS, "more devices than one push may name", "push to at most 64, or to the class")      \
    X(404, UPDATE_TARGET_REPEATED, "a device is named twice", "name each device once")                                 \
    X(405, UPDATE_WRONG_CLASS, "a target is of another class than the release", "push it to devices of its class")     \
    X(406, UPDATE_WINDOW_RANGE, "the window is out of range", "choose 100 ms to 30 days")                              \
    X(407, UPDATE_MAX_FAILED_RANGE, "the failed-attempt limit is out of range", "choose 1 to 100")                     \
    X(410, STATEMENT_INVALID, "not a device statement", "see the detail")                                              \
    X(411, STATEMENT_WRONG_CHAIN, "the statement is for another chain", "make it for this chain")                      \
    X(412, STATEMENT_WRONG_KIND, "the statement is of another kind than the method", "send it to its own method")      \
    X(413, STATEMENT_SIGNATURE, "the device's signature does not verify", "sign with the device's key")                \
    X(414, STATEMENT_REPLAYED, "the device's counter did not rise", "make a new statement with a higher counter")      \
    X(415, REPORT_OUT_OF_ORDER, "the report does not fit the device's status", "report after a successful verify")     \
    X(416, UPDATE_NOT_OPEN, "the device's window is not open yet", "send the device's open first")                     \
    X(417, REPORT_CONTRADICTS, "the report does not fit the release", "report the release's own digest and sequence")

enum code {
#define CODE_ENUM(number, name, text, hint) CODE_##name = (number),
    CODE_LIST(CODE_ENUM)
#undef CODE_ENUM
};

/* "RELEASE_SEQUENCE_TOO_LOW", what is wrong, what to do. Never NULL: a number of a newer version is "UNKNOWN_CODE". */
const char *code_name(uint32_t number);
const char *code_text(uint32_t number);
const char *code_hint(uint32_t number);
/* Does it depend on nothing but the operation itself, so that it is the answer whatever stands in front of it? */
bool code_is_sure(enum code code);

#endif

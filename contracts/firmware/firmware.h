/* Contract "firmware": classes and their releases. Records: class_definition.h, release.h, verify/class_record.h.
 *
 * Methods (contracts/firmware/firmware.proto):
 *   define_class
 *       enough admins of the owner, an organisation of kind vendor
 *   register
 *       an author of the class, or enough admins of its owner. Refused, in this order, unless: class known; signer
 *       allowed; SUIT envelope well-formed and its digest right; signed by at least one author of the class who is
 *       registered, unrevoked, unexpired and whose delegation covers class and sequence; manifest a plain release;
 *       vendor and class are the class's; sequence above every one released for the class, at most
 *       FIRMWARE_SEQUENCE_JUMP_MAX above the highest (so the first is at most 2^40), never 2^64 - 1; digest and size
 *       equal to the arguments'; CIDs well-formed (a raw CID must carry the image's own digest); component slot known
 *       and big enough; dependencies released and not revoked; texts clean and bounded.
 *       Authors who signed the envelope or the transaction count as signers. With fewer than the class asks for the
 *       release is pending and expires after FIRMWARE_PENDING_MS; pending ones don't raise the bar.
 *   approve
 *       further authors of the class, by signing the transaction: the release id covers the record
 *   revoke
 *       enough admins of the class's owner, with a reason; latest is computed anew
 *   set_minimum_sequence
 *       enough admins of the class's owner; above the present floor, at most one above the highest released sequence
 *       (which leaves nothing to install until the next release)
 */
#ifndef ASSAY_CONTRACTS_FIRMWARE_FIRMWARE_H
#define ASSAY_CONTRACTS_FIRMWARE_FIRMWARE_H

#include "contracts/firmware/release.h"
#include "contracts/kernel/table.h"

#define FIRMWARE_SEQUENCE_JUMP_MAX (1ull << 40)
#define FIRMWARE_PENDING_MS (7ull * 24 * 60 * 60 * 1000)

/* Kind of item that falls due. Subject: release id (32). */
#define DUE_PENDING_RELEASE 2u

/* Its row's part of the table of contracts. */
extern const struct method firmware_methods[];
extern const struct due_handler firmware_due[];

#endif

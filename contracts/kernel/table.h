/* What a contract gives the table of contracts (contracts/contracts.c), which dispatch and everything else that goes by
 * contract, method, event or kind of due item reads. */
#ifndef ASSAY_CONTRACTS_KERNEL_TABLE_H
#define ASSAY_CONTRACTS_KERNEL_TABLE_H

#include "contracts/kernel/contract.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct genesis;
struct genesis_checking;

struct method {
    const char *name;
    const char *about; /* what a signer does with it, for people */
    const struct ProtobufCMessageDescriptor *args;
    enum err (*run)(const struct call *call, const struct ProtobufCMessage *args, struct answer *answer);
    enum contract_event event; /* what subscribers hear of one that was carried out, beside the transaction itself */
    uint32_t args_max;         /* longer arguments are not taken from clients and peers; 0: METHOD_ARGS_MAX */
    bool for_devices;          /* a device's key may be the first signer */
};
#define METHOD_ARGS_MAX 4096u

/* NULL: there is no such method. */
const struct method *contracts_method(struct bytes contract, struct bytes method);

/* What is done about a kind of item that falls due (due_queue.h), and what is left to do when that was too much. The
 * subject has the length that `run` asked for by the time `refused` sees it. */
struct due_handler {
    uint8_t kind; /* 1 to DUE_KINDS_MAX; numbers stand in the state and never change */
    enum err (*run)(const struct call *call, struct bytes subject);
    enum err (*refused)(const struct call *call, struct bytes subject);
};

/* A row of the table of contracts (contracts/contracts.c). Hooks that are NULL are not called. */
struct contract {
    const char *name;
    const struct method *methods; /* ends with a NULL name */
    /* Who may be the first signer of an operation; it pays the quota, so it must be somebody. */
    enum err (*sender_known)(const struct call *call, const struct method *method, bool *out_known);
    /* The rules of its part of a genesis, and laying that part. Called in the order of the table. */
    enum err (*genesis_check)(const struct genesis_checking *c);
    enum err (*genesis)(const struct call *call, const struct genesis *genesis);
    enum err (*begin_block)(const struct call *call);
    const struct due_handler *due; /* ends with kind 0; NULL: nothing of it falls due */
};

/* Ends with a NULL name. */
extern const struct contract contracts_table[];

#endif

/* Threads for requests that read much: the library's own threads only take requests in and send answers out, so that
 * /livez, /healthz, /metrics and whatever is short are answered whatever the rest does.
 *
 * A request waits here with its connection suspended. Who is next: the oldest request of the address that has fewest
 * under way, so that one address cannot keep the others waiting. Thread-safe.
 */
#ifndef ASSAY_NODE_HTTP_WORKERS_H
#define ASSAY_NODE_HTTP_WORKERS_H

#include "node/http/connections.h"

#define WORKERS_QUEUE_MAX 256u  /* requests that wait */
#define WORKERS_ADDRESS_MAX 64u /* of one address */

struct workers;

struct workers_job {
    struct workers_job *next;
    struct connection_address address;
    void *arg;
};

/* `run` is called on one of the threads for each job that was put, or, when the workers stop first, `drop`. */
NODISCARD enum err workers_new(uint32_t threads, void (*run)(void *arg), void (*drop)(void *arg), struct workers **out);
/* False: too much waits already, or they stop; the job is not taken. Else it belongs to the workers until it is run. */
bool workers_put(struct workers *workers, struct workers_job *job);
/* Ends what is under way and drops what waits. */
void workers_stop(struct workers *workers);
/* Stops first if need be. NULL is fine. */
void workers_free(struct workers *workers);

#endif

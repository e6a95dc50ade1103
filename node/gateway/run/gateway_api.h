/* What a gateway says about itself over HTTP: GET /v1/status, /livez, /healthz, /metrics, /v1/gateway/devices. */
#ifndef ASSAY_NODE_GATEWAY_RUN_GATEWAY_API_H
#define ASSAY_NODE_GATEWAY_RUN_GATEWAY_API_H

#include "node/gateway/door/device_door.h"
#include "node/gateway/source_watch.h"
#include "node/http/server.h"

#define GATEWAY_ALARM_NAME_MAX 24u
#define GATEWAY_API_DEVICES_MAX 1000u /* that one list shows */

struct gateway_api {
    struct device_door_config parts; /* borrowed, as is the rest */
    struct device_door *devices;
    struct source_watch *watch;
    struct http_server *server;
    const struct config *config;
    const char *chain; /* its name, which people know it by; borrowed */
    uint8_t node_key[ED25519_KEY_LEN];
    uint64_t started_mono_ms;
    char alarm[GATEWAY_ALARM_NAME_MAX]; /* the one that the log has been told of; "": none. The main thread's */
};

NODISCARD enum err gateway_api_routes(struct gateway_api *api, struct http_server *server);
/* Says in the log which alarm began or ended since the call before; called about once a second. */
void gateway_api_tell_alarm(struct gateway_api *api);

#endif

/* assay-device: one device on a host, its flash and secure element in files. */
#include "base/process.h"
#include "device/ports/host/host_cut.h"
#include "device/ports/host/host_link.h"

#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXIT_USAGE 2
#define WAIT_MS 100
#define PATIENCE_MS 120000
#define SAMPLES 24

struct arguments {
    const char *home, *gateway, *verb;
    struct host_provision provision;
    unsigned long samples;
    bool json, fail_trial;
};

static volatile sig_atomic_t stop;

static void on_signal(int number) {
    (void)number;
    stop = 1;
}

static const char help[] =
    "usage: assay-device --home DIR [--gateway URL] [--json] COMMAND\n"
    "\n"
    "  init --genesis FILE --key FILE --class VENDOR_DOMAIN/CLASS [--slot-size BYTES]\n"
    "       [--image FILE --sequence N] [--hardware-revision N]\n"
    "                     makes the device: two slots, state, secure element\n"
    "  once [--fail-trial]\n"
    "                     one check for an update, carried out to its end\n"
    "  run [--fail-trial] checks again and again until SIGTERM\n"
    "  status             what runs, and how the last update ended\n"
    "  power-cut-test [--samples N]\n"
    "                     does the offered update with the power failing at one write after another\n"
    "\n"
    "  --fail-trial       the new image never confirms itself, so it is rolled back\n"
    "  --json             one JSON document on standard output\n"
    "  --help, --version\n";

static int complain(int status, const char *what) {
    (void)fprintf(stderr, "assay-device: %s\n", what);
    return status;
}

/* ---- Reading the command line ------------------------------------------------------------------------------------ */

static bool take_number(const char *text, uint64_t most, uint64_t *out) {
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || value > most) {
        return false;
    }
    *out = value;
    return true;
}

enum option_code {
    OPT_HOME = 256,
    OPT_GATEWAY,
    OPT_GENESIS,
    OPT_KEY,
    OPT_CLASS,
    OPT_SLOT_SIZE,
    OPT_IMAGE,
    OPT_SEQUENCE,
    OPT_REVISION,
    OPT_SAMPLES,
    OPT_FAIL_TRIAL,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION
};

static const struct option options[] = {{"home", required_argument, NULL, OPT_HOME},
                                        {"gateway", required_argument, NULL, OPT_GATEWAY},
                                        {"genesis", required_argument, NULL, OPT_GENESIS},
                                        {"key", required_argument, NULL, OPT_KEY},
                                        {"class", required_argument, NULL, OPT_CLASS},
                                        {"slot-size", required_argument, NULL, OPT_SLOT_SIZE},
                                        {"image", required_argument, NULL, OPT_IMAGE},
                                        {"sequence", required_argument, NULL, OPT_SEQUENCE},
                                        {"hardware-revision", required_argument, NULL, OPT_REVISION},
                                        {"samples", required_argument, NULL, OPT_SAMPLES},
                                        {"fail-trial", no_argument, NULL, OPT_FAIL_TRIAL},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"help", no_argument, NULL, OPT_HELP},
                                        {"version", no_argument, NULL, OPT_VERSION},
                                        {NULL, 0, NULL, 0}};

static bool take_option(struct arguments *a, int code) {
    uint64_t number = 0;
    bool good = true;
    switch (code) {
    case OPT_HOME:
        a->home = optarg;
        break;
    case OPT_GATEWAY:
        a->gateway = optarg;
        break;
    case OPT_GENESIS:
        a->provision.genesis = optarg;
        break;
    case OPT_KEY:
        a->provision.key = optarg;
        break;
    case OPT_CLASS:
        a->provision.class_name = optarg;
        break;
    case OPT_SLOT_SIZE:
        good = take_number(optarg, HOST_SLOT_MAX, &a->provision.slot_size) && a->provision.slot_size > 0;
        break;
    case OPT_IMAGE:
        a->provision.image = optarg;
        break;
    case OPT_SEQUENCE:
        good = take_number(optarg, INT64_MAX, &a->provision.sequence);
        break;
    case OPT_REVISION:
        good = take_number(optarg, UINT32_MAX, &number);
        a->provision.hardware_revision = (int64_t)number;
        break;
    case OPT_SAMPLES:
        good = take_number(optarg, 100000, &number) && number > 0;
        a->samples = (unsigned long)number;
        break;
    case OPT_FAIL_TRIAL:
        a->fail_trial = true;
        break;
    case OPT_JSON:
        a->json = true;
        break;
    default:
        return false;
    }
    if (!good) {
        (void)fprintf(stderr, "assay-device: \"%s\" is not a number this option takes; see --help\n", optarg);
    }
    return good;
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static int print_json(json_t *o) {
    char *text = json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    if (text == NULL) {
        return complain(EXIT_FAILURE, "out of memory");
    }
    (void)puts(text);
    free(text);
    return EXIT_SUCCESS;
}

static json_t *hex_json(const uint8_t *data, size_t len) {
    char text[2 * HASH_LEN + 1];
    return json_string(sodium_bin2hex(text, sizeof text, data, len));
}

static json_t *state_json(const struct device *device, const struct host_home *home) {
    const struct device_state *s = &device->state;
    json_t *o = json_object();
    const bool known = !sodium_is_zero(s->candidate.update_id, HASH_LEN);
    (void)json_object_set_new(o, "state", json_string(phase_name(s->phase)));
    (void)json_object_set_new(o, "device_id", hex_json(device->id, KEY_LEN));
    (void)json_object_set_new(o, "class", json_string(home->class_name));
    (void)json_object_set_new(o, "sequence", json_integer((json_int_t)s->running.sequence));
    (void)json_object_set_new(o, "digest", hex_json(s->running.digest, HASH_LEN));
    (void)json_object_set_new(o, "size", json_integer((json_int_t)s->running.size));
    (void)json_object_set_new(o, "slot", json_integer(s->active));
    (void)json_object_set_new(o, "floor", json_integer((json_int_t)home->secure.floor));
    (void)json_object_set_new(o, "counter", json_integer((json_int_t)s->counter));
    (void)json_object_set_new(o, "epoch", json_integer((json_int_t)s->epoch));
    (void)json_object_set_new(o, "height", json_integer((json_int_t)s->height));
    (void)json_object_set_new(o, "last_error",
                              s->last_error == 0 ? json_null() : json_string(device_reason_name(s->last_error)));
    (void)json_object_set_new(o, "update_id", known ? hex_json(s->candidate.update_id, HASH_LEN) : json_null());
    (void)json_object_set_new(o, "report_waiting", json_boolean(s->report.outcome != 0));
    return o;
}

static int do_init(struct arguments *a) {
    struct why why = WHY_NONE;
    if (a->provision.genesis == NULL || a->provision.key == NULL || a->provision.class_name == NULL) {
        return complain(EXIT_USAGE, "init needs --genesis, --key and --class; see --help");
    }
    if (a->provision.image == NULL && a->provision.sequence > 0) {
        return complain(EXIT_USAGE, "--sequence is the image's: give --image too; see --help");
    }
    a->provision.home = a->home;
    if (!host_home_provision(&a->provision, &why)) {
        return complain(EXIT_FAILURE, why.text);
    }
    struct host_home home;
    if (!host_home_open(&home, a->home, &why)) {
        return complain(EXIT_FAILURE, why.text);
    }
    char id[2 * KEY_LEN + 1];
    (void)sodium_bin2hex(id, sizeof id, home.secure.public_key, KEY_LEN);
    int status = EXIT_SUCCESS;
    if (a->json) {
        status = print_json(json_pack("{s:s, s:s, s:i}", "device_id", id, "class", home.class_name, "slot_size",
                                      (int)home.flash.seam.slot_size));
    } else {
        (void)printf("device %s of class %s in %s\n", id, home.class_name, a->home);
    }
    host_home_close(&home);
    return status;
}

static uint64_t wall_ms(void *ctx) {
    struct timespec t;
    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const struct device_clock wall_clock = {wall_ms, NULL};

static int do_status(const struct arguments *a, struct host_home *home, struct host_run *run) {
    struct device *device = &run->device;
    if (!device_init(device, run->config, &run->seams) ||
        !state_load(&home->flash.seam, &host_port_crypto, device->work.copy, &device->state)) {
        return complain(EXIT_FAILURE, "the device's state cannot be read");
    }
    const struct device_state *s = &device->state;
    if (a->json) {
        return print_json(state_json(device, home));
    }
    char digest[2 * HASH_LEN + 1];
    (void)sodium_bin2hex(digest, sizeof digest, s->running.digest, HASH_LEN);
    (void)printf("state       %s\nsequence    %" PRIu64 "\ndigest      %s\nslot        %d\nfloor       %" PRIu64
                 "\nlast error  %s\n",
                 phase_name(s->phase), s->running.sequence, digest, s->active, home->secure.floor,
                 s->last_error == 0 ? "none" : device_reason_name(s->last_error));
    return EXIT_SUCCESS;
}

/* One line about how a cycle ended; the exit status. */
static int tell(const struct arguments *a, const struct host_home *home, const struct host_run *run,
                const struct host_link *link, uint64_t before, enum host_outcome outcome) {
    static const char *const names[] = {"nothing", "updated", "refused", "offline",
                                        "timeout", "stopped", "fault",   "damaged"};
    const struct device_state *s = &run->device.state;
    if (a->json) {
        json_t *o = state_json(&run->device, home);
        (void)json_object_set_new(o, "outcome", json_string(names[outcome]));
        (void)json_object_set_new(o, "from_sequence", json_integer((json_int_t)before));
        (void)print_json(o);
    }
    switch (outcome) {
    case HOST_NOTHING:
    case HOST_STOPPED:
        if (!a->json) {
            (void)printf("nothing to do: sequence %" PRIu64 " runs\n", s->running.sequence);
        }
        return EXIT_SUCCESS;
    case HOST_UPDATED:
        if (!a->json) {
            (void)printf("updated from sequence %" PRIu64 " to %" PRIu64 "\n", before, s->running.sequence);
        }
        return EXIT_SUCCESS;
    case HOST_REFUSED:
        (void)fprintf(stderr, "assay-device: refused: %s: %s; sequence %" PRIu64 " keeps running\n",
                      device_reason_name(s->last_error), device_reason_text(s->last_error), s->running.sequence);
        return EXIT_FAILURE;
    case HOST_OFFLINE:
        (void)fprintf(stderr, "assay-device: no usable answer from %s: %s; try again later\n", link->url,
                      link->why.text);
        return EXIT_FAILURE;
    case HOST_TIMEOUT:
        (void)fprintf(stderr, "assay-device: %s took too long; it goes on with the next once or run\n",
                      phase_name(s->phase));
        return EXIT_FAILURE;
    case HOST_DAMAGED:
        return complain(EXIT_FAILURE, "the running image is not the one that was confirmed; it is not started");
    case HOST_FAULT:
        break;
    }
    return complain(EXIT_FAILURE, "flash, state or secure element cannot be read or written");
}

static int do_once(const struct arguments *a, const struct host_home *home, struct host_run *run,
                   const struct host_link *link) {
    enum host_outcome outcome = host_run_boot(run);
    uint64_t before = run->device.state.running.sequence;
    if (outcome == HOST_NOTHING || outcome == HOST_UPDATED) {
        outcome = host_run_cycle(run);
    }
    return tell(a, home, run, link, before, outcome);
}

static int do_run(const struct arguments *a, const struct host_home *home, struct host_run *run,
                  const struct host_link *link) {
    enum host_outcome outcome = host_run_boot(run);
    while (!stop && (outcome == HOST_NOTHING || outcome == HOST_UPDATED || outcome == HOST_REFUSED ||
                     outcome == HOST_OFFLINE || outcome == HOST_TIMEOUT)) {
        uint64_t before = run->device.state.running.sequence;
        uint16_t error = run->device.state.last_error;
        outcome = host_run_cycle(run);
        if (outcome == HOST_UPDATED || (outcome == HOST_REFUSED && run->device.state.last_error != error)) {
            (void)tell(a, home, run, link, before, outcome);
            (void)fflush(stdout);
        }
        uint32_t pause = run->device.poll_ms < 100 ? 100 : run->device.poll_ms;
        struct timespec t = {(time_t)(pause / 1000), (long)(pause % 1000) * 1000000L};
        if (!stop && outcome != HOST_UPDATED) {
            (void)nanosleep(&t, NULL);
        }
    }
    return stop ? EXIT_SUCCESS : tell(a, home, run, link, run->device.state.running.sequence, outcome);
}

static int do_cut(const struct arguments *a, struct host_home *home, const struct host_run *run) {
    struct host_cut_report report;
    struct why why = WHY_NONE;
    if (!host_cut_test(home, run, a->samples, &report, &why)) {
        return complain(EXIT_FAILURE, why.text);
    }
    if (a->json) {
        return print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "writes", (json_int_t)report.writes, "cuts",
                                    (json_int_t)report.cuts, "booted_old", (json_int_t)report.old_after, "booted_new",
                                    (json_int_t)report.new_after, "from_sequence", (json_int_t)report.from,
                                    "to_sequence", (json_int_t)report.to, "passed", 1));
    }
    (void)printf("%lu cuts over %lu writes: the old image booted %lu times, the new one %lu times, and every update "
                 "completed\n",
                 report.cuts, report.writes, report.old_after, report.new_after);
    return EXIT_SUCCESS;
}

static int do_verb(struct arguments *a, struct host_home *home, struct host_run *run, struct host_link *link) {
    if (strcmp(a->verb, "once") == 0) {
        return do_once(a, home, run, link);
    }
    if (strcmp(a->verb, "run") == 0) {
        return do_run(a, home, run, link);
    }
    return do_cut(a, home, run);
}

static int with_gateway(struct arguments *a, struct host_home *home, struct host_run *run) {
    static struct host_link link;
    int status;
    if (a->gateway == NULL) {
        return complain(EXIT_USAGE, "this command needs --gateway URL; see --help");
    }
    if (!host_link_open(&link, a->gateway)) {
        status = complain(EXIT_USAGE, "--gateway takes an http:// or https:// address; see --help");
    } else {
        run->seams.transport = &link.seam;
        status = do_verb(a, home, run, &link);
    }
    host_link_close(&link);
    return status;
}

static int with_home(struct arguments *a) {
    static struct host_run run;
    static struct host_home home;
    struct why why = WHY_NONE;
    int status;
    if (!host_home_open(&home, a->home, &why)) {
        return complain(EXIT_FAILURE, why.text);
    }
    run = (struct host_run){.config = &home.config,
                            .seams = {.crypto = &host_port_crypto,
                                      .flash = &home.flash.seam,
                                      .secure = &home.secure.seam,
                                      .clock = &wall_clock},
                            .fail_trial = a->fail_trial,
                            .wait_ms = WAIT_MS,
                            .patience_ms = PATIENCE_MS,
                            .stop = &stop};
    status = strcmp(a->verb, "status") == 0 ? do_status(a, &home, &run) : with_gateway(a, &home, &run);
    host_home_close(&home);
    return status;
}

int main(int argc, char **argv) {
    static const char *const verbs[] = {"init", "once", "run", "status", "power-cut-test"};
    struct arguments a = {.samples = SAMPLES, .provision = {.hardware_revision = -1}};
    process_open_standard();
    process_keep_secrets();
    int code;
    while ((code = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (code == OPT_HELP) {
            return fputs(help, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        if (code == OPT_VERSION) {
            return puts("assay-device " ASSAY_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        if (!take_option(&a, code)) {
            return EXIT_USAGE;
        }
    }
    if (optind != argc - 1 || a.home == NULL) {
        return complain(EXIT_USAGE, "needs --home DIR and one command; see --help");
    }
    a.verb = argv[optind];
    bool known = false;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        known = known || strcmp(verbs[i], a.verb) == 0;
    }
    if (!known) {
        return complain(EXIT_USAGE, "no such command; see --help");
    }
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        return complain(EXIT_FAILURE, "the crypto or HTTP library does not start");
    }
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    int status = strcmp(a.verb, "init") == 0 ? do_init(&a) : with_home(&a);
    curl_global_cleanup();
    return status;
}

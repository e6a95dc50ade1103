#include "node/http/certificate.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

#define DAY_S 86400
#define RSA_LEAST_BITS 2048u

static void day_of(time_t when, char out[32]) {
    struct tm parts;
    (void)gmtime_r(&when, &parts);
    (void)strftime(out, 32, "%Y-%m-%d", &parts);
}

static bool is_weak(gnutls_x509_crt_t certificate, struct why *out) {
    unsigned bits = 0;
    int key = gnutls_x509_crt_get_pk_algorithm(certificate, &bits);
    int signature = gnutls_x509_crt_get_signature_algorithm(certificate);
    if (key == GNUTLS_PK_RSA && bits < RSA_LEAST_BITS) {
        why_set(out, "its RSA key has %u bits, and clients ask for %u", bits, RSA_LEAST_BITS);
        return true;
    }
    gnutls_digest_algorithm_t hash = gnutls_sign_get_hash_algorithm((gnutls_sign_algorithm_t)signature);
    if (hash == GNUTLS_DIG_MD5 || hash == GNUTLS_DIG_SHA1) {
        why_set(out, "it is signed with %s", gnutls_digest_get_name(hash));
        return true;
    }
    return false;
}

static bool judge(gnutls_x509_crt_t certificate, const char *host, time_t now, struct why *out) {
    time_t begins = gnutls_x509_crt_get_activation_time(certificate);
    time_t ends = gnutls_x509_crt_get_expiration_time(certificate);
    char day[32];
    if (now < begins) {
        day_of(begins, day);
        why_set(out, "it is not good before %s", day);
        return true;
    }
    day_of(ends, day);
    if (now >= ends) {
        why_set(out, "it ended on %s: clients refuse it", day);
        return true;
    }
    if (is_weak(certificate, out)) {
        return true;
    }
    if (host != NULL && gnutls_x509_crt_check_hostname(certificate, host) == 0) {
        why_set(out, "it is not for %.100s, where the ledger says this node is reached", host);
        return true;
    }
    if (ends - now < (time_t)CERTIFICATE_SOON_DAYS * DAY_S) {
        why_set(out, "it ends on %s: put another in its place, then SIGHUP", day);
        return true;
    }
    return false;
}

bool certificate_warning(struct bytes pem, const char *host, uint64_t now_ms, struct why *out) {
    gnutls_x509_crt_t certificate;
    gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem.data, (unsigned)pem.len};
    if (gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS) {
        return false;
    }
    bool warns = true;
    if (gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM) != GNUTLS_E_SUCCESS) {
        why_set(out, "it can't be read");
    } else {
        warns = judge(certificate, host, (time_t)(now_ms / 1000), out);
    }
    gnutls_x509_crt_deinit(certificate);
    return warns;
}

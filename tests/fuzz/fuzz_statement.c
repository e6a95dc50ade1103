/* Any bytes as a statement, a status record and a class record: what is believed must read back to the same bytes. */
#include "verify/class_record.h"
#include "verify/statement.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes in = {data, size};
    struct statement statement;
    struct status_record status;
    struct class_record record;
    uint8_t back[STATEMENT_SIGNED_LEN + CLASS_RECORD_LEN];
    if (statement_decode(in, &statement) == GOOD) {
        statement_encode(&statement, back);
        if (memcmp(back + TAG_LEN, data, STATEMENT_LEN) != 0) {
            abort();
        }
    }
    if (status_record_decode(in, &status) == GOOD) {
        status_record_encode(&status, back);
        if (memcmp(back, data, STATUS_RECORD_LEN) != 0) {
            abort();
        }
    }
    if (class_record_decode(in, &record) == GOOD) {
        class_record_encode(&record, back);
        if (memcmp(back, data, CLASS_RECORD_LEN) != 0) {
            abort();
        }
    }
    return 0;
}

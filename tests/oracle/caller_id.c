/* Caller ID and DTMF as spandsp sends and reads them, signed 16-bit samples at 8 kHz.
 *
 *   caller_id [read STANDARD]              samples on standard input; prints a line `message TYPE` and lines
 *                                          `field TYPE TEXT` for each message, types in hexadecimal, and at the end
 *                                          `digits TEXT` with every key heard
 *   caller_id send STANDARD TYPE [TYPE:TEXT]...
 *                                          samples on standard output; TYPE is hexadecimal, 00 for a plain text
 *
 * STANDARD is spandsp's number: 1 Bell 202, 2 V.23, 5 DTMF. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spandsp.h>

static adsi_rx_state_t *receiver;

static void put_message(void *user_data, const uint8_t *message, int length)
{
    uint8_t type;
    uint8_t const *body;
    int body_length;
    int position = -1;

    (void) user_data;
    printf("message %02x\n", message[0]);
    do {
        position = adsi_next_field(receiver, message, length, position, &type, &body, &body_length);
        if (position > 0 && body != NULL)
            printf("field %02x %.*s\n", type, body_length, (const char *) body);
    } while (position > 0);
}

static int read_line(int standard)
{
    int16_t samples[80];
    char digits[129];
    size_t count;
    dtmf_rx_state_t *keys = dtmf_rx_init(NULL, NULL, NULL);

    receiver = adsi_rx_init(NULL, standard, put_message, NULL);
    if (receiver == NULL || keys == NULL)
        return 1;
    while ((count = fread(samples, sizeof(samples[0]), 80, stdin)) > 0) {
        adsi_rx(receiver, samples, (int) count);
        dtmf_rx(keys, samples, (int) count);
    }
    digits[dtmf_rx_get(keys, digits, sizeof(digits) - 1)] = '\0';
    printf("digits %s\n", digits);
    return 0;
}

static int send_message(int standard, int count, char **fields)
{
    int16_t samples[80];
    uint8_t message[256];
    int length;
    int sent;
    int n;
    adsi_tx_state_t *sender = adsi_tx_init(NULL, standard);

    if (sender == NULL || count < 1)
        return 1;
    length = adsi_add_field(sender, message, -1, (uint8_t) strtol(fields[0], NULL, 16), NULL, 0);
    for (n = 1; n < count; n++) {
        const char *text = fields[n] + 3;
        uint8_t type = (uint8_t) strtol(fields[n], NULL, 16);

        length = adsi_add_field(sender, message, length, type, (const uint8_t *) text, (int) strlen(text));
    }
    if (adsi_tx_put_message(sender, message, length) < 0)
        return 1;
    while ((sent = adsi_tx(sender, samples, 80)) > 0)
        fwrite(samples, sizeof(samples[0]), (size_t) sent, stdout);
    return 0;
}

int main(int count, char **arguments)
{
    if (count >= 4 && strcmp(arguments[1], "send") == 0)
        return send_message(atoi(arguments[2]), count - 3, arguments + 3);
    return read_line(count >= 3 ? atoi(arguments[2]) : ADSI_STANDARD_CLASS);
}

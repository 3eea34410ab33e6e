/* Reads signed 16-bit samples at 8 kHz from standard input and prints what spandsp's caller ID and DTMF receivers
 * make of them: one line for each caller ID field, `field TYPE TEXT`, with the type in hexadecimal, and one line
 * `digits TEXT` at the end. */
#include <stdint.h>
#include <stdio.h>
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

int main(void)
{
    int16_t samples[80];
    char digits[129];
    size_t count;
    dtmf_rx_state_t *keys = dtmf_rx_init(NULL, NULL, NULL);

    receiver = adsi_rx_init(NULL, ADSI_STANDARD_CLASS, put_message, NULL);
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

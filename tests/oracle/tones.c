/* Tones and keys as spandsp makes and reads them, signed 16-bit samples at 8 kHz.
 *
 *   tones keys DIGITS ON_MS OFF_MS LEVEL TWIST   writes keys to standard output
 *   tones connect TYPE SAMPLES                   writes a tone of modem_connect_tones.h
 *   tones flags SAMPLES                          writes HDLC flags in V.21 channel 2
 *   tones read                                   reads recordings from standard input, each a 32-bit count of samples
 *                                                and the samples, and prints the keys of each in a line */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spandsp.h>

enum { PERIOD = 80 };

static int flag_bit(void *user_data)
{
    unsigned *at = user_data;

    return (0x7e >> ((*at)++ % 8)) & 1;
}

static int put(const int16_t *samples, int count)
{
    return fwrite(samples, sizeof(samples[0]), (size_t) count, stdout) != (size_t) count;
}

static int keys(char **arguments)
{
    int16_t samples[PERIOD];
    int count;
    dtmf_tx_state_t *sender = dtmf_tx_init(NULL);

    dtmf_tx_set_timing(sender, atoi(arguments[1]), atoi(arguments[2]));
    dtmf_tx_set_level(sender, atoi(arguments[3]), atoi(arguments[4]));
    if (dtmf_tx_put(sender, arguments[0], -1) != 0)
        return 1;
    while ((count = dtmf_tx(sender, samples, PERIOD)) > 0)
        if (put(samples, count))
            return 1;
    return 0;
}

static int connect_tone(int type, int left)
{
    int16_t samples[PERIOD];
    modem_connect_tones_tx_state_t *sender = modem_connect_tones_tx_init(NULL, type);

    for (; sender != NULL && left > 0; left -= PERIOD) {
        memset(samples, 0, sizeof(samples));
        modem_connect_tones_tx(sender, samples, PERIOD);
        if (put(samples, PERIOD))
            return 1;
    }
    return sender == NULL;
}

static int flags(int left)
{
    int16_t samples[PERIOD];
    unsigned at = 0;
    fsk_tx_state_t *sender = fsk_tx_init(NULL, &preset_fsk_specs[FSK_V21CH2], flag_bit, &at);

    for (; left > 0; left -= PERIOD) {
        fsk_tx(sender, samples, PERIOD);
        if (put(samples, PERIOD))
            return 1;
    }
    return 0;
}

static int read_keys(void)
{
    uint32_t left;

    while (fread(&left, sizeof(left), 1, stdin) == 1) {
        int16_t samples[PERIOD];
        char digits[129];
        dtmf_rx_state_t *receiver = dtmf_rx_init(NULL, NULL, NULL);

        while (left > 0) {
            uint32_t count = left < PERIOD ? left : PERIOD;

            if (fread(samples, sizeof(samples[0]), count, stdin) != count)
                return 1;
            dtmf_rx(receiver, samples, (int) count);
            left -= count;
        }
        digits[dtmf_rx_get(receiver, digits, sizeof(digits) - 1)] = '\0';
        printf("%s\n", digits);
        dtmf_rx_free(receiver);
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count == 7 && strcmp(arguments[1], "keys") == 0)
        return keys(arguments + 2);
    if (count == 4 && strcmp(arguments[1], "connect") == 0)
        return connect_tone(atoi(arguments[2]), atoi(arguments[3]));
    if (count == 3 && strcmp(arguments[1], "flags") == 0)
        return flags(atoi(arguments[2]));
    if (count == 2 && strcmp(arguments[1], "read") == 0)
        return read_keys();
    return 2;
}

/* spandsp's concealment as a yardstick: reads blocks of one flag byte (1: lost) and 160 samples from standard input,
 * and writes what plc_rx() and plc_fillin() make of them to standard output. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <spandsp.h>

#define BLOCK 160

int main(void)
{
    plc_state_t *concealer = plc_init(NULL);
    uint8_t lost;
    int16_t samples[BLOCK];

    if (concealer == NULL)
        return 1;
    while (fread(&lost, 1, 1, stdin) == 1 && fread(samples, sizeof(int16_t), BLOCK, stdin) == BLOCK) {
        if (lost) {
            memset(samples, 0, sizeof(samples));
            plc_fillin(concealer, samples, BLOCK);
        } else {
            plc_rx(concealer, samples, BLOCK);
        }
        fwrite(samples, sizeof(int16_t), BLOCK, stdout);
    }
    plc_free(concealer);
    return 0;
}

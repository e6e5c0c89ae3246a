#include "wheel.h"

#include <stdlib.h>

bool wheel_init(struct wheel *wheel)
{
    *wheel = (struct wheel){ .slots = calloc(WHEEL_SLOTS, sizeof(*wheel->slots)) };
    return wheel->slots != NULL;
}

void wheel_destroy(struct wheel *wheel)
{
    free(wheel->slots);
}

void wheel_arm(struct wheel *wheel, uint32_t *next, uint32_t timer, uint32_t deadline)
{
    uint32_t *slot = &wheel->slots[deadline % WHEEL_SLOTS];
    next[timer] = *slot;
    *slot = timer;
}

uint32_t wheel_take(struct wheel *wheel, uint32_t now)
{
    /* More than one turn would take each slot twice. */
    if (now > wheel->tick && now - wheel->tick > WHEEL_SLOTS)
        wheel->tick = now - WHEEL_SLOTS;
    while (wheel->tick < now) {
        wheel->tick++;
        uint32_t *slot = &wheel->slots[wheel->tick % WHEEL_SLOTS];
        uint32_t first = *slot;
        if (first != 0) {
            *slot = 0;
            return first;
        }
    }
    return 0;
}

/* A hashed timing wheel. Time is in ticks. A timer is a number above zero, and stands in the slot of its deadline,
 * modulo the number of slots. A slot is a list, linked by `next`, an array that belongs to the caller.
 *
 * The wheel doesn't know deadlines. When the time of a slot has come, its timers are taken out, and the caller
 * looks which are due and arms the others again. So a deadline that moves later needs no work until then, and
 * one that is further away than a turn of the wheel is looked at once a turn. */
#ifndef WHEEL_H
#define WHEEL_H

#include <stdbool.h>
#include <stdint.h>

/* A bit more than a minute in ticks of about a millisecond. */
enum { WHEEL_SLOTS = 1 << 16 };

struct wheel {
    /* The first timer of each slot; 0 if there is none. */
    uint32_t *slots;
    /* The last tick whose slot was taken out. */
    uint32_t tick;
};

/* False if there is no memory. */
bool wheel_init(struct wheel *wheel);

void wheel_destroy(struct wheel *wheel);

/* If the deadline is not later than the wheel's tick, the timer waits for a turn of the wheel. */
void wheel_arm(struct wheel *wheel, uint32_t *next, uint32_t timer, uint32_t deadline);

/* Takes the list of the next slot that is not empty, up to the slot of tick `now`. Returns its first timer, or
 * 0 if all slots have been taken out. A call with the same `now` continues. */
uint32_t wheel_take(struct wheel *wheel, uint32_t now);

#endif

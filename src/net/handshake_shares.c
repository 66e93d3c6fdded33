#include "handshake_shares.h"

static uint64_t place_of(int64_t endpoint)
{
    return ((uint64_t)endpoint * 0x9E3779B97F4A7C15u) >> 48;
}

/* The time that was taken and is not repaid yet. It is repaid at `permille` of the time. */
static int64_t debt_us(int64_t repaid_us, int permille, int64_t now_us)
{
    return repaid_us > now_us ? (repaid_us - now_us) * permille / 1000 : 0;
}

static void charge_at(int64_t *repaid_us, int permille, int64_t now_us, int64_t cost_us)
{
    if (*repaid_us < now_us)
        *repaid_us = now_us;
    *repaid_us += cost_us * 1000 / permille;
}

static int permille_of(const struct handshake_shares *shares)
{
    return 10 * (shares->percent ? shares->percent : HANDSHAKE_SHARES_PERCENT);
}

/* ---- what is free ---- */

static int64_t spare_debt_us(struct shares_spare *spare, int64_t now_us)
{
    int64_t repaid_us = (now_us - spare->at_us) * spare->permille / 1000;
    spare->debt_us = spare->debt_us > repaid_us ? spare->debt_us - repaid_us : 0;
    spare->at_us = now_us;
    return spare->debt_us;
}

/* Half of the loop's free time is for handshakes: its sleep and the time that they already took of it. */
void shares_see(struct handshake_shares *shares, int64_t now_us, int64_t idle_us)
{
    struct shares_spare *spare = &shares->spare;
    int64_t passed_us = now_us - spare->window_us;
    if (passed_us < HANDSHAKE_SHARES_WINDOW_US)
        return;
    spare_debt_us(spare, now_us); /* at the former pace */
    int64_t free_us = idle_us - spare->idle_us + spare->cost_us;
    if (free_us > passed_us)
        free_us = passed_us;
    spare->permille = spare->window_us ? (int)(free_us * HANDSHAKE_SHARES_ALL_PERCENT * 10 / passed_us) : 0;
    spare->window_us = now_us;
    spare->idle_us = idle_us;
    spare->cost_us = 0;
}

static bool is_spare(struct handshake_shares *shares, int64_t now_us)
{
    return spare_debt_us(&shares->spare, now_us) < HANDSHAKE_SHARES_SPARE_US && shares->spare.permille > 0;
}

/* ---- time ---- */

/* Every taken time counts for all handshakes together. */
static void charge_all(struct handshake_shares *shares, struct handshake_share *share, int64_t now_us,
                       int64_t cost_us)
{
    charge_at(&share->light_us, HANDSHAKE_SHARES_LIGHT_PERMILLE, now_us, cost_us);
    charge_at(&shares->all.repaid_us, HANDSHAKE_SHARES_ALL_PERCENT * 10, now_us, cost_us);
    spare_debt_us(&shares->spare, now_us);
    shares->spare.debt_us += cost_us;
    shares->spare.cost_us += cost_us;
}

static void charge(struct handshake_shares *shares, struct handshake_share *share, int64_t now_us,
                   int64_t cost_us)
{
    charge_at(&share->repaid_us, permille_of(shares), now_us, cost_us);
    charge_all(shares, share, now_us, cost_us);
}

bool handshake_shares_take(struct handshake_shares *shares, int64_t endpoint, int64_t now_us)
{
    struct handshake_share *share = &shares->places[place_of(endpoint)];
    bool light =
        debt_us(share->light_us, HANDSHAKE_SHARES_LIGHT_PERMILLE, now_us) <= HANDSHAKE_SHARES_LIGHT_US;
    bool own = debt_us(share->repaid_us, permille_of(shares), now_us) < HANDSHAKE_SHARES_BURST_US;
    if (!own && !is_spare(shares, now_us))
        return false;
    if (!light && debt_us(shares->all.repaid_us, HANDSHAKE_SHARES_ALL_PERCENT * 10, now_us) >=
                      HANDSHAKE_SHARES_BURST_US)
        return false;
    if (share->cost_us == 0)
        share->cost_us = HANDSHAKE_SHARES_FIRST_US;
    if (own)
        charge(shares, share, now_us, share->cost_us);
    else
        charge_all(shares, share, now_us, share->cost_us);
    if (share->under_way++ == 0)
        share->since_us = now_us;
    return true;
}

void handshake_shares_took(struct handshake_shares *shares, int64_t endpoint, int64_t now_us, int64_t cost_us)
{
    struct handshake_share *share = &shares->places[place_of(endpoint)];
    charge(shares, share, now_us, cost_us - share->cost_us);
    share->cost_us = (share->cost_us * 3 + cost_us) / 4 + 1;
}

void handshake_shares_took_more(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                                int64_t more_us)
{
    charge(shares, &shares->places[place_of(endpoint)], now_us, more_us);
}

/* ---- room ---- */

bool shares_has_room(const struct handshake_shares *shares, int64_t endpoint, int64_t now_us, int under_way,
                     int max)
{
    const struct handshake_share *share = &shares->places[place_of(endpoint)];
    int free = max - under_way;
    bool hangs = share->under_way > 0 && now_us - share->since_us > HANDSHAKE_SHARES_HANGS_US;
    if (free <= 0 || (share->under_way > 0 && (share->under_way + 1) * HANDSHAKE_SHARES_PART > free))
        return false;
    return free > max / 4 || (share->completes && !hangs);
}

void shares_end(struct handshake_shares *shares, int64_t endpoint, int64_t now_us, bool completed)
{
    struct handshake_share *share = &shares->places[place_of(endpoint)];
    share->under_way--;
    share->completes = completed;
    if (completed)
        share->since_us = now_us;
}

#include "handshake_shares.h"

static struct handshake_share *share_of(struct handshake_shares *shares, int64_t endpoint)
{
    return &shares->places[((uint64_t)endpoint * 0x9E3779B97F4A7C15u) >> 52];
}

/* What was taken and is not repaid yet, at a pace in thousandths of the time. */
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

static void charge(struct handshake_shares *shares, struct handshake_share *share, int64_t now_us,
                   int64_t cost_us)
{
    charge_at(&share->repaid_us, permille_of(shares), now_us, cost_us);
    charge_at(&share->light_us, HANDSHAKE_SHARES_LIGHT_PERMILLE, now_us, cost_us);
    charge_at(&shares->all.repaid_us, HANDSHAKE_SHARES_ALL_PERCENT * 10, now_us, cost_us);
}

bool handshake_shares_take(struct handshake_shares *shares, int64_t endpoint, int64_t now_us)
{
    struct handshake_share *share = share_of(shares, endpoint);
    bool light =
        debt_us(share->light_us, HANDSHAKE_SHARES_LIGHT_PERMILLE, now_us) <= HANDSHAKE_SHARES_LIGHT_US;
    if (debt_us(share->repaid_us, permille_of(shares), now_us) >= HANDSHAKE_SHARES_BURST_US)
        return false;
    if (!light && debt_us(shares->all.repaid_us, HANDSHAKE_SHARES_ALL_PERCENT * 10, now_us) >=
                      HANDSHAKE_SHARES_BURST_US)
        return false;
    if (share->cost_us == 0)
        share->cost_us = HANDSHAKE_SHARES_FIRST_US;
    charge(shares, share, now_us, share->cost_us);
    return true;
}

void handshake_shares_took(struct handshake_shares *shares, int64_t endpoint, int64_t now_us, int64_t cost_us)
{
    struct handshake_share *share = share_of(shares, endpoint);
    charge(shares, share, now_us, cost_us - share->cost_us);
    share->cost_us = (share->cost_us * 3 + cost_us) / 4 + 1;
}

void handshake_shares_took_more(struct handshake_shares *shares, int64_t endpoint, int64_t now_us,
                                int64_t more_us)
{
    charge(shares, share_of(shares, endpoint), now_us, more_us);
}

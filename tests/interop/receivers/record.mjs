// The record, compared with the receiver's log.
import { api, delivery, eventually } from '../../e2e/harness.mjs';

/* No byte of the request reached the receiver's program. */
const NOT_SENT = ['connect_refused', 'connect_timeout', 'unreachable'];

export async function allDelivered(server, ids, limitMs = 60_000) {
    const waiting = new Set(ids);
    try {
        await eventually(`${ids.length} events are delivered`, async () => {
            for (const id of waiting) {
                if ((await delivery(server, id)).attributes.state !== 'delivered') return false;
                waiting.delete(id);
            }
            return true;
        }, limitMs);
    } catch (error) {
        const [last] = attempts(await readRecord(server, [...waiting].slice(0, 1))).slice(-1);
        throw new Error(`${error.message}; ${waiting.size} are not, as one whose last attempt is ${JSON.stringify(last)}`);
    }
}

/** Map of event id to its delivery's attributes, attempts and all. */
export async function readRecord(server, ids) {
    const record = new Map();
    for (const id of ids) {
        const { id: deliveryId } = await delivery(server, id);
        record.set(id, (await api(server, 'GET', `/api/deliveries/${deliveryId}`)).json.data.attributes);
    }
    return record;
}

export const attempts = (record) => [...record.values()].flatMap((one) => one.attempts);

/** How often each end of an attempt is on record: "200: 300, reset: 2". */
export function ends(record) {
    const counts = {};
    for (const { status, reason } of attempts(record)) counts[status ?? reason] = (counts[status ?? reason] ?? 0) + 1;
    return Object.entries(counts).map(([end, count]) => `${end}: ${count}`).join(', ');
}

/**
 * In how many ways do they disagree? An attempt that was answered 200 has an arrival; an attempt that was not sent has
 * none; any other may have one. All arrivals of an event are the same bytes. `unseen`: more reasons of attempts that have
 * none. (idle_closed is one unless the receiver was killed: it can have noted the arrival within the last 5 ms.)
 */
export function disagreements(record, arrivals, unseen = []) {
    const found = [];
    const seen = new Map([...record.keys()].map((id) => [id, []]));
    for (const { id, digest } of arrivals) {
        if (seen.has(id)) seen.get(id).push(digest);
        else found.push(`${id} arrived, and nobody posted it`);
    }
    for (const [id, { state, attempts }] of record) {
        const digests = seen.get(id);
        const answered = attempts.filter(({ status }) => status === 200).length;
        const sent = attempts.filter(({ reason }) => ![...NOT_SENT, ...unseen].includes(reason)).length;
        const story = attempts.map(({ status, reason }) => status ?? reason).join(', ');
        if (state !== 'delivered') found.push(`${id} is ${state}: ${story}`);
        if (answered !== 1) found.push(`${id} was answered 200 ${answered} times: ${story}`);
        if (digests.length < answered || digests.length > sent) found.push(`${id} arrived ${digests.length} times: ${story}`);
        if (new Set(digests).size > 1) found.push(`${id} did not arrive with the same bytes each time`);
    }
    return found;
}

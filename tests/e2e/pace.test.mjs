// How much of one endpoint is under way, and how fast, as its receiver sees it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, api, delivery, eventBody, eventually, makeUser, post, receiver, serve, setUrl } from './harness.mjs';

const LONG_MS = 90_000;

/** So many events of one user, in one request: their ids. */
async function postMany(server, count, user) {
    const made = await fetch(`${server.url}/api/events`, {
        method: 'POST', body: Array(count).fill(JSON.stringify(eventBody({ user }))).join('\n'),
        headers: { Authorization: server.api_key, 'Content-Type': 'application/x-ndjson' },
    });
    assert.equal(made.status, 201);
    return (await made.text()).trim().split('\n').map((line) => JSON.parse(line).data.id);
}

const number = async (server, name) => Number((await (await fetch(`${server.url}/metrics`)).text())
    .match(new RegExp(`^posthorn_${name.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm'))[1]);
const allDelivered = (server, limitMs = LONG_MS) => eventually('nothing waits', async () =>
    (await number(server, 'deliveries{state="pending"}')) === 0, limitMs);

test('8.5: a receiver that takes 20 a second and refuses the rest gets what it takes', async (t) => {
    const EVENTS = 200, PER_S = 20;
    let tokens = PER_S, at = Date.now(), refused = 0;
    const there = await receiver(t, () => {
        const now = Date.now();
        tokens = Math.min(PER_S, tokens + (now - at) * PER_S / 1000);
        at = now;
        if (tokens >= 1) {
            tokens--;
            return answer(200);
        }
        refused++;
        return answer(429, '{"error":"slow down"}');
    });
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    await setUrl(server, there.url);
    await postMany(server, EVENTS);
    await allDelivered(server);
    assert.ok(refused <= EVENTS / 2, `${refused} refusals for ${EVENTS} events`);
    t.diagnostic(`${refused} refusals for ${EVENTS} events`);
});

test('8.5: Retry-After holds the endpoint, 6 hours at most; others go on, and a new URL starts afresh', async (t) => {
    const there = await receiver(t, ({ path }, number) =>
        (path === '/busy' && number > 1 ? answer(503, '', 'Retry-After: 86400\r\n') : answer(200)));
    const server = await serve(t, { args: ['--rate-limit', '0'] });
    const other = await makeUser(server);
    await setUrl(server, `${there.url}/busy`);
    await setUrl(server, `${there.url}/other`, { id: other.user_id, key: other.api_key });
    const known = await post(server);
    await eventually('it answers well', async () => (await delivery(server, known)).attributes.state === 'delivered');
    const first = await post(server);
    await eventually('it is refused', async () => (await delivery(server, first)).attributes.attempt_count === 1);
    const hours = (await delivery(server, first)).attributes.next_attempt_in_ms / 3_600_000;
    assert.ok(hours > 5.9 && hours <= 6, `cut to 6 h: ${hours} h`);
    await postMany(server, 20);
    const beside = await postMany(server, 20, other.user_id);
    await eventually('the other gets its own', () => there.requests.length >= 2 + beside.length);
    assert.equal(there.requests.filter(({ path }) => path === '/busy').length, 2, 'nothing more for who is busy');
    await setUrl(server, `${there.url}/free`);
    await eventually('what waited is there', () => there.requests.filter(({ path }) => path === '/free').length >= 20);
});

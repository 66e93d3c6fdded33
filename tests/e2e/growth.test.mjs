// Growth: long histories, long lists, and their purge. The numbers in the names are those of docs/faults.md.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { POSTHORN, answer, api, delivery, eventually, eventBody, post, receiver, run, serve, setUrl } from './harness.mjs';

const FREE = ['--rate-limit', '0'];
const get = (server, path) => api(server, 'GET', path);

/** All rows of a list, by links.next; and how many pages they were. */
async function walk(server, path) {
    const rows = [];
    let pages = 0;
    for (let next = path; next; pages++) {
        const { status, json } = await get(server, next);
        assert.equal(status, 200);
        rows.push(...json.data);
        next = json.links.next;
    }
    return { rows, pages };
}

test('8.15: all attempts of a delivery can be paged through; it is shown with the last 100', async (t) => {
    const server = await serve(t, { args: FREE });
    const there = await receiver(t, () => answer(200, 'x'.repeat(16 << 10)));
    await setUrl(server, there.url);
    const id = await post(server);
    const first = await eventually('delivered', async () => {
        const found = await delivery(server, id);
        return found.attributes.state === 'delivered' && found;
    });
    const attempts = `/api/deliveries/${first.id}/attempts`;
    for (let i = 2; i <= 105; i++) {
        assert.equal((await api(server, 'POST', `/api/deliveries/${first.id}/resend`)).status, 200);
        await eventually('sent again', async () =>
            (await get(server, `${attempts}?sort=-id&page[size]=1`)).json.data[0].attributes.lease === i);
    }
    const { data } = (await get(server, `/api/deliveries/${first.id}`)).json;
    assert.equal(data.attributes.attempts.length, 100);
    assert.deepEqual([data.attributes.attempts[0].lease, data.attributes.attempts[99].lease], [6, 105]);
    assert.equal(data.attributes.earlier_attempts, true);
    assert.equal(data.links.related, attempts);
    const { rows, pages } = await walk(server, `${attempts}?page[size]=20`);
    assert.equal(pages, 6);
    assert.deepEqual(rows.map(({ attributes }) => attributes.lease), Array.from({ length: 105 }, (_, i) => i + 1));
});

test('8.24: of the last attempt 16 KiB of the answer are kept, of the others 1 KiB', async (t) => {
    const server = await serve(t, { args: [...FREE, '--time-scale', '200'] });
    const there = await receiver(t, () => answer(500, 'x'.repeat(20 << 10)));
    await setUrl(server, there.url);
    const id = await post(server);
    const sizes = await eventually('three attempts', async () => {
        const first = await delivery(server, id);
        const { json } = await get(server, `/api/deliveries/${first.id}/attempts`);
        return json.data.length >= 3 && json.data.map(({ attributes }) => attributes.response.length);
    });
    assert.equal(sizes.pop(), 16 << 10);
    assert.deepEqual([...new Set(sizes)], [1024]);
});

test('growth: a filter that matches little answers page by page, each from a bounded look', async (t) => {
    const server = await serve(t, { args: FREE });
    const lines = (type, count) => Array.from({ length: count }, () => JSON.stringify(eventBody({ type }))).join('\n');
    const send = async (type, count) => {
        const headers = { 'Content-Type': 'application/x-ndjson' };
        assert.equal((await api(server, 'POST', '/api/events', lines(type, count), { headers })).status, 201);
    };
    await send('rare_first', 1);
    for (let i = 0; i < 10; i++) await send('common', 500);
    await send('rare_last', 1);
    for (const [type, sort] of [['rare_first', 'id'], ['rare_last', 'id'], ['rare_first', '-id'], ['rare_last', '-id']]) {
        const { rows, pages } = await walk(server, `/api/events?filter[event_type]=${type}&sort=${sort}`);
        assert.deepEqual(rows.map(({ attributes }) => attributes.event_type), [type]);
        assert.equal(pages, 3, `${type} by ${sort}: 5,002 events, 2,048 a page`);
    }
    const { rows, pages } = await walk(server, '/api/events?filter[event_type]=none');
    assert.deepEqual([rows.length, pages], [0, 3]);
    const back = (await get(server, '/api/events?filter[event_type]=rare_last')).json;
    assert.deepEqual(back.data, []);
    assert.equal(new URL(back.links.next, server.url).searchParams.get('page[after]'), back.meta.cursor);
    const listed = await run(POSTHORN, ['events', 'list', '--type', 'rare_first', '--json', '--server', server.url,
        '--key', server.api_key]);
    assert.equal(JSON.parse(listed.stdout).data.length, 1, listed.stderr);
});

test('8.22: what has ended goes after its time, around what waits; compact gives the space back', async (t) => {
    const kept = ['--retention', '1s', '--retention-resources', '1s'];
    const server = await serve(t, { args: [...FREE, ...kept] });
    await eventually('the retention is in the log', () =>
        /retention: events=1s attempts=30d idempotency=30d resources=1s/.test(server.stderr));
    const gone = await receiver(t);
    gone.close();
    await setUrl(server, gone.url);
    const waiting = await post(server); // nobody listens: it waits
    await setUrl(server, null);
    const line = JSON.stringify(eventBody({ attributes: { note: 'x'.repeat(2000) } }));
    for (let i = 0; i < 8; i++) {
        const headers = { 'Content-Type': 'application/x-ndjson' };
        const lines = Array.from({ length: 250 }, () => line).join('\n');
        assert.equal((await api(server, 'POST', '/api/events', lines, { headers })).status, 201);
    }
    await eventually('only what waits is left', async () => {
        const { json } = await get(server, '/api/events?page[size]=2');
        return json.data.length === 1 && json.data[0].id === waiting;
    });
    await eventually('its snapshots are gone too', async () =>
        (await get(server, '/api/resources/users/7')).status === 404);
    const running = await run(POSTHORN, ['compact', '--data', server.data]);
    assert.equal(running.code, 3, running.stderr);
    process.kill(server.pid, 'SIGTERM');
    await server.ended;
    const before = statSync(join(server.data, 'posthorn.db')).size;
    const done = await run(POSTHORN, ['compact', '--data', server.data, '--json']);
    assert.equal(done.code, 0, done.stderr);
    const { bytes_before, bytes_after } = JSON.parse(done.stdout);
    assert.equal(bytes_before, before);
    assert.equal(bytes_after, statSync(join(server.data, 'posthorn.db')).size);
    assert.ok(bytes_after < before / 4, `${before} to ${bytes_after}`);
    const again = await serve(t, { install: server, args: FREE });
    assert.equal((await get(again, `/api/events/${waiting}`)).status, 200);
});

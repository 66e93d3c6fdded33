// GET /api/endpoints/ID/stats and posthorn endpoints stats: docs/endpoints.md, "Shown by".
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { answer, api, delivery, eventually, initialize, makeUser, post, posthorn, POSTHORN, receiver, run, serve, setUrl, sleep } from './harness.mjs';

const HOUR_MS = 3600 * 1000;
const get = (server, id, options, query = '') => api(server, 'GET', `/api/endpoints/${id}/stats${query}`, undefined, options);
const stats = async (server, id = server.user_id) => {
    const answer = await get(server, id);
    assert.equal(answer.status, 200, answer.text);
    return answer.json.data.attributes;
};
const counts = ({ accepted, delivered, failed, given_up, cancelled }) => [accepted, delivered, failed, given_up, cancelled];
const patch = (server, attributes, id = server.user_id) =>
    api(server, 'PATCH', `/api/endpoints/${id}`, { data: { type: 'endpoints', id, attributes } });
const isDelivered = (server, id) => eventually('it is delivered', async () => (await delivery(server, id)).attributes.state === 'delivered');
const sql = (data, text) => execFileSync('sqlite3', [join(data, 'posthorn.db'), text], { encoding: 'utf8' });
const thisHour = () => Math.floor(Date.now() / HOUR_MS);

test('stats: accepted, delivered, failed, given up, p50 and p99 of the answer, oldest waiting, by hour', async (t) => {
    const server = await serve(t);
    await patch(server, { retry: { schedule: [1, 1] } });
    const hook = await receiver(t, async (request, number) => {
        if (number === 1) await sleep(300);
        return answer(number === 2 ? 500 : 200);
    });
    const none = await stats(server);
    assert.deepEqual([...counts(none), none.p50_ms, none.p99_ms, none.waiting, none.oldest_waiting_at, none.hours], [0, 0, 0, 0, 0, null, null, 0, null, []]);
    await setUrl(server, hook.url);
    await isDelivered(server, await post(server));
    await isDelivered(server, await post(server)); // the second attempt
    const all = await stats(server);
    assert.deepEqual([...counts(all), all.waiting, all.oldest_waiting_at], [2, 2, 1, 0, 0, 0, null]);
    assert.ok(all.p99_ms >= 270, all.p99_ms);
    assert.ok(all.p50_ms !== null && all.p50_ms <= all.p99_ms, all.p50_ms);
    const sums = all.hours.reduce((sum, hour) => counts(hour).map((count, i) => count + sum[i]), [0, 0, 0, 0, 0]);
    assert.deepEqual(sums, counts(all));
    assert.ok(all.hours.length <= 2);
    assert.equal(Date.parse(all.hours.at(-1).hour) % HOUR_MS, 0);
    assert.ok([0, 1].includes(thisHour() - 167 - Date.parse(all.since) / HOUR_MS), all.since);

    await patch(server, { status: 'paused' });
    const waits = await post(server), second = await post(server);
    const received = (await delivery(server, waits)).attributes.created_at;
    const paused = await stats(server);
    assert.deepEqual([...counts(paused), paused.waiting, paused.oldest_waiting_at], [4, 2, 1, 0, 0, 2, received]);
    for (const id of [waits, second]) assert.equal((await api(server, 'POST', `/api/deliveries/${(await delivery(server, id)).id}/cancel`)).status, 200);
    const last = await stats(server);
    assert.deepEqual([...counts(last), last.waiting, last.oldest_waiting_at], [4, 2, 1, 0, 2, 0, null]);
});

test('stats: given up counts once', async (t) => {
    const server = await serve(t);
    await patch(server, { retry: { schedule: [1] } });
    const hook = await receiver(t, () => answer(500));
    await setUrl(server, hook.url);
    const id = await post(server);
    await eventually('it is given up', async () => (await delivery(server, id)).attributes.state === 'given_up');
    const [accepted, delivered, failed, given_up, cancelled] = counts(await stats(server));
    assert.deepEqual([accepted, delivered, given_up, cancelled], [1, 0, 1, 0]);
    assert.equal(failed, (await delivery(server, id)).attributes.attempt_count);
});

test("stats: who sees whose, a removed endpoint, bad requests, preconditions", async (t) => {
    const server = await serve(t);
    const [one, other] = [await makeUser(server), await makeUser(server)];
    assert.equal((await get(server, one.user_id, { key: one.api_key })).status, 200);
    assert.equal((await get(server, one.user_id)).status, 200);
    assert.equal((await get(server, one.user_id, { key: other.api_key })).status, 404);
    for (const id of ['1', 'x', '0', '9223372036854775808']) assert.equal((await get(server, id)).status, 404, id);
    assert.equal((await api(server, 'POST', `/api/endpoints/${one.user_id}/stats`, {})).status, 405);
    assert.equal((await get(server, one.user_id, {}, '?days=3')).status, 400);
    assert.deepEqual(Object.keys((await get(server, one.user_id, {}, '?fields[endpoint_stats]=p50_ms')).json.data.attributes), ['p50_ms']);
    const { headers, json } = await get(server, one.user_id);
    assert.equal(json.data.type, 'endpoint_stats');
    assert.equal(json.data.links.self, `/api/endpoints/${one.user_id}/stats`);
    const etag = headers.get('etag');
    assert.equal((await get(server, one.user_id, { headers: { 'If-None-Match': etag } })).status, 304);
    const { id } = (await api(server, 'POST', '/api/endpoints', { data: { type: 'endpoints', attributes: { url: 'https://example.com/' } } })).json.data;
    await patch(server, { status: 'paused' }, id);
    await post(server);
    assert.equal((await stats(server, id)).accepted, 1);
    assert.notEqual((await get(server, one.user_id)).headers.get('etag'), null);
    assert.equal((await api(server, 'DELETE', `/api/endpoints/${id}`)).status, 204);
    assert.equal((await get(server, id)).status, 404);
    await server.end();
    assert.equal(sql(server.data, `SELECT count(*) FROM endpoint_hours WHERE endpoint_id = ${id}`).trim(), '0');
});

test('stats: a stop loses nothing; a crash loses what the last minutes counted, and nothing else', async (t) => {
    const install = await initialize(t);
    let server = await serve(t, { install });
    await patch(server, { status: 'paused', url: 'https://example.com/' });
    await post(server);
    assert.equal((await server.end()).code, 0);
    server = await serve(t, { install });
    assert.equal((await stats(server)).accepted, 1);
    const ids = [await post(server), await post(server)];
    await server.end('SIGKILL');
    server = await serve(t, { install });
    const after = await stats(server);
    assert.ok(after.accepted >= 1 && after.accepted <= 3, after.accepted);
    assert.equal(after.waiting, 3);
    for (const id of ids) assert.equal((await delivery(server, id)).attributes.state, 'pending');
});

test('stats: damaged rows, and those of clocks that were wrong, are answered', async (t) => {
    const install = await initialize(t);
    let server = await serve(t, { install });
    assert.equal((await server.end()).code, 0);
    const now = thisHour();
    sql(install.data, `INSERT INTO endpoint_hours VALUES (${now}, ${server.user_id}, -5, 1 << 62, 'many', x'ff', 7, x'ffffffffffff');`
        + `INSERT INTO endpoint_hours VALUES (${now - 1}, ${server.user_id}, 3, 2, 1, 0, 0, x'0a03');`
        + `INSERT INTO endpoint_hours VALUES (${now - 200}, ${server.user_id}, 9, 9, 9, 9, 9, x'');`
        + `INSERT INTO endpoint_hours VALUES (${now + 900}, ${server.user_id}, 9, 9, 9, 9, 9, x'');`
        + `INSERT INTO endpoint_hours VALUES (-1, ${server.user_id}, 9, 9, 9, 9, 9, x'');`);
    server = await serve(t, { install });
    const all = await stats(server);
    assert.deepEqual(counts(all.hours.find((hour) => Date.parse(hour.hour) === (now - 1) * HOUR_MS)), [3, 2, 1, 0, 0]);
    assert.ok(all.hours.length <= 2 && counts(all).every(Number.isSafeInteger), JSON.stringify(all));
    assert.equal(all.p50_ms, 10);
    await setUrl(server, (await receiver(t)).url);
    await isDelivered(server, await post(server)); // added to the damaged row
    assert.equal((await stats(server)).hours.at(-1).accepted >= 1, true);
    assert.ok(server.running);
});

test('posthorn endpoints stats', async (t) => {
    const server = await serve(t);
    const cli = (...args) => posthorn('endpoints', 'stats', ...args, '--server', server.url, '--key', server.api_key);
    const empty = await cli(server.user_id);
    assert.equal(empty.code, 0, empty.stderr);
    assert.match(empty.stdout, /^since .*: 0 accepted, 0 delivered,\n0 failed attempts, 0 given up, 0 cancelled\nanswers in ms: p50 -, p99 -\nwaiting: 0\n$/);
    const hook = await receiver(t, async (request, number) => {
        if (number === 2) await sleep(200);
        return answer(200);
    });
    await setUrl(server, hook.url);
    for (let i = 0; i < 3; i++) await isDelivered(server, await post(server));
    const { stdout } = await cli(server.user_id);
    assert.match(stdout, /\n\nHOUR, UTC +ACCEPTED +DELIVERED +FAILED +GIVEN_UP +P50_MS +P99_MS\n(\d{4}-\d\d-\d\dT\d\d:00 +\d+ +\d+ +0 +0 +[\d-]+ +[\d-]+\n){1,2}$/);
    const document = JSON.parse((await cli(server.user_id, '--json')).stdout);
    assert.deepEqual([document.data.type, document.data.attributes.accepted], ['endpoint_stats', 3]);
    assert.ok(document.data.attributes.p50_ms < document.data.attributes.p99_ms);
    assert.deepEqual(stdout.trimEnd().split('\n').slice(-document.data.attributes.hours.length).map((line) => line.split(/ +/).slice(1)),
                     document.data.attributes.hours.map((hour) => [hour.accepted, hour.delivered, hour.failed, hour.given_up, hour.p50_ms, hour.p99_ms].map((value) => String(value ?? '-'))));
    const missing = await cli('4711');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /4711|no such endpoint/i);
    // On a terminal each line has a bar, and 80 columns at most.
    const command = [POSTHORN, 'endpoints', 'stats', server.user_id, '--server', server.url, '--key', server.api_key].join(' ');
    const terminal = await run('script', ['-qec', command, '/dev/null']);
    assert.match(terminal.stdout, / ########\r?\n|########\r?\n/);
    for (const line of terminal.stdout.split(/\r?\n/)) assert.ok(line.length <= 80, line);
});

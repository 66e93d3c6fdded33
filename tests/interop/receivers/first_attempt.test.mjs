// 200 events to each of the real servers, some of them large: all are delivered, each at its first attempt, and the answer is
// read as it was meant.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { post, serve, setUrl } from '../../e2e/harness.mjs';
import { enter } from '../../faults/room.mjs';
import { allDelivered, attempts, disagreements, ends, readRecord } from './record.mjs';
import { install, servers, start, tls } from './servers.mjs';

const EVENTS = 200, AT_ONCE = 10;
const large = { attributes: { note: 'x'.repeat(300_000) } };

if (!process.env.FAULTS_ROOM) install();
const outside = await enter();

describe('200 events at the first attempt', { concurrency: 2, ...outside }, () => {
    for (const one of servers) {
        test(one.name, async (t) => {
            const certificate = tls(t);
            const server = await serve(t, { args: ['--ca-file', certificate.certificate, '--endpoint-connections', String(one.connections_max ?? 1024)] });
            const there = await start(t, one, { tls: certificate });
            await setUrl(server, there.url());
            const ids = [];
            await Promise.all(Array.from({ length: AT_ONCE }, async () => {
                for (let i = 0; i < EVENTS / AT_ONCE; i++) ids.push(await post(server, i === 5 ? large : {}));
            }));
            await allDelivered(server, ids);
            const record = await readRecord(server, ids);
            const all = attempts(record);
            t.diagnostic(`${ends(record)}; ${all.filter((attempt) => attempt.reused_connection).length} over a kept-alive connection`);
            assert.deepEqual(disagreements(record, there.arrivals()), []);
            assert.equal(there.arrivals().length, EVENTS);
            assert.deepEqual(all.filter(({ attempt, status, response, body_incomplete }) =>
                attempt !== 1 || status !== 200 || !(one.answers ?? ['{"status":"success"}']).includes(response) || body_incomplete), []);
            if (!one.closes) assert.ok(all.some((attempt) => attempt.reused_connection), 'a connection is used again');
        });
    }
});

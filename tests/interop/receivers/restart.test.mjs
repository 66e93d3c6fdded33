// Each of the real servers is restarted gracefully, and killed and started again, while 50 events a second come: its
// log agrees with the record, arrival by arrival.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { post, serve, setUrl, sleep } from '../../e2e/harness.mjs';
import { enter } from '../../faults/room.mjs';
import { allDelivered, disagreements, ends, readRecord } from './record.mjs';
import { install, servers, start, tls } from './servers.mjs';

const EVENT_EVERY_MS = 20;

if (!process.env.FAULTS_ROOM) install();
const outside = await enter();

/** Events at an even rate until `stop` is called, which gives their ids. */
function stream(server) {
    const started = performance.now(), posted = [];
    let going = true;
    const ended = (async () => {
        while (going) {
            posted.push(post(server));
            await sleep(Math.max(0, started + posted.length * EVENT_EVERY_MS - performance.now()));
        }
    })();
    return {
        stop: async () => {
            going = false;
            await ended;
            return Promise.all(posted);
        },
    };
}

describe('what the receiver saw is what the record says', { concurrency: 2, ...outside }, () => {
    for (const one of servers) {
        test(one.name, async (t) => {
            const certificate = tls(t);
            const server = await serve(t, { args: ['--ca-file', certificate.certificate, '--backoff-base', '2s'] });
            const there = await start(t, one, { tls: certificate });
            await setUrl(server, there.url());

            const record = new Map();
            const killed = () => there.kill().then(there.open);
            for (const disturb of [there.restart, killed]) {
                const events = stream(server);
                await sleep(1000);
                await disturb();
                await sleep(1500);
                const ids = await events.stop();
                await allDelivered(server, ids);
                const part = await readRecord(server, ids);
                t.diagnostic(`${disturb === killed ? 'killed' : 'restarted'}: ${ends(part)}`);
                for (const [id, one] of part) record.set(id, one);
                assert.deepEqual(disagreements(record, there.arrivals()), []);
            }
        });
    }
});

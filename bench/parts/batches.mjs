// (e) acceptance alone: no webhook_url, so no deliveries, and every event is durable when it is answered.
// BENCH_BATCH_EVENTS=60000
import { BATCH_LINES, count, cpuOf, cpuPerEvent, install, post, repeats, row, serve } from '../rig.mjs';

export const what = 'batches';

export async function run() {
    const events = count('BATCH_EVENTS', 60_000, 200);
    const server = await serve(install());
    const measure = async (total, lines, options = {}) => {
        const before = cpuOf(server.pid);
        const ran = await post(server.port, Math.ceil(total / lines), { key: server.key, ...options });
        return { rate: total / ((ran.last_ns - ran.first_ns) / 1e9), us: cpuPerEvent(before, cpuOf(server.pid), total).total.us };
    };
    await measure(Math.min(2000, events), 1);
    const single = [], batch = [];
    for (let i = 0; i < repeats; i++) {
        single.push(await measure(events, 1));
        batch.push(await measure(events, BATCH_LINES, { batch: BATCH_LINES }));
    }
    await server.remove();
    return [row('batches.single.rate', '(e) accepted one a request', 'events/s', single.map((run) => run.rate), { digits: 0, better: 'more' }),
            row('batches.single.cpu', '    CPU an event', 'us', single.map((run) => run.us)),
            row('batches.batch.rate', `    accepted ${BATCH_LINES} a request`, 'events/s', batch.map((run) => run.rate), { digits: 0, better: 'more' }),
            row('batches.batch.cpu', '    CPU an event', 'us', batch.map((run) => run.us)),
            row('batches.ratio', '    batches/single', 'x', batch.map((run, i) => run.rate / single[i].rate), { digits: 2, better: 'more', aim: 2.5 })];
}

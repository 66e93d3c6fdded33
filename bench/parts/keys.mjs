// Events with a random Idempotency-Key each, while many are kept. BENCH_KEYS_KEPT=400000 BENCH_KEYS_EVENTS=30000
import { BATCH_LINES, body, count, install, median, post, progress, row, serve, setUrl, startSink, throughput } from '../rig.mjs';

export const what = 'Idempotency-Key';
const RUNS = 3;

export async function run() {
    const kept = count('KEYS_KEPT', 400_000, 1000), events = count('KEYS_EVENTS', 30_000, 30) / RUNS;
    const sink = await startSink();
    const server = await serve(install(), [], { counted: true });
    progress(`    keeping ${kept} keys`);
    await post(server.port, Math.ceil(kept / BATCH_LINES), { key: server.key, batch: BATCH_LINES, file: body({ keyed: true }), connections: 8 });
    await setUrl(server, `${sink.url}/hook`);
    await throughput(server, sink, count('WARM', 2000));
    const measure = async (options) => {
        const list = [];
        for (let i = 0; i < RUNS; i++) {
            const before = server.disk().log_bytes;
            const ran = await throughput(server, sink, Math.ceil(events), options);
            list.push({ cpu: ran.cpu.total.us, store: ran.cpu.store.us, log: (server.disk().log_bytes - before) / Math.ceil(events) / 1000 });
        }
        return list;
    };
    const without = await measure({}), keyed = await measure({ idempotency: true });
    await server.remove();
    await sink.end();
    const more = (what) => keyed.map((run) => run[what] - median(without.map((each) => each[what])));
    return [row('keys.cpu', `Idempotency-Key, ${kept.toLocaleString('en')} kept: CPU an event`, 'us', keyed.map((run) => run.cpu)),
            row('keys.store', '    store', 'us', keyed.map((run) => run.store)),
            row('keys.store_more', '    store, more than without', 'us', more('store'), { aim: 5 }),
            row('keys.log', '    log an event', 'KB', keyed.map((run) => run.log)),
            row('keys.log_more', '    log, more than without', 'KB', more('log'), { digits: 2, aim: 0.5 })];
}

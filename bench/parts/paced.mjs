// Normal loads: 300/s, 1,000/s, and 70 % of the machine's capacity. Waits are counted from the moment a request
// should have been sent, whether or not a connection was free then.
//
// BENCH_RATES=300,1000 BENCH_RATE_SECONDS=12 BENCH_LOG=20000 (events before all that)
import { cpuPerEvent, cpuOf, count, install, paced, row, seconds, serve, setUrl, Skip, skipped, sleep, startSink, throughput, waitRow } from '../rig.mjs';

export const what = 'steady rates';
const AIMS = { 300: { cpu: 350 }, 1000: { cpu: 200 } };

function waitRows(key, text, waits) {
    const rows = [];
    for (const [kind, name] of [['ack', 'POST to 201'], ['arrival', 'POST to arrival']])
        for (const [q, label] of [[0.5, 'p50'], [0.99, 'p99'], [0.999, 'p99.9']])
            rows.push(waitRow(`${key}.${kind}.${label}`, q === 0.5 ? `${text}: ${name}, ${label}` : `    ${label}`, waits, kind, q));
    return rows;
}

async function steady(server, sink, rate) {
    const windows = 3, costs = [], waits = [];
    let missing = 0, disk;
    for (let i = 0; i < windows; i++) {
        const before = cpuOf(server.pid), written = server.disk();
        const ran = await paced(server, sink, { rate, seconds: seconds('RATE_SECONDS', 12) / windows });
        const cpu = cpuPerEvent(before, cpuOf(server.pid), ran.events);
        disk = server.disk();
        waits.push(...ran.waits);
        missing += ran.missing;
        costs.push({ cpu, log: (disk.log_bytes - written.log_bytes) / ran.events / 1000, syncs: (disk.syncs - written.syncs) / ran.events });
    }
    const each = (what) => costs.map(what), key = `paced${rate}`, aims = AIMS[rate] ?? {};
    return [row(`${key}.cpu`, `at ${rate}/s: CPU an event`, 'us', each(({ cpu }) => cpu.total.us), { aim: aims.cpu }),
            ...['api', 'store', 'delivery'].map((part) => row(`${key}.cpu.${part}`, `    ${part}`, 'us', each(({ cpu }) => cpu[part].us))),
            row(`${key}.log`, '    log an event', 'KB', each(({ log }) => log), { aim: 12 }),
            row(`${key}.syncs`, '    syncs an event', '', each(({ syncs }) => syncs), { digits: 2 }),
            ...(missing ? [row(`${key}.missing`, '    not arrived', '', missing, { digits: 0 })] : []),
            ...waitRows(key, `at ${rate}/s`, waits)];
}

export async function run() {
    const sink = await startSink('--records', 1_000_000);
    const server = await serve(install(), [], { counted: true });
    const rows = [];
    await setUrl(server, `${sink.url}/hook`);
    await throughput(server, sink, count('LOG', 20_000, 10)); /* until the log of the store has its whole length: to make a file longer costs more than to write it */
    for (const rate of (process.env.BENCH_RATES ?? '300,1000').split(',').map(Number)) {
        try {
            rows.push(...await steady(server, sink, rate));
        } catch (error) {
            if (!(error instanceof Skip)) throw error;
            rows.push(skipped(`paced${rate}`, `at ${rate}/s`, error.message));
        }
    }
    const saturated = [];
    for (let i = 0; i < 3; i++) saturated.push((await throughput(server, sink, count('SATURATION', 40_000))).per_second);
    const rate = Math.round(0.7 * saturated.sort((a, b) => a - b)[1]);
    await sleep(500);
    const { waits } = await paced(server, sink, { rate, seconds: seconds('RATE_SECONDS', 12) / 2 });
    rows.push(...waitRows('paced70', `at 70 % of saturation (${rate}/s)`, waits));
    await server.remove();
    await sink.end();
    return rows;
}

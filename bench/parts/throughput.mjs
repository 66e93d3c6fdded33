// (a) the ceiling, the null relay, and (b) posthorn, in turns. BENCH_EVENTS=60000 a turn.
import { count, install, load, memoryOf, paced, post, repeats, row, seconds, serve, setting, setUrl, sleep, startRelay, startSink,
         throughput, waitRow } from '../rig.mjs';

export const what = 'the ceiling, the relay, posthorn';

const events = count('EVENTS', 60_000);
const rate = setting('RATE', 1000);

async function ceiling() {
    const sink = await startSink();
    const ran = await load(sink.port, events * 3, { path: '/' });
    await sink.end();
    return (events * 3) / ((ran.last_ns - ran.first_ns) / 1e9);
}

/** Until the last event has arrived, as for posthorn. */
async function relayed() {
    const sink = await startSink();
    const relay = await startRelay(sink.port);
    const ran = await post(relay.port, events, {});
    let seen;
    do seen = await sink.stats(); while (seen.requests < events);
    await relay.end();
    await sink.end();
    return events / ((seen.last_ns - ran.first_ns) / 1e9);
}

export async function run() {
    const sink = await startSink('--records', 1_000_000);
    const server = await serve(install());
    await sleep(1500);
    const idle = memoryOf(server.pid, 'VmRSS');
    await setUrl(server, `${sink.url}/hook`);
    await throughput(server, sink, Math.min(2000, events)); /* warm */
    const { waits } = await paced(server, sink, { rate, seconds: seconds('RATE_SECONDS', 6) });
    const ceilings = [], relays = [], runs = [];
    for (let i = 0; i < repeats; i++) {
        ceilings.push(await ceiling());
        relays.push(await relayed());
        runs.push(await throughput(server, sink, events));
    }
    const peak = memoryOf(server.pid, 'VmHWM');
    await server.remove();
    await sink.end();
    const each = (what) => runs.map(what);
    const duplicates = Math.max(...each((run) => run.duplicates));
    return [row('ceiling.rate', '(a) ceiling, load to sink', 'requests/s', ceilings, { digits: 0, better: 'none' }),
            row('relay.rate', '    the null relay between them', 'requests/s', relays, { digits: 0, better: 'none' }),
            row('throughput.rate', '(b) accepted, delivered, recorded', 'events/s', each((run) => run.per_second), { digits: 0, better: 'more' }),
            row('throughput.of_ceiling', '    of the ceiling', '', each((run, i) => run.per_second / ceilings[i]), { digits: 3, better: 'more', aim: 0.22 }),
            row('throughput.of_relay', '    of the null relay', '', each((run, i) => run.per_second / relays[i]), { digits: 3, better: 'more', aim: 0.65 }),
            row('throughput.cpu', '    CPU an event', 'us', each(({ cpu }) => cpu.total.us), { aim: 50 }),
            row('throughput.cpu.system', '      in the kernel', 'us', each(({ cpu }) => cpu.total.system)),
            ...['api', 'store', 'delivery'].map((part) => row(`throughput.cpu.${part}`, `      ${part}`, 'us', each(({ cpu }) => cpu[part].us))),
            waitRow('throughput.gap.p50', `    201 to arrival at ${rate}/s, p50`, waits, 'gap', 0.5),
            waitRow('throughput.gap.p99', '    p99', waits, 'gap', 0.99),
            row('throughput.rss.idle', '    RSS idle', 'MiB', idle, { aim: 16 }),
            row('throughput.rss.peak', '    RSS peak', 'MiB', peak),
            ...(duplicates ? [row('throughput.duplicates', '    duplicates', '', duplicates, { digits: 0 })] : [])];
}

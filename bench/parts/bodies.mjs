// Bodies of 4, 32 and 256 KiB and 1 MiB; and many of 1 MiB for a receiver that takes a second for each.
// BENCH_BODY_MIB=240 of each size; BENCH_BODIES_SLOW=512 events
import { body, count, install, memoryOf, post, row, seconds, serve, setting, setUrl, sleep, startSink, throughput, until } from '../rig.mjs';

export const what = 'large bodies';
const RUNS = 3, KIB = 1024;
const LARGEST = 1024 * KIB - 512; /* body-max, without what the server adds */

async function size(bytes, text) {
    const sink = await startSink();
    const server = await serve(install());
    await setUrl(server, `${sink.url}/hook`);
    await throughput(server, sink, count('WARM', 200));
    const file = body({ bytes }), runs = [];
    const events = Math.ceil(Math.min(count('BODY_EVENTS', 9000), Math.max(1, (count('BODY_MIB', 240, 1) * KIB * KIB) / bytes)) / RUNS);
    for (let i = 0; i < RUNS; i++) runs.push(await throughput(server, sink, events, { file }));
    const peak = memoryOf(server.pid, 'VmHWM');
    await server.remove();
    await sink.end();
    const key = `body${Math.round(bytes / KIB)}`;
    return [row(`${key}.cpu`, `bodies of ${text}: CPU each`, 'us', runs.map(({ cpu }) => cpu.total.us), { digits: 0, aim: bytes === LARGEST ? 2500 : undefined }),
            row(`${key}.rate`, '    delivered', 'events/s', runs.map((run) => run.per_second), { digits: 0, better: 'more' }),
            row(`${key}.rss`, '    RSS peak', 'MiB', peak, { digits: 0 })];
}

async function slow() {
    const events = count('BODIES_SLOW', 512, 4), file = body({ bytes: LARGEST });
    const sink = await startSink();
    const server = await serve(install());
    await setUrl(server, `${sink.url}/late/${setting('BODIES_SLOW_MS', 1000)}/hook`);
    await post(server.port, events, { key: server.key, file });
    await until('every event delivered', async () => (await sink.stats()).requests >= events, 300);
    const peak = memoryOf(server.pid, 'VmHWM');
    await sleep(seconds('BODIES_REST', 4) * 1000);
    const after = memoryOf(server.pid, 'VmRSS');
    await server.remove();
    await sink.end();
    return [row('body_slow.rss', `${events} of 1 MiB for a receiver that takes 1 s each: RSS peak`, 'MiB', peak, { digits: 0, aim: 320 }),
            row('body_slow.rss_after', '    RSS 4 s after the last', 'MiB', after, { digits: 0 })];
}

export async function run() {
    const rows = [];
    for (const kib of [4, 32, 256]) rows.push(...await size(kib * KIB, `${kib} KiB`));
    rows.push(...await size(LARGEST, '1 MiB'), ...await slow());
    return rows;
}

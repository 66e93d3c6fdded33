// A receiver that is back after an outage: the speed and the order of the waiting deliveries. New events keep coming.
//
// BENCH_OUTAGE_WAITING=50000 events, BENCH_RECOVERY_SECONDS=15. Retries come once a second here, or one would wait long.
import { BATCH_LINES, count, install, post, row, seconds, serve, setUrl, sleep, startSink, until } from '../rig.mjs';

export const what = 'recovery after an outage';

/** How far from its place in the order of acceptance an event arrived, on average, in percent of all there are. */
function displacement(ids) {
    const place = new Map([...ids].sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)).map((id, i) => [id, i]));
    return (100 * ids.reduce((total, id, i) => total + Math.abs(place.get(id) - i), 0)) / ids.length ** 2;
}

export async function run() {
    const waiting = count('OUTAGE_WAITING', 50_000, 200), duration = seconds('RECOVERY_SECONDS', 15), known = 20;
    let sink = await startSink();
    const port = sink.port;
    const server = await serve(install(), ['--backoff-base', '1s', '--backoff-factor', '1', '--backoff-cap', '1s']);
    await setUrl(server, `${sink.url}/late/20/hook`); /* some work for each, so that many at once are seen */
    await post(server.port, known, { key: server.key });
    await until('the endpoint is known', async () => (await sink.stats()).requests >= known);
    await sleep(500);
    await sink.end();
    await post(server.port, Math.ceil(waiting / BATCH_LINES), { key: server.key, batch: BATCH_LINES, connections: 4 });
    await sleep(3000);
    sink = await startSink('--port', port, '--records', 1_000_000);
    await until('the first of them', async () => (await sink.stats()).requests > 0);
    const fresh = post(server.port, 50 * duration, { key: server.key, rate: 50 });
    await sleep(1000);
    const early = (await sink.stats()).held_max;
    await fresh;
    const records = await sink.records(), held = (await sink.stats()).held_max;
    const [begun] = records[0].slice(1), perSecond = Array.from({ length: duration }, () => 0);
    for (const [, ns] of records) perSecond[Math.min(duration - 1, Math.floor((ns - begun) / 1e9))]++;
    const ids = [...new Set(records.map(([id]) => id))];
    await server.remove('SIGKILL');
    await sink.end();
    return [row('recovery.first', `back after an outage, ${waiting.toLocaleString('en')} waiting: in the first second`, 'events', perSecond[0], { digits: 0, better: 'none', note: `then ${perSecond.slice(1, 9).join(', ')}` }),
            row('recovery.early', '    at once in the first second, at most', '', early, { digits: 0 }),
            row('recovery.held', '    at once later, at most', '', held, { digits: 0, better: 'none' }),
            row('recovery.share', `    delivered in ${duration} s`, '%', Math.min(100, (100 * ids.length) / (waiting + 50 * duration)), { digits: 0, better: 'more' }),
            row('recovery.displaced', '    out of its place in the order of acceptance, on average', '% of all', displacement(ids), { digits: 2 })];
}

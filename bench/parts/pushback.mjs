// Receivers that take 20 or 500 requests a second and answer 429 to the rest, without a Retry-After.
//
// BENCH_PUSHBACK_SECONDS=40 at most for each
import { addUsers, BATCH_LINES, count, install, post, row, seconds, serve, sleep, startSink } from '../rig.mjs';

export const what = 'receivers that say 429';

async function pushback(rate, events) {
    const sink = await startSink();
    const place = install();
    const users = addUsers(place, `${sink.url}/take/${rate}/#`, 1);
    const server = await serve(place);
    const batch = Math.min(BATCH_LINES, events), begun = Date.now();
    await post(server.port, events / batch, { key: server.key, users, batch, connections: 1 });
    const limit = begun + seconds('PUSHBACK_SECONDS', 40) * 1000;
    let seen;
    do {
        await sleep(50);
        seen = await sink.stats();
    } while (seen.requests < events && Date.now() < limit);
    const took = (Date.now() - begun) / 1000;
    await server.remove('SIGKILL');
    await sink.end();
    const key = `pushback${rate}`, open = events - seen.requests;
    /* The receiver takes one second's worth at once, and then its rate. */
    const could = rate * (took + 1);
    return [row(`${key}.share`, `a receiver that takes ${rate}/s: got of what it could`, '%', 100 * seen.requests / could, { digits: 0, better: 'more', aim: 80 }),
            row(`${key}.refusals`, '    refusals of all requests', '%', 100 * seen.refused / (seen.refused + seen.requests),
                { digits: 0, aim: rate === 20 ? 20 : 10, note: `${seen.refused} refused, ${seen.requests} taken` }),
            row(`${key}.seconds`, `    ${events} events done after`, 's', took, { note: open ? `${open} still open` : undefined, aim: rate === 20 ? 30 : undefined })];
}

export async function run() {
    return [...await pushback(20, count('PUSHBACK_FEW', 400)), ...await pushback(500, count('PUSHBACK_MANY', 10_000))];
}

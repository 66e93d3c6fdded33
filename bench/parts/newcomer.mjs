// A new endpoint that answers 200 after a second: 50 events/s from its first event, then 100/s, then 400/s.
//
// BENCH_NEWCOMER_SECONDS=8 at each rate, BENCH_NEWCOMER_MS=1000
import { addUsers, install, paced, row, seconds, serve, setting, startSink, waitRow } from '../rig.mjs';

export const what = 'a new endpoint that answers after one second';

export async function run() {
    const sink = await startSink('--records', 100_000);
    const place = install();
    const users = addUsers(place, `${sink.url}/late/${setting('NEWCOMER_MS', 1000)}/#`, 1);
    const server = await serve(place);
    const duration = seconds('NEWCOMER_SECONDS', 8), rows = [];
    for (const rate of [50, 100, 400]) {
        /* At 400/s the last 3 s of 8: it has had 5 s to be known. */
        const { waits, missing } = await paced(server, sink, { rate, seconds: duration, users, connections: 16 });
        const part = rate === 400 ? waits.slice(Math.floor(waits.length * 5 / 8)) : waits;
        const text = rate === 400 ? `${rate}/s, after 5 s` : `${rate}/s`;
        const note = missing ? `${missing} not arrived` : undefined;
        rows.push(waitRow(`newcomer${rate}.p50`, `a new endpoint that answers after 1 s, ${text}: 201 to attempt, p50`, part, 'gap', 0.5),
                  waitRow(`newcomer${rate}.p99`, '    p99', part, 'gap', 0.99, { note, ...(rate !== 100 && { aim: 20 }) }));
    }
    rows.push(row('newcomer.held', '    at once, at most', '', (await sink.stats()).held_max, { digits: 0, better: 'none' }));
    await server.remove('SIGKILL');
    await sink.end();
    return rows;
}

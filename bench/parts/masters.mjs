// Fan-out: each event of a user goes to the user's endpoint and to its Master's. BENCH_MASTER_EVENTS=30000
import { addUsers, count, install, row, serve, setUrl, startSink, throughput } from '../rig.mjs';

export const what = 'fan-out to a Master';
const RUNS = 3;

export async function run() {
    const sink = await startSink();
    const place = install();
    const users = addUsers(place, `${sink.url}/user/#`, 50);
    const server = await serve(place);
    await setUrl(server, `${sink.url}/master`, undefined, undefined, { receives_users_events: true });
    const options = { users, copies: 2 }, events = Math.ceil(count('MASTER_EVENTS', 30_000, 30) / RUNS), runs = [];
    await throughput(server, sink, count('WARM', 2000), options);
    for (let i = 0; i < RUNS; i++) runs.push(await throughput(server, sink, events, options));
    await server.remove();
    await sink.end();
    return [row('masters.cpu', 'each event to a user and its Master: CPU an event, both deliveries', 'us', runs.map(({ cpu }) => cpu.total.us)),
            row('masters.rate', '    delivered twice', 'events/s', runs.map((run) => run.per_second), { digits: 0, better: 'more' })];
}

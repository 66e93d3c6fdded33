// Events for many endpoints at random, all kept alive by their receiver. An endpoint is a user with a URL of its own.
//
// The most need a descriptor for each on both sides. Where we may not raise the limit (CAP_SYS_RESOURCE), the row says how many there are.
//
// BENCH_ENDPOINTS=1,1000,10000,100000 BENCH_ENDPOINTS_EVENTS=40000
import { addUsers, connections, count, descriptorsOf, install, row, serve, SINK_HOSTS, startSink, throughput } from '../rig.mjs';

export const what = 'events for many endpoints at random';
const AIMS = { 10000: { cpu: 65, connections: 0.1 }, 100000: { cpu: 90 } };

export async function run() {
    const rows = [], events = count('ENDPOINTS_EVENTS', 40_000);
    const list = (process.env.BENCH_ENDPOINTS ?? '1,1000,10000,100000').split(',').map((each) => count('', Number(each), 1));
    for (const endpoints of new Set(list)) {
        const sink = await startSink('--hosts', SINK_HOSTS);
        const place = install();
        const users = addUsers(place, `http://127.0.0.@:${sink.port}/e/#`, endpoints);
        const server = await serve(place, ['--connections-max', connections * 2], { descriptors: endpoints + 10_000 });
        const descriptors = descriptorsOf(server.pid);
        await throughput(server, sink, Math.max(Math.min(endpoints, events), 20), { users, inTurn: true });
        const runs = [];
        for (let i = 0; i < 3; i++) runs.push(await throughput(server, sink, Math.ceil(events / 3), { users }));
        await server.remove();
        await sink.end();
        const key = `endpoints${endpoints}`, aims = AIMS[endpoints] ?? {}, text = endpoints.toLocaleString('en');
        rows.push(row(`${key}.cpu`, `${text} endpoint${endpoints > 1 ? 's' : ''} at random: CPU an event`, 'us', runs.map(({ cpu }) => cpu.total.us), { aim: aims.cpu, note: descriptors < endpoints ? `descriptors for ${descriptors.toLocaleString('en')}` : undefined }),
                  row(`${key}.connections`, '    new connections an event', '', runs.map((run) => run.connections / Math.ceil(events / 3)),
                      { digits: 3, aim: aims.connections }),
                  row(`${key}.rate`, '    delivered', 'events/s', runs.map((run) => run.per_second), { digits: 0, better: 'more' }));
    }
    return rows;
}

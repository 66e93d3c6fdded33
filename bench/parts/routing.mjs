// The cost of endpoints: events of a user with 1, 10 and 100 of them, filters that refuse, and 100,000 idle ones of which 1 % have work.
//
// BENCH_ROUTING_EVENTS=20000 BENCH_ROUTING_IDLE=100000
import { addEndpoints, addUsers, api, count, install, memoryOf, row, serve, setUrl, startSink, throughput } from '../rig.mjs';

export const what = 'a user with many endpoints, filters, and many idle endpoints';
const RUNS = 3;
const REFUSES = { filter: { included: { type: ['users'], attributes: { note: [{ prefix: 'y' }, { numeric: ['>', 7] }] } } } };
const OTHER_TYPE = { event_types: ['payment_*', 'user_disabled'] };

const cpuOfAll = (runs) => runs.map(({ cpu }) => cpu.total.us);

/** Runs with the events of one user, whose default endpoint gets them; `wanting` further ones do too, and `refusing` have these attributes. */
async function runs({ wanting = 0, refusing = 0, attributes = {} }) {
    const sink = await startSink(), copies = 1 + wanting;
    const server = await serve(install(), ['--rate-limit', '0']);
    await setUrl(server, `${sink.url}/default`);
    for (let i = 0; i < wanting + refusing; i++)
        await api(server, 'POST', '/api/endpoints',
                  { data: { type: 'endpoints', attributes: { url: `${sink.url}/${i}`, ...(i < wanting ? {} : attributes) } } });
    const events = Math.ceil(count('ROUTING_EVENTS', 20_000, 30) / RUNS / Math.sqrt(copies)), all = [];
    await throughput(server, sink, count('WARM', 1000), { copies });
    for (let i = 0; i < RUNS; i++) all.push(await throughput(server, sink, events, { copies }));
    await server.remove();
    await sink.end();
    return all;
}

/** Memory of a server whose 1,000 users have so many further endpoints, and the time to its first answer. */
async function idle(endpoints) {
    const place = install();
    const users = addUsers(place, 'http://127.0.0.1:9/#', Math.min(1000, endpoints));
    if (endpoints > users.length) addEndpoints(place, users, 'http://127.0.0.1:9/#', endpoints / users.length);
    const server = await serve(place);
    const seen = { rss: memoryOf(server.pid, 'VmRSS'), start: server.firstAnswerMs };
    await server.remove();
    return seen;
}

/** CPU of events for 1 % of the users, where the others' endpoints are idle; and for as many users alone. */
async function due(users, part) {
    const sink = await startSink(), place = install();
    const some = addUsers(place, `${sink.url}/#`, users).filter((_, i) => i % (users / part) === 0);
    const server = await serve(place), all = [];
    await throughput(server, sink, some.length, { users: some, inTurn: true });
    for (let i = 0; i < RUNS; i++) all.push(await throughput(server, sink, count('ROUTING_EVENTS', 20_000, 30), { users: some }));
    await server.remove();
    await sink.end();
    return cpuOfAll(all);
}

export async function run() {
    const one = cpuOfAll(await runs({})), ten = await runs({ wanting: 9 }), hundred = await runs({ wanting: 99 });
    const filters = cpuOfAll(await runs({ refusing: 99, attributes: REFUSES })), types = cpuOfAll(await runs({ refusing: 99, attributes: OTHER_TYPE }));
    const many = count('ROUTING_IDLE', 100_000, 2000), text = many.toLocaleString('en'), part = many / 100;
    const [few, idling] = [await idle(1000), await idle(many)];
    const [alone, among] = [await due(part, part), await due(many, part)];
    const more = (list) => list.map((us, i) => (us - one[i]) / 99);
    return [
        row('routing1.cpu', 'a user with 1 endpoint: CPU an event', 'us', one),
        row('routing10.cpu', '    10 endpoints that want it: CPU a delivery', 'us', cpuOfAll(ten).map((us) => us / 10)),
        row('routing100.cpu', '    100 endpoints that want it: CPU a delivery', 'us', cpuOfAll(hundred).map((us) => us / 100)),
        row('routing100.rate', '    delivered', 'events/s', hundred.map((run) => run.per_second), { digits: 0, better: 'more' }),
        row('routing_types.cpu', '    99 more that want other types: CPU for each', 'us', more(types), { digits: 2 }),
        row('routing_filters.cpu', '    99 more whose filters refuse: CPU for each', 'us', more(filters), { digits: 2, aim: 5 }),
        row('idle_endpoints.rss', `${text} idle endpoints: memory of each`, 'bytes', (idling.rss - few.rss) * 1024 * 1024 / (many - 1000), { digits: 0, aim: 512 }),
        row('idle_endpoints.start', '    start to the first answer', 'ms', idling.start, { digits: 0, aim: 2000 }),
        row('due_endpoints.ratio', `    1 % of ${text} endpoints get events: CPU an event, of the same without the idle ones`, 'x', among.map((us, i) => us / alone[i]), { digits: 2 }),
    ];
}

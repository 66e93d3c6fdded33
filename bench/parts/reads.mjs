// Lists beside writes, with many events; and the cost of many users. BENCH_READ_EVENTS=1000000 BENCH_READ_USERS=100000
import { addUsers, api, BATCH_LINES, count, install, metrics, paced, post, progress, quantile, row, seconds, serve, setting, setUrl, startSink, timed } from '../rig.mjs';

export const what = 'lists beside writes, and many users';

const thirds = (sorted, q) => [sorted.filter((_, i) => i % 3 === 0), sorted.filter((_, i) => i % 3 === 1), sorted.filter((_, i) => i % 3 === 2)].map((list) => quantile(list, q));
const times = (key, text, took, aim, what = 'p50') =>
    [row(`${key}.p50`, `${text}: ${what}`, 'ms', thirds(took, 0.5), { digits: 2, aim }),
     row(`${key}.max`, '    longest', 'ms', took.at(-1), { digits: 1 })];

async function lists() {
    const events = count('READ_EVENTS', 1_000_000, 1000), sink = await startSink('--records', 1_000_000);
    const place = install();
    const [other] = addUsers(place, `${sink.url}/other`, 1);
    const server = await serve(place);
    progress(`    ${events} events to read`);
    await post(server.port, Math.ceil(events / BATCH_LINES), { key: server.key, batch: BATCH_LINES, connections: 16 });
    const writes = paced(server, sink, { rate: setting('READ_RATE', 500), seconds: seconds('READ_SECONDS', 10), users: [other], connections: 16 });
    const get = (query) => api(server, 'GET', `/api/events?page[size]=100${query}`);
    const first = await timed(30, () => get(''));
    const newest = await timed(30, () => get('&sort=-id'));
    let cursor = '';
    const walk = await timed(60, async () => {
        const page = await get(cursor);
        cursor = `&page[after]=${encodeURIComponent(page.meta.cursor)}`;
    });
    let next = '/api/events?page[size]=100&filter[resource_id]=none';
    const nothing = await timed(30, async () => {
        const page = await api(server, 'GET', next);
        next = page.links.next ?? next;
    });
    const { waits } = await writes;
    const acks = waits.map((wait) => wait.ack).sort((a, b) => a - b);
    await server.remove('SIGKILL');
    await sink.end();
    const text = `of ${events.toLocaleString('en')} events, beside writes`;
    return [...times('lists.first', `first page ${text}`, first, 5),
            ...times('lists.newest', '    newest first', newest, 5), ...times('lists.walk', '    a page of a walk', walk, 5),
            ...times('lists.nothing', '    a page of a filter that matches nothing', nothing, 50),
            row('lists.ack', '    POST to 201 meanwhile, p99', 'ms', quantile(acks, 0.99))];
}

async function users() {
    const many = count('READ_USERS', 100_000, 100), place = install();
    const ids = addUsers(place, 'http://127.0.0.1:18080/#', many);
    const server = await serve(place, ['--rate-limit', '0']);
    const begun = server.firstAnswerMs;
    const patch = await timed(30, (i) => setUrl(server, `http://127.0.0.1:18080/changed/${i}`));
    const made = await timed(30, (i) => api(server, 'POST', '/api/users', { data: { type: 'users', attributes: { name: `New ${i}` } } }));
    const read = await timed(30, () => metrics(server));
    await server.remove('SIGKILL');
    const text = ids.length.toLocaleString('en');
    return [...times('users.patch', `with ${text} users: PATCH of one`, patch, 1), ...times('users.post', '    POST of one', made, 1),
            ...times('users.metrics', '    GET /metrics', read, 1), row('users.start', '    start to the first answer', 'ms', begun, { digits: 0 })];
}

export async function run() {
    return [...await lists(), ...await users()];
}

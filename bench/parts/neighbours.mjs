// One endpoint's trouble is nobody else's: a healthy endpoint at 100 events/s beside slow, hanging and refusing ones.
//
// BENCH_SLOW=4,500 endpoints that answer after BENCH_SLOW_MS=10000, BENCH_SLOW_RATE=30 events/s each, BENCH_SLOW_SECONDS=20
// BENCH_HANGING=2000 with BENCH_HANGING_EACH=3 events, new or proven or half of each; and 4 proven ones with 300 events each
// BENCH_REFUSING=1000,10000 that refuse connections, BENCH_REFUSING_EACH=100 events waiting for each
import { addUsers, attemptsOf, BATCH_LINES, count, cpuUs, deadPort, endAll, install, metrics, paced, post, progress, row, seconds, serve,
         setting, setUrl, skipped, sleep, startSink, throughput, until, waitQuantile, waitRow } from '../rig.mjs';

export const what = 'a healthy endpoint beside slow, hanging and refusing ones';

const RATE = 100; /* of the healthy one */
const BEFORE_MS = 500, ONSET_MS = 2000; /* it is well for so long; then they begin to hang */
const LATE_MS = setting('SLOW_MS', 10_000);
const list = (name, standard) => [...new Set((process.env[`BENCH_${name}`] ?? standard).split(',').map((each) => count('', Number(each), 2)))];

/** The healthy endpoint has a receiver of its own, `well`: in one process it would wait there, for all that the others are sent. */
async function world(url, users) {
    const sink = await startSink(), well = await startSink('--records', 2_000_000);
    const place = install();
    const ids = addUsers(place, url(sink), users);
    const server = await serve(place, [], { counted: true });
    await setUrl(server, `${well.url}/healthy`);
    await throughput(server, well, count('WARM', 2000, 10));
    return { sink, well, server, ids, end: async () => { await server.remove('SIGKILL'); await sink.end(); await well.end(); } };
}

/** Posts in batches, each line for the next of `users`. */
const give = (server, users, events, { batch = Math.min(BATCH_LINES, events), ...options } = {}) =>
    post(server.port, Math.ceil(events / batch), { key: server.key, users, inTurn: true, batch, connections: 8, ...options });

const healthy = ({ server, well }, duration) => paced(server, well, { rate: RATE, seconds: duration, connections: 16 });

function rows(key, text, alone, beside) {
    const growth = waitQuantile(beside.waits, 'gap', 0.99).value - waitQuantile(alone.waits, 'gap', 0.99).value;
    return [waitRow(`${key}.p50`, `beside ${text}: 201 to arrival, p50`, beside.waits, 'gap', 0.5),
            waitRow(`${key}.p99`, '    p99', beside.waits, 'gap', 0.99,
                { note: beside.missing ? `${beside.missing} not arrived` : undefined }),
            row(`${key}.p99_more`, '    p99 more than alone', 'ms', growth, { digits: 2, aim: 50 })];
}

/** The first so many of the users answer some events each, and at once. */
async function prove({ server, sink, ids }, users, state) {
    const before = (await sink.stats()).requests, each = users < 10 ? 20 : 1;
    await sink.switch(state);
    await give(server, ids.slice(0, users), users * each);
    await until('they have answered', async () => (await sink.stats()).requests >= before + users * each);
    await sleep(500);
}

async function slow(users) {
    const here = await world((sink) => `${sink.url}/late/${LATE_MS}/#`, users);
    const duration = seconds('SLOW_SECONDS', 20), rate = setting('SLOW_RATE', 30) * users;
    const alone = await healthy(here, seconds('ALONE_SECONDS', 4));
    await prove(here, users, 'prompt');
    await here.sink.switch('ok');
    const batch = Math.min(BATCH_LINES, Math.max(1, Math.round(rate / 10)));
    const load = give(here.server, here.ids, rate * duration, { batch, rate: Math.round(rate / batch), secondsMax: duration + 60 });
    await sleep(duration * 500); /* until they hold what they will hold */
    const beside = await healthy(here, duration / 2);
    const held = (await here.sink.stats()).held_max;
    await load;
    await here.end();
    return [...rows(`slow${users}`, `${users} that answer after ${LATE_MS / 1000} s`, alone, beside),
            row(`slow${users}.held`, '    attempts of theirs at once, at most', '', held, { digits: 0, better: 'none' })];
}

/** `proven` have answered once before they hang; `fresh` never have. */
async function hanging(key, text, proven, fresh, each) {
    const here = await world((sink) => `${sink.url}/switch/#`, proven + fresh);
    const alone = await healthy(here, seconds('ALONE_SECONDS', 4));
    if (proven) await prove(here, proven, 'ok');
    await here.sink.switch('hang');
    const [beside] = await Promise.all([
        healthy(here, seconds('HANGING_SECONDS', 17)),
        sleep(BEFORE_MS).then(() => give(here.server, here.ids, (proven + fresh) * each)),
    ]);
    const { held_max: held } = await here.sink.stats();
    await here.end();
    const onset = beside.waits.slice(BEFORE_MS * RATE / 1000).slice(0, ONSET_MS * RATE / 1000);
    return [...rows(key, text, alone, beside),
            waitRow(`${key}.onset`, `    the longest wait in the first ${ONSET_MS / 1000} s`, onset, 'gap', 1),
            row(`${key}.held`, '    attempts of theirs at once, at most', '', held, { digits: 0, better: 'none' })];
}

/**
 * Attempts go out in groups of a quarter of a second. Counted from the end of one group to that of another, their rate is that of the groups;
 * between two moments of the clock it would be as many as a group more, which over 6 s is 4 %.
 */
async function endOfGroup({ server }) {
    let seen = attemptsOf(await metrics(server)), grew = 0;
    for (const limit = Date.now() + 2000; Date.now() < limit && !(grew && Date.now() - grew >= 80);) {
        await sleep(5);
        const attempts = attemptsOf(await metrics(server));
        if (attempts > seen) grew = Date.now();
        seen = attempts;
    }
    return { at: grew || Date.now(), attempts: seen };
}

async function refusing(users) {
    const port = await deadPort();
    const here = await world(() => `http://127.0.0.1:${port}/#`, users);
    const { server, well } = here;
    const events = count('REFUSING_PROBE', 10_000, 20), runs = 3;
    const costs = async () => {
        const list = [];
        for (let i = 0; i < runs; i++) list.push((await throughput(server, well, events)).cpu.total.us);
        return list;
    };
    const alone = await costs();
    await give(server, here.ids, users * setting('REFUSING_EACH', 100));
    await sleep(2000);
    const first = await endOfGroup(here), begin = { at: Date.now(), disk: server.disk(), cpu: cpuUs(server.pid) };
    await sleep(seconds('REFUSING_SECONDS', 6) * 1000);
    const took = (Date.now() - begin.at) / 1000, disk = server.disk();
    const cpu = (cpuUs(server.pid) - begin.cpu) / took / 1e4, last = await endOfGroup(here);
    const attempts = 1000 * (last.attempts - first.attempts) / Math.max(1, last.at - first.at);
    const beside = await costs();
    await here.end();
    const key = `refusing${users}`;
    return [row(`${key}.attempts`, `${users} that refuse connections, otherwise idle: attempts`, '/s', attempts, { digits: 0, aim: 200 }),
            row(`${key}.log`, '    log', 'MB/s', (disk.log_bytes - begin.disk.log_bytes) / took / 1e6, { digits: 2, aim: 2 }),
            row(`${key}.cpu`, '    CPU, of one core', '%', cpu, { digits: 1 }),
            row(`${key}.healthy_cpu`, '    CPU an event of a healthy one beside them', 'us', beside),
            row(`${key}.healthy_ratio`, '    of what it is alone', 'x', beside.map((us, i) => us / alone[i]), { digits: 2, aim: 1.2 })];
}

export async function run() {
    const all = [];
    const attempt = async (key, text, measure) => {
        progress(`    ${text}`);
        try {
            all.push(...await measure());
        } catch (error) {
            all.push(skipped(key, text, error.message.slice(0, 200)));
            process.exitCode = 1;
            endAll();
        }
    };
    for (const users of list('SLOW', '4,500'))
        await attempt(`slow${users}`, `${users} slow ones`, () => slow(users));
    const hang = count('HANGING', 2000, 4), each = setting('HANGING_EACH', 3);
    await attempt('begin4', '4 proven ones hang', () => hanging('begin4', '4 that begin to hang, 300 events each', 4, 0, 300));
    for (const [kind, mix, proven] of [['', 'half of them new', Math.floor(hang / 2)], ['_new', 'all new', 0], ['_proven', 'all proven', hang]]) {
        const key = `hanging${hang}${kind}`, text = `${hang} that hang, ${mix}`;
        await attempt(key, text, () => hanging(key, text, proven, hang - proven, each));
    }
    for (const users of list('REFUSING', '1000,10000'))
        await attempt(`refusing${users}`, `${users} refuse`, () => refusing(users));
    return all;
}

// (c) the cost of an event behind a million deliveries that wait for one dead endpoint.
// BENCH_WAITING=1000000 BENCH_BACKLOG_EVENTS=30000
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { api, bodyBytes, build, count, deadPort, install, makeUser, median, memoryOf, program, progress, repeats, row, serve, setUrl, Skip, sleep, startSink,
         throughput, timed } from '../rig.mjs';

export const what = 'a backlog for a dead endpoint';

const events = count('BACKLOG_EVENTS', 30_000);
const waiting = count('WAITING', 1_000_000, 1000);

/** A database is filled by the build that made it. */
function fillProgram() {
    if (process.env.BENCH_FILL) return process.env.BENCH_FILL;
    const beside = join(dirname(program), '../bench/fill');
    if (existsSync(beside)) return beside;
    if (process.env.BENCH_POSTHORN) throw new Skip('no bench/fill beside BENCH_POSTHORN, and no BENCH_FILL');
    return join(build, 'bench/fill');
}

async function measure(server, sink) {
    await throughput(server, sink, Math.min(2000, events));
    const runs = [];
    for (let i = 0; i < repeats; i++) runs.push((await throughput(server, sink, events)).cpu.total.us);
    return runs;
}

export async function run() {
    const fill = fillProgram();
    const sink = await startSink();
    let server = await serve(install());
    await setUrl(server, `${sink.url}/hook`);
    const empty = await measure(server, sink);
    const dead = await makeUser(server, 'Dead');
    await setUrl(server, `http://127.0.0.1:${await deadPort()}/dead`, dead.id, dead.key);
    await server.end();
    progress(`    filling in ${waiting} deliveries for a dead endpoint`);
    execFileSync(fill, ['--data', server.data, '--user', dead.id, '--count', waiting, '--body-bytes', bodyBytes].map(String));
    server = await serve(server);
    const first = server.firstAnswerMs;
    await sleep(1000);
    const behind = await measure(server, sink);
    const list = await api(server, 'GET', `/api/events?page[size]=1&sort=-id&filter[user]=${dead.id}`);
    const read = await timed(30, () => api(server, 'GET', `/api/events/${list.data[0].id}/deliveries`));
    const peak = memoryOf(server.pid, 'VmHWM');
    await server.end('SIGKILL');
    server = await serve(server);
    const second = server.firstAnswerMs;
    await server.remove();
    await sink.end();
    const alone = median(empty);
    return [row('backlog.ratio', `(c) cost of an event behind ${waiting.toLocaleString('en')} waiting`, 'x', behind.map((us) => us / alone), { digits: 2, aim: 1.2 }),
            row('backlog.cpu', '    CPU an event', 'us', behind, { note: `empty ${alone.toFixed(1)} us` }),
            row('backlog.deliveries', '    GET the deliveries of one of them', 'ms', median(read), { digits: 2, aim: 5 }),
            row('backlog.rss', '    RSS peak', 'MiB', peak, { aim: 128 }),
            row('backlog.restart', '    restart to the first answer', 'ms', first, { digits: 0, aim: 2000 }),
            row('backlog.restart_kill', '    after kill -9', 'ms', second, { digits: 0, aim: 2000 })];
}

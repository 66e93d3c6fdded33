// The program under test and another one in turns, so that both have the same machine: BENCH_AGAINST=PROGRAM.
// BENCH_AGAINST_EVENTS=30000 a turn, BENCH_AGAINST_TURNS=9
import { count, install, program, row, serve, setUrl, Skip, startSink, throughput } from '../rig.mjs';

export const what = 'against another program, in turns';

export async function run() {
    const other = process.env.BENCH_AGAINST;
    if (!other) throw new Skip('BENCH_AGAINST names no other program');
    const sides = [], turns = count('AGAINST_TURNS', 9, 2), events = count('AGAINST_EVENTS', 30_000);
    for (const binary of [other, program]) {
        const sink = await startSink(), server = await serve(install(binary));
        await setUrl(server, `${sink.url}/hook`);
        await throughput(server, sink, count('WARM', 2000));
        sides.push({ sink, server, runs: [] });
    }
    for (let turn = 0; turn < turns; turn++) /* the first of a turn is the second of the next */
        for (const { sink, server, runs } of turn % 2 ? [...sides].reverse() : sides) runs.push(await throughput(server, sink, events));
    for (const { sink, server } of sides) {
        await server.remove();
        await sink.end();
    }
    const [before, after] = sides.map(({ runs }) => runs);
    const ratio = (of) => after.map((run, i) => of(run) / of(before[i]));
    return [row('against.cpu', 'CPU an event, of what the other program takes', 'x', ratio((run) => run.cpu.total.us), { digits: 3, aim: 1.03 }),
            ...['api', 'store', 'delivery'].map((part) => row(`against.${part}`, `    ${part}`, 'x', ratio((run) => run.cpu[part].us), { digits: 3 })),
            row('against.rate', '    delivered', 'x', ratio((run) => run.per_second), { digits: 3, better: 'more' })];
}

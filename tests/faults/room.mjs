// A room of its own for a test file: network, mounts and processes of its own, in namespaces. What is done to
// routes, disks and resolvers in there is gone with the last process, however the test ends, and nobody else sees it.
// Its temporary files are in memory, and go the same way.
//
//   const outside = await enter();           // undefined inside the room
//   test('...', outside, (t) => ...);        // outside: { skip: why }, and never both
//
// The file runs itself again inside; the runner hears the test from there, as if nothing were between.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { POSTHORN } from '../e2e/harness.mjs';

process.env.PATH += ':/usr/sbin:/sbin';

const MARK = 'FAULTS_ROOM';

/* setpriv: when the runner ends this process, unshare ends too, and with it all that is inside. */
function doorway(root) {
    const door = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--pid', '--fork', '--kill-child',
        '--mount-proc'];
    return root ? door : [...door, '--map-root-user'];
}

function why_not(door, real_root, needs) {
    if (process.platform !== 'linux') return 'namespaces are a thing of Linux';
    const isRoot = process.getuid() === 0;
    if (real_root && !isRoot) return 'only root may do this';
    const missing = needs.find((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
    if (missing) return `there is no ${missing} (packages.list)`;
    const [program, ...args] = door;
    const tried = spawnSync(program, [...args, 'true'], { encoding: 'utf8' });
    if (tried.error) return `there is no ${program}`;
    return tried.status === 0 ? undefined : `no namespaces here: ${tried.stderr.trim()}`;
}

/** `realRoot`: namespaces of an ordinary user will not do. `needs`: the programs it cannot do without. */
export async function enter({ realRoot = false, needs = [] } = {}) {
    if (process.env[MARK]) {
        sh('ip link set lo up && mount -t tmpfs -o size=1g none /mnt');
        process.env.TMPDIR = '/mnt';
        return undefined;
    }
    const door = doorway(process.getuid() === 0);
    const skip = why_not(door, realRoot, ['ip', 'mount', ...needs]);
    if (skip) return { skip };
    const [program, ...args] = door;
    const child = spawn(program, [...args, process.execPath, ...process.execArgv, process.argv[1]],
        { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
    process.exit(await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1))));
}

/** Runs a line of shell, which must succeed; returns what it printed. */
export function sh(line) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${line}: ${status} ${stderr}`);
    return stdout.trim();
}

/** A C part of these tests, from the folder that the program was built in. */
export function part(name) {
    const path = join(dirname(POSTHORN), '../tests/faults', name);
    if (!existsSync(path)) throw new Error(`${path} is not built: ninja -C build-test`);
    return path;
}

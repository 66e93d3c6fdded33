// Runs the tools of other languages for the interop tests. Everything that they install or build is in build-interop/:
// `make clean` removes it, and the machine keeps its own settings.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, sleep } from '../e2e/harness.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
export const room = fileURLToPath(new URL('../../build-interop', import.meta.url));
mkdirSync(room, { recursive: true });

/** Where each package manager keeps what it fetched and built, and how long it waits for a slow mirror. */
export const environment = {
    PIP_CACHE_DIR: join(room, 'pip'),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_RETRIES: '5',
    PIP_TIMEOUT: '60',
    npm_config_cache: join(room, 'npm'),
    npm_config_fetch_retries: '5',
    GOPATH: join(room, 'go'),
    GOCACHE: join(room, 'go/cache'),
    GOFLAGS: '-modcacherw', // or `make clean` could not remove it
    CARGO_HOME: join(room, 'cargo'),
    CARGO_TARGET_DIR: join(room, 'cargo/target'),
    CARGO_NET_RETRY: '5',
    MAVEN_OPTS: `-Dmaven.repo.local=${join(room, 'maven')} -Dmaven.wagon.http.retryHandler.count=5`,
};

/** A mirror that fails for a moment is nobody's fault here: `work`, which fetches packages, is tried three times. */
export async function fetched(work) {
    for (let left = 2; ; left--) {
        try {
            return await work();
        } catch (error) {
            if (left === 0) throw error;
            console.error(`once more in 10 s: ${error.message}`);
            await sleep(10_000);
        }
    }
}

/** Runs a program, which must end with 0 or another of `codes`; gives what it printed on stdout. */
export async function checked(file, args, { cwd = room, env = {}, codes = [0], limitMs = 600_000 } = {}) {
    const { code, stdout, stderr } = await run(file, args, { cwd, env: { ...environment, ...env }, limitMs });
    assert.ok(codes.includes(code), `${file} ${args.join(' ')} in ${cwd}: ${code}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
    return stdout;
}

/** A copy of a folder of tests/interop in the build folder, so that nothing is built among the sources. */
export function copied(folder) {
    cpSync(join(here, folder), join(room, folder), { recursive: true });
    return join(room, folder);
}

/** The Python of an environment that has exactly what a list of requirements names. */
export async function pip(requirements) {
    const environment = join(room, requirements.replace(/\W/g, '-'));
    const wanted = readFileSync(join(here, requirements), 'utf8');
    const installed = join(environment, basename(requirements));
    const python = join(environment, 'bin/python');
    if (!existsSync(installed) || readFileSync(installed, 'utf8') !== wanted) {
        await checked('python3', ['-m', 'venv', '--clear', environment]);
        await fetched(() => checked(python, ['-m', 'pip', 'install', '--quiet', '--requirement', join(here, requirements)]));
        writeFileSync(installed, wanted);
    }
    return python;
}

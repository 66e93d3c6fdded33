// Real HTTP servers with a small receiver behind each: how they are installed, started, restarted and killed.
//
// Every receiver notes an arrival in a file before it answers, one line: the event's id and the SHA-256 of the body.
// What is not a Debian package is pinned (package-lock.json) and lies in build-interop/receivers. Run it in a room
// (faults/room.mjs): ports are fixed, and some of these servers run as root.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, folder } from '../../e2e/harness.mjs';
import { environment, room } from '../tools.mjs';

process.env.PATH += ':/usr/sbin:/sbin:/usr/local/go/bin';

const here = fileURLToPath(new URL('.', import.meta.url));
const programs = join(here, 'programs');
const built = join(room, 'receivers');
const TOMCAT = '/usr/share/java/tomcat10-embed-core.jar';
const ANNOTATIONS = '/usr/share/java/jakarta-annotation-api.jar';
const TOMCAT_PATH = [built, TOMCAT, ANNOTATIONS].join(':');

/* [package, what it has: a program or a file] */
const needed = readFileSync(new URL('../../../packages.list', import.meta.url), 'utf8').split('\n').map((line) => line.split(/\s+/))
    .filter(([group]) => group === 'interop').map(([, name, , what]) => [name, what]).concat([['golang-go', 'go']]);

function isThere(what) {
    const places = what.startsWith('/') ? [what] : process.env.PATH.split(':').map((place) => join(place, what));
    return places.some(existsSync);
}

/** Builds and installs what is not a Debian package. Fails if something is missing, and says which package has it. */
export function install() {
    const missing = needed.filter(([, what]) => !isThere(what)).map(([name]) => name);
    if (missing.length) throw new Error(`missing: ${missing.join(' ')}; tools/install-packages interop installs the Debian packages`);
    mkdirSync(built, { recursive: true });
    execFileSync('flock', ['lock', 'sh', '-ec', `
        cmp -s ${here}package-lock.json installed || {
            cp ${here}package.json ${here}package-lock.json .
            npm ci --no-audit --no-fund --loglevel error --ignore-scripts
            cp package-lock.json installed
        }
        [ receiver-go -nt ${programs}/receiver.go ] || go build -o receiver-go ${programs}/receiver.go
        [ Receiver.class -nt ${programs}/Receiver.java ] || javac -cp ${TOMCAT_PATH} -d . ${programs}/Receiver.java
    `], { cwd: built, env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'inherit'] });
}

const python = (...args) => ['/usr/bin/python3', '-B', ...args];

const gunicorn = (...args) => ({ dir, port, idle_ms }) => ({
    argv: ['gunicorn', '--chdir', programs, '--bind', `0.0.0.0:${port}`, '--workers', '2', '--worker-tmp-dir', dir,
        '--keep-alive', String(idle_ms / 1000), ...args, 'wsgi:application'],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
});

const go = (port, env) => ({ argv: [join(built, 'receiver-go')], env: { PORT: String(port), ...env }, at: { port } });

/* In front of the Go receiver, over TLS as a reverse proxy mostly is. */
const behind = (proxy) => (place) => [go(place.inner, { IDLE_MS: '600000' }), proxy(place)];

const caddy = ({ dir, port, inner, idle_ms, tls }) => {
    const config = write(dir, 'Caddyfile', `{
        admin localhost:${inner + 1}
        auto_https off
        servers {
            timeouts {
                idle ${idle_ms}ms
            }
        }
    }
    https://:${port} {
        tls ${tls.certificate} ${tls.key}
        reverse_proxy 127.0.0.1:${inner}
    }`);
    return { argv: ['caddy', 'run', '--config', config, '--adapter', 'caddyfile'],
             reload: ['caddy', 'reload', '--force', '--config', config, '--adapter', 'caddyfile'],
             env: { HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir } };
};

const haproxy = ({ dir, port, inner, idle_ms, tls }) => ({
    argv: ['haproxy', '-W', '-f', write(dir, 'haproxy.cfg', `
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout http-keep-alive ${idle_ms}ms
frontend webhooks
    bind *:${port} ssl crt ${tls.both}
    default_backend receiver
backend receiver
    server go 127.0.0.1:${inner}
`)],
});

const nginx = ({ dir, port, idle_ms }) => ({
    argv: ['nginx', '-e', join(dir, 'nginx.log'), '-p', dir, '-c', write(dir, 'nginx.conf', `
daemon off;
user root;
pid ${dir}/nginx.pid;
worker_processes 2;
events {
}
http {
    access_log off;
    keepalive_timeout ${idle_ms}ms;
    client_body_temp_path ${dir}/body;
    fastcgi_temp_path ${dir}/fastcgi;
    proxy_temp_path ${dir}/proxy;
    uwsgi_temp_path ${dir}/uwsgi;
    scgi_temp_path ${dir}/scgi;
    server {
        listen ${port};
        location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME ${programs}/receiver.php;
            fastcgi_param ARRIVALS ${dir}/arrivals;
            fastcgi_pass unix:${dir}/php.sock;
        }
    }
}
`)],
});

const php = ({ dir }) => ({
    at: { path: `${dir}/php.sock` },
    argv: ['php-fpm8.2', '--nodaemonize', '--allow-to-run-as-root', '--fpm-config', write(dir, 'php-fpm.conf', `
[global]
error_log = ${dir}/php-fpm.log
[www]
user = root
group = root
listen = ${dir}/php.sock
pm = static
pm.max_children = 4
`)],
});

/* Apache serves nothing as root. Its threads are as Debian configures them. */
const apache = ({ dir, port, idle_ms }) => {
    const script = join(dir, 'receiver.cgi');
    copyFileSync(join(programs, 'receiver.cgi'), script);
    chmodSync(dir, 0o777);
    const module = (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`;
    return { argv: ['apache2', '-D', 'FOREGROUND', '-d', dir, '-f', write(dir, 'apache.conf', `
${['mpm_event', 'authz_core', 'alias', 'env', 'cgid'].map(module).join('\n')}
ServerName localhost
Listen ${port}
PidFile ${dir}/apache.pid
ErrorLog ${dir}/apache.log
User nobody
Group nogroup
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadsPerChild 25
MaxRequestWorkers 150
KeepAliveTimeout ${idle_ms}ms
ScriptSock ${dir}/cgid.sock
PassEnv ARRIVALS
ScriptAlias /webhooks ${script}
`)] };
};

const puma = ({ dir, port, idle_ms }) => ({
    argv: ['puma', '--config', write(dir, 'puma.rb', `
environment 'production'
bind 'tcp://0.0.0.0:${port}'
threads 4, 4
persistent_timeout ${idle_ms / 1000}
rackup '${programs}/config.ru'
`)],
});

const CUT_SHORT = ['{"status":"success"}', '{"status":'];

/**
 * `parts`: the processes, in the order in which they start, and where each listens. `reload`: the signal that makes the last of them restart
 * without a moment in which nobody listens, or 'command' for its `reload`; none: it stops gracefully and is started anew.
 * `closes`: it keeps no connection. `connections_max`: with more at once all its threads are busy, and then it closes its
 * kept-alive connections, whatever has come on them.
 */
export const servers = [
    { name: 'gunicorn sync', parts: (place) => [gunicorn()(place)], reload: 'SIGHUP', closes: true },
    { name: 'gunicorn gthread', parts: (place) => [gunicorn('--worker-class', 'gthread', '--threads', '4')(place)], reload: 'SIGHUP' },
    { name: 'uvicorn', parts: ({ port, idle_ms }) => [{ argv: python('-m', 'uvicorn', '--app-dir', programs, '--host', '0.0.0.0', '--port', String(port),
        '--timeout-keep-alive', String(idle_ms / 1000), '--log-level', 'warning', 'asgi:application') }] },
    { name: 'Express', parts: () => [{ argv: [process.execPath, join(programs, 'express.mjs')] }] },
    { name: 'Fastify', parts: () => [{ argv: [process.execPath, join(programs, 'fastify.mjs')] }] },
    { name: 'Go net/http', parts: ({ port }) => [go(port)] },
    { name: 'Tomcat', parts: ({ dir }) => [{ argv: ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', TOMCAT_PATH, 'Receiver', dir] }] },
    { name: 'nginx with php-fpm', parts: (place) => [php(place), nginx(place)], reload: 'SIGHUP' },
    { name: 'Apache with CGI', parts: (place) => [apache(place)], reload: 'SIGUSR1', connections_max: 20 },
    { name: 'puma', parts: (place) => [puma(place)], reload: 'SIGUSR2' },
    // Both end a chunked answer behind an interim one after its first chunk now and then (Caddy 2.6 once in some thousand, with
    // "aborting with incomplete response" in its log), with the last chunk that says it is whole; Node's client sees the same.
    { name: 'Caddy', parts: behind(caddy), reload: 'command', https: true, answers: CUT_SHORT },
    { name: 'HAProxy', parts: behind(haproxy), reload: 'SIGUSR2', https: true, answers: CUT_SHORT },
];

function write(dir, name, text) {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
}

function makeCertificate(dir, hosts) {
    const certificate = join(dir, 'certificate.pem'), key = join(dir, 'key.pem'), both = join(dir, 'both.pem');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=receiver',
        '-addext', `subjectAltName=${hosts.map((host) => `IP:${host}`)}`, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
    writeFileSync(both, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
    return { certificate, key, both };
}

/** The certificate of every receiver that speaks TLS, and its own authority: --ca-file. */
export const tls = (t, hosts = ['127.0.0.1']) => makeCertificate(folder(t), hosts);

function listens(at) {
    return new Promise((resolve) => {
        const socket = net.connect(at);
        socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
        socket.on('connect', () => socket.destroy());
    });
}

/** Starts a receiver of `servers`. */
export async function start(t, server, { idle_ms = 5000, tls } = {}) {
    const dir = folder(t);
    const port = 20000 + 10 * servers.indexOf(server);
    const arrivals = write(dir, 'arrivals', '');
    chmodSync(arrivals, 0o666);
    const place = { dir, port, inner: port + 1, idle_ms, tls };
    const env = { ...process.env, ARRIVALS: arrivals, PORT: String(port), IDLE_MS: String(idle_ms), MODULES: join(built, 'package.json') };
    const parts = server.parts(place);
    let running = [];
    let said = '';

    const launch = async (part) => {
        /* detached: a process group of its own, so that its workers can be killed with it */
        const child = spawn(part.argv[0], part.argv.slice(1), { env: { ...env, ...part.env }, detached: true, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
        child.stdout.on('data', (data) => (said += data));
        child.stderr.on('data', (data) => (said += data));
        child.ended = new Promise((resolve) => child.on('exit', resolve));
        child.on('error', (error) => (said += error));
        running.push(child);
        await eventually(`${server.name} listens`, async () => {
            if (child.exitCode !== null) throw new Error(`${server.name} ended: ${said}`);
            return listens(part.at ?? { port });
        });
    };
    const open = async () => {
        running = [];
        for (const part of parts) await launch(part);
    };
    const kill = async () => {
        for (const child of running) {
            try {
                process.kill(-child.pid, 'SIGKILL');
            } catch {
                /* it has ended */
            }
        }
        await Promise.all(running.map((child) => child.ended));
    };
    const restart = async () => {
        const front = running.at(-1), part = parts.at(-1);
        if (server.reload === 'command') {
            execFileSync(part.reload[0], part.reload.slice(1), { env: { ...env, ...part.env }, cwd: dir, stdio: 'ignore' });
        } else if (server.reload) {
            front.kill(server.reload);
        } else {
            front.kill('SIGTERM');
            await front.ended;
            await open();
        }
    };
    t.after(kill);
    await open();
    return {
        port, kill, open, restart,
        url: (host = '127.0.0.1') => `${server.https ? 'https' : 'http'}://${host}:${port}/webhooks`,
        said: () => said,
        /** [{ id, digest }], in the order of arrival. */
        arrivals: () => readFileSync(arrivals, 'utf8').trim().split('\n').filter(Boolean).map((line) => {
            const [id, digest] = line.split(' ');
            return { id, digest };
        }),
    };
}

// Certificates, and a receiver that demands one.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { folder } from './harness.mjs';

const SERVER = '-addext extendedKeyUsage=serverAuth -addext subjectAltName=DNS:hooks.internal,IP:127.0.0.1';
const CLIENT = '-addext extendedKeyUsage=clientAuth';

/** An authority, and certificates from it: ca('name', '-addext ...') makes name.pem and name.key. */
export function authority(dir, name = 'ca') {
    const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
    const key = (file) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${file}.key`];
    openssl('req', '-x509', ...key(name), '-out', `${name}.pem`, '-subj', `/CN=authority ${name}`, '-days', '9');
    const make = (subject, extensions, days = '90') => {
        openssl('req', ...key(subject), '-new', '-out', `${subject}.csr`, '-subj', `/CN=${subject}`,
            ...extensions.split(' '));
        // Only `x509 -req` signs for a time that is over.
        openssl('x509', '-req', '-in', `${subject}.csr`, '-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial',
            '-copy_extensions', 'copyall', '-days', days, '-out', `${subject}.pem`);
    };
    return { make, pem: `${name}.pem` };
}

export function certificates(t) {
    const dir = folder(t);
    const ours = authority(dir);
    const strange = authority(dir, 'strange');
    ours.make('server', SERVER);
    ours.make('right', CLIENT);
    ours.make('another', CLIENT);
    ours.make('expired', CLIENT, '-1');
    strange.make('wrong', CLIENT);
    strange.make('elsewhere', SERVER);
    const path = (name) => join(dir, name);
    return { dir, path, read: (name) => readFileSync(path(name), 'utf8') };
}

/** Node's https server. `subjects` says who called. */
export async function nodeReceiver(t, files, { identity = 'server', options = {} } = {}) {
    const subjects = [];
    const sockets = new Set();
    const server = https.createServer({
        cert: files.read(`${identity}.pem`), key: files.read(`${identity}.key`), ca: files.read('ca.pem'),
        requestCert: true, rejectUnauthorized: true, ...options,
    }, (request, response) => {
        subjects.push(request.socket.getPeerCertificate().subject?.CN);
        sockets.add(request.socket);
        request.resume().on('end', () => response.end('{"status":"success"}'));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { subjects, sockets, url: `https://127.0.0.1:${server.address().port}/hook` };
}

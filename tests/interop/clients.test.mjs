// Each section of docs/clients.md, as printed and in an empty folder: its commands generate and compile a client from the
// openapi.json of a running server, and its program makes the four daily calls with it.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'node:test';
import { api, delivery, receiver, serve } from '../e2e/harness.mjs';
import { checked, fetched, room } from './tools.mjs';

const page = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8');
// What pip and npm install beside the packages that the page names, in exact versions.
const pinned = fileURLToPath(new URL('clients/', import.meta.url));

/** The blocks of a piece of Markdown: commands, and files with their names. */
const blocks = (text) => [...text.matchAll(/^```(\S+) ?(\S*)\n(.*?)^```$/gms)].map(([, kind, name, content]) => ({ kind, name, content }));

const [opening, ...sections] = page.split(/^## /m);
const fetching = blocks(opening).map(({ content }) => content).join('').replace(/^export .*\n/m, '');

for (const section of sections) {
    const title = section.slice(0, section.indexOf('\n'));
    test(`Use a generated client: ${title}`, async (t) => {
        const server = await serve(t);
        const hook = await receiver(t);
        const folder = join(room, 'clients', title.toLowerCase().replace(/\W+/g, '-'));
        const lock = join(pinned, title.toLowerCase());
        const given = blocks(section);
        const commands = fetching + given.filter((block) => block.kind === 'sh').map((block) => block.content).join('');
        const [, make, daily] = commands.match(/^(.*\n)(.+\n)$/s); // the last line runs the program
        const shell = (lines) => checked('sh', ['-euc', lines], {
            cwd: folder,
            env: { SERVER: server.url, KEY: server.api_key, WEBHOOK_URL: hook.url, PIP_CONSTRAINT: join(pinned, 'constraints.txt') },
        });
        await fetched(async () => {
            rmSync(folder, { recursive: true, force: true });
            mkdirSync(folder, { recursive: true });
            if (existsSync(lock)) cpSync(lock, folder, { recursive: true });
            for (const { name, content } of given.filter((block) => block.name)) writeFileSync(join(folder, name), content);
            await shell(make);
        });
        const printed = (await shell(daily)).replace(/\x1b\[\d*m/g, ''); // Maven resets the colour even of what it did not print
        const [, posted] = printed.match(/^posted (\d+)$/m) ?? assert.fail(printed);
        assert.match(printed, new RegExp(`^webhook_url ${hook.url}$`, 'm'));
        assert.match(printed, new RegExp(`^listed ${posted} user_enabled$`, 'm'));
        const { id } = await delivery(server, posted);
        assert.match(printed, new RegExp(`^delivery ${id} (pending|delivered)$`, 'm'));
        const [push] = await hook.arrived(1);
        assert.equal(push.id, posted);
        const [{ type, id: resourceId, attributes }] = push.json.included; // Java adds empty relationships, links and meta
        assert.deepEqual([push.json.included.length, type, resourceId, attributes], [1, 'users', '7', { name: 'Ana', limit: 12.5 }]);
        const user = await api(server, 'GET', '/api/users/me');
        assert.equal(user.json.data.attributes.webhook_url, hook.url);
    });
}

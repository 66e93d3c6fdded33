// Each folder below the current one is a push. Prints "PACKAGE PUSH accepted" or "PACKAGE PUSH refused: why".
import { readdirSync, readFileSync } from 'node:fs';
import * as standardwebhooks from 'standardwebhooks';
import * as svix from 'svix';

for (const push of readdirSync('.').sort()) {
    const parts = Object.fromEntries(readdirSync(push).map((name) => [name, readFileSync(`${push}/${name}`, 'utf8')]));
    const { secret, body, ...headers } = parts;
    for (const [name, { Webhook, WebhookVerificationError }] of Object.entries({ standardwebhooks, svix })) {
        try {
            new Webhook(secret).verify(body, headers);
            console.log(name, push, 'accepted');
        } catch (error) {
            if (!(error instanceof WebhookVerificationError)) throw error;
            console.log(name, push, `refused: ${error.message}`);
        }
    }
}

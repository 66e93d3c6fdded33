# Each folder below the current one is a push. Prints "PACKAGE PUSH accepted" or "PACKAGE PUSH refused: why".
import pathlib

import standardwebhooks
import svix.webhooks

packages = {"standardwebhooks": standardwebhooks, "svix": svix.webhooks}
for push in sorted(pathlib.Path(".").iterdir()):
    parts = {part.name: part.read_bytes().decode() for part in push.iterdir()}
    secret, body = parts.pop("secret"), parts.pop("body")
    for name, package in packages.items():
        try:
            package.Webhook(secret).verify(body, parts)
            print(name, push.name, "accepted")
        except package.WebhookVerificationError as error:
            print(name, push.name, f"refused: {error}")

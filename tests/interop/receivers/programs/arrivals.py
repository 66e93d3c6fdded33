"""Notes an arrival as every receiver here does: one line, `ID SHA256`, before the answer."""
import hashlib
import json
import os

notes = os.open(os.environ["ARRIVALS"], os.O_WRONLY | os.O_APPEND)
ANSWER = b'{"status":"success"}'


def note(body):
    line = f"{json.loads(body)['data']['id']} {hashlib.sha256(body).hexdigest()}\n"
    os.write(notes, line.encode())

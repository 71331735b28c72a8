// Asks the server every few seconds what it knows about this connection, and shows it.
'use strict';

const PERIOD_MS = 3000;
const PATIENCE_MS = 5000;
const TRACE_LENGTH = 40;

const at = (id) => document.getElementById(id);
const trips = [];
let answered = false;

function show(id, text) {
  const node = at(id);
  if (node.textContent !== text) node.textContent = text;
}

function showState(state, text) {
  at('state').dataset.state = state;
  show('state-text', text);
}

function groupName(name) {
  const known = { 'P-256': 'secp256r1 (P-256)', 'P-384': 'secp384r1 (P-384)' };
  return known[name] || name || '–';
}

function applicationName(alpn) {
  return { h2: 'HTTP/2', 'http/1.1': 'HTTP/1.1' }[alpn] || alpn || 'HTTP/1.1, not negotiated';
}

// Groups of eight bytes, which break a line only between them.
function showFingerprint(id, hex) {
  const node = at(id);
  if (node.dataset.hex === hex) return;
  node.dataset.hex = hex;
  const groups = hex.toUpperCase().match(/.{1,16}/g) || [];
  const spans = groups.map((group) => {
    const span = document.createElement('span');
    span.textContent = group.match(/.{1,2}/g).join(' ');
    return span;
  });
  node.replaceChildren(...spans.flatMap((span) => [span, ' ']));
}

function remaining(date) {
  const seconds = (date - Date.now()) / 1000;
  if (!(seconds > 0)) return 'expired';
  const words = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
  if (seconds < 7200) return words.format(Math.round(seconds / 60), 'minute');
  if (seconds < 172800) return words.format(Math.round(seconds / 3600), 'hour');
  return words.format(Math.round(seconds / 86400), 'day');
}

function showTime(iso) {
  const date = new Date(iso);
  const node = at('time');
  const milliseconds = document.createElement('small');
  milliseconds.textContent = '.' + String(date.getUTCMilliseconds()).padStart(3, '0');
  node.dateTime = iso;
  node.replaceChildren(date.toLocaleTimeString('en-GB', { timeZone: 'UTC' }), milliseconds);
  show('date', date.toLocaleDateString('en-GB', { timeZone: 'UTC', dateStyle: 'full' }) + ', UTC');
}

const CLAIMS = {
  handle: [
    'This browser has proved who it is.',
    'It never had the key.',
    'You are looking at a page over mutual TLS. The server asked for a client certificate and got a fresh signature for it, ' +
      'made in a separate process that neither this browser nor the web server can look into.',
    'Both sides verified',
  ],
  known: [
    'Both sides have proved who they are.',
    'Your key is your own.',
    'You are looking at a page over mutual TLS. The server’s own key is in a process that the web server cannot look into; ' +
      'your certificate was verified, and the server knows nothing of its key.',
    'Both sides verified',
  ],
  server: [
    'The server has proved who it is.',
    'You have not.',
    'You are looking at a page over TLS. The server showed its certificate, and does not insist on one of yours.',
    'Only the server is verified',
  ],
  nobody: [
    'Nobody has proved anything here.',
    '',
    'TLS is off: whoever is on this machine can read and change what you see.',
    'Nobody is verified',
  ],
};

function claimOf({ client, tls }) {
  if (client) return client.handle ? 'handle' : 'known';
  return tls ? 'server' : 'nobody';
}

// The page says no more than the server knows.
function showClaim(claim) {
  const [first, second, lead, state] = CLAIMS[claim];
  show('title-first', first);
  show('title-second', second);
  show('lead', lead);
  return state;
}

function showHolder(claim, client) {
  const handle = claim === 'handle';
  const known = claim === 'known';
  show('holder-has', handle ? 'handle ' + client.handle : known ? 'a key of its own' : 'no certificate');
  show('keyd-has', handle ? 'the keys of both' : 'the server’s key');
  at('holder-has').classList.toggle('none', !handle);
  show('holder-text', handle
    ? 'Permission to ask keyd for client signatures, for this one process, until it is revoked. Not a key.'
    : known ? 'Keyward gave this client no handle, and can say nothing about where its key is.'
      : 'The server does not know who this is.');
}

function showCertificate(prefix, certificate) {
  const until = new Date(certificate.not_after);
  show(prefix + 'subject', certificate.subject);
  show(prefix + 'issuer', certificate.issuer);
  show(prefix + 'serial', certificate.serial);
  showFingerprint(prefix + 'fingerprint', certificate.fingerprint);
  show(prefix + 'until', until.toLocaleString('en-GB', { timeZone: 'UTC', dateStyle: 'medium', timeStyle: 'short' }) + ' UTC');
  show(prefix + 'remaining', remaining(until));
}

// One root if the same name stands above both. A certificate that nobody has shown has no place in the drawing.
function showTrust({ client, server }) {
  if (server) showCertificate('server-', server);
  if (client) showCertificate('', client);
  at('trust').hidden = !server && !client;
  const one = server && client && server.issuer === client.issuer;
  at('tree').dataset.roots = one ? 'one' : server && client ? 'two' : server ? 'server' : client ? 'client' : 'none';
}

function showCounts(worker) {
  at('counts').hidden = !worker;
  if (!worker) return;
  const numbers = new Intl.NumberFormat('en');
  const values = {
    'worker': worker.number,
    'requests': worker.requests,
    'requests-refused': worker.requests_refused,
    'handshakes': worker.handshakes,
    'handshakes-failed': worker.handshakes_failed,
    'connections': worker.connections,
  };
  for (const [id, value] of Object.entries(values)) show(id, numbers.format(value));
}

function showUploads(uploads) {
  at('upload').hidden = !uploads;
  if (!uploads) return;
  const units = [[1 << 30, 'GiB'], [1 << 20, 'MiB'], [1, 'bytes']];
  const unit = units.find(([size]) => uploads.max_bytes >= size) || units[2];
  const most = new Intl.NumberFormat('en').format(Math.floor(uploads.max_bytes / unit[0]));
  show('upload-text', 'Up to ' + most + ' ' + unit[1] + ', kept on the server.');
}

function showConnection(tls) {
  if (!tls) {
    show('protocol', 'none: TLS is off');
    return;
  }
  show('protocol', tls.protocol.replace('TLSv', 'TLS '));
  show('cipher', tls.cipher);
  show('group', groupName(tls.group));
  show('alpn', applicationName(tls.alpn));
  show('proof', tls.resumed ? 'in an earlier handshake, resumed' : 'in this connection’s handshake');
}

function drawBar(index, height, kind) {
  const step = 240 / TRACE_LENGTH;
  const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  const box = { x: index * step + 1, y: 64 - height, width: step - 2, height, rx: 1.5 };
  for (const [name, value] of Object.entries(box)) bar.setAttribute(name, value.toFixed(1));
  if (kind) bar.classList.add(kind);
  return bar;
}

// One bar for each request, the newest at the right; a lost one is full height in another colour.
function drawTrace(trip) {
  trips.push(trip);
  if (trips.length > TRACE_LENGTH) trips.shift();
  const most = Math.max(4, ...trips.filter((t) => t !== null));
  const empty = TRACE_LENGTH - trips.length;
  const bars = Array.from({ length: empty }, (_, i) => drawBar(i, 3, 'empty'));
  trips.forEach((t, i) => {
    bars.push(t === null ? drawBar(empty + i, 64, 'lost') : drawBar(empty + i, Math.max(3, (64 * t) / most)));
  });
  at('trace').replaceChildren(...bars);
}

async function ask() {
  const start = performance.now();
  const response = await fetch('/api/get', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!response.ok) throw new Error('status ' + response.status);
  const answer = await response.json();
  return { answer, trip: performance.now() - start };
}

async function round() {
  try {
    const { answer, trip } = await ask();
    const claim = claimOf(answer);
    answered = true;
    showTime(answer.timestamp);
    showTrust(answer);
    showConnection(answer.tls);
    showHolder(claim, answer.client);
    showCounts(answer.worker);
    showUploads(answer.uploads);
    show('trip', (trip < 10 ? trip.toFixed(1) : trip.toFixed(0)) + ' ms');
    drawTrace(trip);
    show('live-title', 'The server, just now');
    showState('live', showClaim(claim));
  } catch {
    drawTrace(null);
    if (answered) show('live-title', 'The server, when it last answered');
    showState('gone', 'No answer, trying again');
  }
}

async function hello() {
  const start = performance.now();
  try {
    const response = await fetch('/hello', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = (await response.text()).trim();
    show('hello-answer', response.status + ': “' + text + '”, after ' + (performance.now() - start).toFixed(1) + ' ms');
  } catch {
    show('hello-answer', 'There was no answer.');
  }
}

// What the server takes for a name.
function uploadName(name) {
  return name.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^[.]+/, '').slice(-100) || 'file';
}

function upload(event) {
  event.preventDefault();
  const [file] = at('file').files;
  const progress = at('upload-progress');
  const request = new XMLHttpRequest(); // fetch does not tell how far it is
  const name = uploadName(file.name);
  request.open('PUT', '/upload/' + name);
  request.upload.onprogress = (sent) => { if (sent.lengthComputable) progress.value = sent.loaded / sent.total; };
  request.onloadend = () => {
    const done = { 201: 'Stored as ', 204: 'Replaced ' }[request.status];
    progress.hidden = true;
    show('upload-answer', done ? done + name + '.' : 'Not stored' + (request.status ? ': status ' + request.status : ': no answer') + '.');
  };
  progress.value = 0;
  progress.hidden = false;
  request.send(file);
}

let wake = () => {};

async function forever() {
  for (;;) {
    await round();
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, PERIOD_MS);
    });
  }
}

at('hello').addEventListener('click', hello);
at('upload').addEventListener('submit', upload);
document.addEventListener('keyward-lost', () => wake());
document.addEventListener('keyward-found', () => wake());
forever();

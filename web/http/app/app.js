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
  document.body.classList.toggle('gone', state === 'gone');
}

function groupName(name) {
  const known = { 'P-256': 'secp256r1 (P-256)', 'P-384': 'secp384r1 (P-384)' };
  return known[name] || name || '–';
}

function applicationName(alpn) {
  return { h2: 'HTTP/2', 'http/1.1': 'HTTP/1.1' }[alpn] || alpn || 'HTTP/1.1, not negotiated';
}

// Groups of eight bytes, which break a line only between them.
function showFingerprint(hex) {
  const node = at('fingerprint');
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

// What this page says of itself is true for a client that has shown a certificate.
function showHowSure(client, tls) {
  if (client) return 'Both sides verified';
  show('title', tls ? 'The server has proved who it is. You have not.' : 'Nobody has proved anything here.');
  document.querySelector('.lead').textContent = tls
    ? 'You are looking at a page over TLS. The server showed its certificate, and does not insist on one of yours.'
    : 'TLS is off: whoever is on this machine can read and change what you see.';
  return tls ? 'Only the server is verified' : 'Nobody is verified';
}

function showClient(client) {
  if (!client) {
    show('subject', 'none: the server does not know who you are');
    return;
  }
  const until = new Date(client.not_after);
  show('subject', client.subject);
  show('issuer', client.issuer);
  show('serial', client.serial);
  showFingerprint(client.fingerprint);
  show('until', until.toLocaleString('en-GB', { timeZone: 'UTC', dateStyle: 'medium', timeStyle: 'short' }) + ' UTC');
  show('remaining', remaining(until));
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
    answered = true;
    showTime(answer.timestamp);
    showClient(answer.client);
    showConnection(answer.tls);
    show('trip', (trip < 10 ? trip.toFixed(1) : trip.toFixed(0)) + ' ms');
    drawTrace(trip);
    show('live-title', 'The server, just now');
    showState('live', showHowSure(answer.client, answer.tls));
  } catch {
    drawTrace(null);
    if (answered) show('live-title', 'The server, when it last answered');
    showState('gone', 'No answer, trying again');
  }
}

async function forever() {
  for (;;) {
    await round();
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
  }
}

forever();

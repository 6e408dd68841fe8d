// The encryption between the seats of an appointment, as docs/protocol.md describes
// it. Package seal in Go does the same; both are held to one set of test vectors.

const nonceSize = 12;

const utf8 = (text) => new TextEncoder().encode(text);

function importKey(bytes) {
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

async function open(key, sealed, place) {
  const algorithm = { name: 'AES-GCM', iv: sealed.slice(0, nonceSize), additionalData: utf8(place) };
  return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed.slice(nonceSize)));
}

// newEpoch returns a random name for a session.
export function newEpoch() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return toBase64(random).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

// unwrap opens the room key of a seat.
export async function unwrap(sealKey, appointment, seat, wrapped) {
  return importKey(await open(await importKey(sealKey), wrapped, `praxisrelay room v1|${appointment}|${seat}`));
}

function messagePlace({ appointment, from, to, fromEpoch, toEpoch, seq }) {
  return `praxisrelay message v1|${appointment}|${from}|${to}|${fromEpoch}|${toEpoch}|${seq}`;
}

// sealMessage encrypts bytes for a place.
export async function sealMessage(roomKey, place, plain) {
  const iv = crypto.getRandomValues(new Uint8Array(nonceSize));
  const algorithm = { name: 'AES-GCM', iv, additionalData: utf8(messagePlace(place)) };
  return new Uint8Array([...iv, ...new Uint8Array(await crypto.subtle.encrypt(algorithm, roomKey, plain))]);
}

// openMessage is the reverse. It throws for what was not sealed for this place.
export function openMessage(roomKey, place, sealed) {
  return open(roomKey, sealed, messagePlace(place));
}

export function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

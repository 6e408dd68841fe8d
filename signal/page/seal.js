// The encryption between the seats of an appointment, as docs/protocol.md describes it. Package
// seal in Go does the same, and both are tested with the same vectors.

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

// unwrap opens the room key, which is sealed for a seat.
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

// openMessage is the reverse. It throws if the text was not sealed for this place.
export function openMessage(roomKey, place, sealed) {
  return open(roomKey, sealed, messagePlace(place));
}

// How many skipped numbers are remembered for each sender.
const maxSkipped = 1024;

// Receiver opens the messages to one client, and finds out what happened to them on their way.
// docs/protocol.md lists the findings.
export class Receiver {
  #key; #appointment; #seat; #epoch;
  #progress = new Map(); // sender's epoch -> { next, skipped }: the next number, and those that did not come

  constructor(roomKey, appointment, seat, epoch) {
    this.#key = roomKey;
    this.#appointment = appointment;
    this.#seat = seat;
    this.#epoch = epoch;
  }

  // open returns { plain, finding }. There is a message only with 'missing' or without a finding.
  // Calls must not overlap.
  async open(from, fromEpoch, seq, sealed) {
    let plain;
    try {
      if (!Number.isSafeInteger(seq)) throw new Error('not a message number');
      const place = { appointment: this.#appointment, from, to: this.#seat, fromEpoch, toEpoch: this.#epoch, seq };
      plain = await openMessage(this.#key, place, sealed);
    } catch {
      return { finding: 'altered' };
    }
    const progress = this.#progress.get(fromEpoch) ?? { next: 0, skipped: new Set() };
    this.#progress.set(fromEpoch, progress);
    if (progress.skipped.delete(seq)) return { finding: 'reordered' };
    if (seq < progress.next) return { finding: 'replayed' };
    const finding = seq > progress.next ? 'missing' : undefined;
    for (let n = progress.next; n < seq && progress.skipped.size < maxSkipped; n++) progress.skipped.add(n);
    progress.next = seq + 1;
    return { plain, finding };
  }
}

export function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// Appointment codes, as docs/protocol.md describes them: 12 letters with a check
// letter, and what is derived from them. Package code in Go does the same; both are
// held to one set of test vectors.

const alphabet = 'BCDFGHJKLMNPQRSTWXZ';
const length = 12;

// A code that cannot be one. reason is 'letters', 'length' or 'check'.
export class CodeError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

// parse reads a code as a person types it and returns its 12 letters.
export function parse(text) {
  const letters = text.toUpperCase().replace(/[-\s\u00a0\u2010\u2011\u2013]/g, '');
  if ([...letters].some((letter) => !alphabet.includes(letter))) throw new CodeError('letters');
  if (letters.length !== length) throw new CodeError('length');
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (i + 1) * alphabet.indexOf(letters[i]);
  if (sum % alphabet.length !== 0) throw new CodeError('check');
  return letters;
}

// format writes letters for people.
export function format(letters) {
  return letters.match(/.{1,4}/g).join('-');
}

// derive stretches a code: slow on purpose.
export async function derive(letters, salt, rounds) {
  const password = await crypto.subtle.importKey('raw', new TextEncoder().encode(letters), 'PBKDF2', false, ['deriveBits']);
  const root = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, password, 256);
  return {
    joinToken: await expand(root, 'praxisrelay join v1'),
    sealKey: await expand(root, 'praxisrelay seal v1'),
  };
}

// expand is HKDF-Expand-SHA-256 for 32 bytes. WebCrypto's own HKDF extracts first,
// so its one block is computed from the definition (RFC 5869, section 2.3).
async function expand(root, info) {
  const key = await crypto.subtle.importKey('raw', root, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const block = new Uint8Array([...new TextEncoder().encode(info), 1]);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, block));
}

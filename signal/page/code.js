// Appointment codes, as docs/protocol.md describes them: 12 letters, one of which is a check
// letter, and the keys derived from them. Package code in Go does the same, and both are tested
// with the same vectors.

const alphabet = 'BCDFGHJKLMNPQRSTWXZ';
const length = 12;

// CodeError says why a text is no code. reason is 'letters', 'length', 'check' or 'several'.
export class CodeError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

const separator = /[\p{Z}\p{Pd}\p{Cf}\p{Cc}\u02d7\u2043\u2212]+/u; // spaces, dashes, invisible characters
const stranger = /[^\p{L}\p{N}\p{Z}\p{Pd}\p{Cf}\p{Cc}\u02d7\u2043\u2212]+/u; // neither those nor parts of words
const ends = /^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu;
const spelled = /^[b-df-hj-np-tw-xz]*$/i;
const maxEscaped = 4; // once by each program that wrapped the link in its own

// parse reads a code as people type and paste it: with any dashes, spaces and invisible characters,
// in a link, or within a text. It returns the 12 letters.
export function parse(typed) {
  const text = unescape(typed);
  const { codes, mistyped } = find(text);
  if (codes.size === 1) return [...codes][0];
  if (codes.size > 1) throw new CodeError('several');
  if (mistyped) throw new CodeError('check');
  throw new CodeError(spelled.test(text.replace(ends, '').split(separator).join('')) ? 'length' : 'letters');
}

// find looks for successive words, with only separators between them, that spell a code.
function find(text) {
  const codes = new Set();
  let mistyped = false; // some spell a code with a wrong check letter
  for (const run of text.split(stranger)) {
    let words = run.split(separator).filter(Boolean);
    while (words.length) {
      let next = 1;
      let letters = '';
      for (let i = 0; i < words.length && spelled.test(words[i]) && letters.length < length; i++) {
        letters += words[i].toUpperCase();
        if (letters.length !== length) continue;
        if (checks(letters)) {
          codes.add(letters);
          next = i + 1;
        } else mistyped = true;
      }
      words = words.slice(next);
    }
  }
  return { codes, mistyped };
}

function checks(letters) {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (i + 1) * alphabet.indexOf(letters[i]);
  return sum % alphabet.length === 0;
}

// unescape decodes the characters that links escape.
export function unescape(text) {
  for (let i = 0; i < maxEscaped; i++) {
    text = text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => (
      new TextDecoder().decode(Uint8Array.from(run.match(/[^%]+/g), (byte) => parseInt(byte, 16)))
    ));
  }
  return text;
}

// format groups the letters for people to read.
export function format(letters) {
  return letters.match(/.{1,4}/g).join('-');
}

// derive stretches a code into its keys. It is slow on purpose.
export async function derive(letters, salt, rounds) {
  const password = await crypto.subtle.importKey('raw', new TextEncoder().encode(letters), 'PBKDF2', false, ['deriveBits']);
  const root = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds }, password, 256);
  return {
    joinToken: await expand(root, 'praxisrelay join v1'),
    sealKey: await expand(root, 'praxisrelay seal v1'),
  };
}

// expand is HKDF-Expand-SHA-256 for 32 bytes. WebCrypto's own HKDF extracts first, so the single
// block is computed from the definition (RFC 5869, section 2.3).
async function expand(root, info) {
  const key = await crypto.subtle.importKey('raw', root, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const block = new Uint8Array([...new TextEncoder().encode(info), 1]);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, block));
}

// The device that the doctor let in is let in again when it comes back soon: it shows,
// sealed, a token that the doctor's page gave it. Another device with the same code has
// none, and waits.

import { newEpoch } from './seal.js';
import { keep, kept } from './visit.js';

const maxAbsence = 10 * 60 * 1000; // in milliseconds

// grant makes the token for a seat. An older one, of another device, ends.
export function grant(seat) {
  const token = newEpoch();
  keep({ grant: { seat, token, seen: Date.now() } });
  return token;
}

// seen notes that whoever has the token is there.
export function seen() {
  if (kept().grant) keep({ grant: { ...kept().grant, seen: Date.now() } });
}

// proves reports whether a session of a seat has the token, and was not away for long.
export function proves({ seat }, token) {
  const granted = kept().grant;
  const absence = Date.now() - granted?.seen; // negative: the clock was set, so nobody knows
  return granted?.seat === seat && granted.token === token && absence >= 0 && absence < maxAbsence;
}

export function revoke() { keep({ grant: undefined }); }

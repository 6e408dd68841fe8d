// A device that the doctor let in is let in again when it comes back soon: it shows, sealed, the
// token that the doctor's page gave it. Another device with the same code has none, and waits.

import { newEpoch } from './seal.js';
import { keep, kept } from './visit.js';

const maxAbsence = 10 * 60 * 1000; // in milliseconds

// grant makes the token for a seat. An earlier token, of another device, is no longer valid.
export function grant(seat) {
  const token = newEpoch();
  keep({ grant: { seat, token, seen: Date.now() } });
  return token;
}

// seen notes that the token's holder is there.
export function seen() {
  if (kept().grant) keep({ grant: { ...kept().grant, seen: Date.now() } });
}

// proves reports whether a seat's session has the token and has not been away for long.
export function proves({ seat }, token) {
  const granted = kept().grant;
  const absence = Date.now() - granted?.seen; // negative if the clock was set back
  return granted?.seat === seat && granted.token === token && absence >= 0 && absence < maxAbsence;
}

export function revoke() { keep({ grant: undefined }); }

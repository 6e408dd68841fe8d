// What this window remembers of a consultation, so that a reload, or a phone that ends
// the window, loses nothing: until the person is done or the appointment is over.
//
//   code      its letters
//   name      as it was typed
//   at        'in' while the seat is taken, 'out' after hanging up
//   closes    when the code ends
//   window    a random name, by which a duplicate of this window is found out
//   admission, grant: see admission.js

const place = 'praxisrelay';
const patience = 1000; // for the page before a reload to end, in milliseconds

let visit = read();

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(place)) ?? {};
  } catch {
    return {}; // it is not to be had: then a reload forgets
  }
}

function write() {
  try {
    sessionStorage.setItem(place, JSON.stringify(visit));
  } catch {
    // As in read.
  }
}

export const kept = () => visit;

// keep changes what is remembered. Another code is another consultation.
export function keep(changes) {
  visit = { ...('code' in changes && changes.code !== visit.code ? {} : visit), ...changes };
  write();
}

export function forget() {
  visit = {};
  write();
}

// claim reports whether the consultation is this window's, for as long as it is open:
// a duplicate of a window has the same memory, and would take its seat.
export function claim() {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    const hold = () => new Promise(() => resolve(true));
    navigator.locks.request(`${place} ${visit.window}`, { signal: AbortSignal.timeout(patience) }, hold).catch(() => resolve(false));
  });
}

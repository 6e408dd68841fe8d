// The window's memory of a consultation, so that nothing is lost when it is reloaded, or when a
// phone discards it. It lasts until the person is done or the appointment is over.
//
//   code      the code's letters
//   name      the person's name, as typed
//   at        'in' while the seat is taken, 'out' after hanging up
//   closes    when the code expires
//   window    a random name, by which a duplicate of this window is recognized
//   admission, grant: see admission.js

const place = 'praxisrelay';
const patience = 1000; // until the page before a reload has ended, in milliseconds

let visit = read();

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(place)) ?? {};
  } catch {
    return {}; // the browser has no storage for us: a reload then forgets
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

// keep changes the memory. Another code is another consultation.
export function keep(changes) {
  visit = { ...('code' in changes && changes.code !== visit.code ? {} : visit), ...changes };
  write();
}

export function forget() {
  visit = {};
  write();
}

// claim reserves the consultation for this window as long as it is open, and reports whether that
// succeeded. A duplicate of a window has the same memory, and would take its seat.
export function claim() {
  if (!navigator.locks) return true;
  return new Promise((resolve) => {
    const hold = () => new Promise(() => resolve(true));
    navigator.locks.request(`${place} ${visit.window}`, { signal: AbortSignal.timeout(patience) }, hold).catch(() => resolve(false));
  });
}

// The page's document: its elements, and its screens, of which one is shown at a time.

export const $ = (id) => document.getElementById(id);

const screens = ['entrance', 'consultation', 'end'];

export const isShown = (screen) => !$(screen).hidden;

export function turnTo(screen) {
  for (const id of screens) $(id).hidden = id !== screen;
}

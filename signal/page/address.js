// Takes a code out of the page's address, where others might see it.

import { parse, unescape } from './code.js';

// codeIn returns the code in a text, or ''.
export function codeIn(text) {
  try {
    return parse(text);
  } catch {
    return '';
  }
}

// takeCode clears the address. It returns { code, typed }, where typed is the text that may
// have been meant as a code, or undefined if the address holds neither. In an invitation's link
// the code is behind the #, which is not sent to the server. If a mail program escaped the #, or
// left it out, the server has answered with this page.
export function takeCode() {
  const address = unescape(location.pathname + location.search + location.hash);
  const code = codeIn(address);
  const [before, ...behind] = address.split('#');
  if (!code && !behind.length && location.pathname === '/') return undefined;
  const query = /\?.+/.exec(before)?.[0] ?? '';
  history.replaceState(null, '', `/${codeIn(query) ? '' : query}`);
  return { code, typed: behind.join('#') };
}

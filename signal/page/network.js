// Notices when the device may have changed its network.

// onNetworkChange calls back when the browser reports a change, until signal is aborted.
export function onNetworkChange(callback, signal) {
  addEventListener('online', callback, { signal });
  navigator.connection?.addEventListener('change', callback, { signal });
}

// Notices that the device may have changed its network.

// onNetworkChange calls back when the browser says so, until signal is aborted.
export function onNetworkChange(callback, signal) {
  addEventListener('online', callback, { signal });
  navigator.connection?.addEventListener('change', callback, { signal });
}

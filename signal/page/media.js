// The device's camera and microphone, and the buttons that pause them.

import { show } from './words.js';

// openMedia asks for both, and for what there is of them. It returns a stream, or
// nothing.
export async function openMedia() {
  const video = { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 720 } };
  for (const wish of [{ audio: true, video }, { audio: true }, { video }]) {
    try {
      return await navigator.mediaDevices.getUserMedia(wish);
    } catch (error) {
      console.warn('media:', error.name);
    }
  }
  return undefined;
}

// showDevices says what the buttons do.
export function showDevices(stream) {
  for (const [id, tracks] of [['microphone', stream?.getAudioTracks()], ['camera', stream?.getVideoTracks()]]) {
    const track = tracks?.[0];
    const button = document.getElementById(id);
    button.disabled = !track;
    button.setAttribute('aria-pressed', String(track?.enabled ?? false));
    show(id, track?.enabled ? `${id}On` : `${id}Off`);
  }
}

// toggle pauses the tracks of a kind, or takes them up again.
export function toggle(stream, kind) {
  for (const track of stream?.getTracks() ?? []) {
    if (track.kind === kind) track.enabled = !track.enabled;
  }
  showDevices(stream);
}

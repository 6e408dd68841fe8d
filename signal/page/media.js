// The device's camera and microphone, the buttons that pause them, and the two pictures.

import { $ } from './screens.js';
import { show } from './words.js';

const devices = [['microphone', 'audio'], ['camera', 'video']];

// openMedia asks for both devices, then for either. It returns a stream, or undefined if there is
// none or the person is tired of being asked: enough is an AbortSignal.
export async function openMedia(enough) {
  const video = { facingMode: 'user', width: { ideal: 1280 }, height: { ideal: 720 } };
  const over = new Promise((resolve) => enough.addEventListener('abort', () => resolve()));
  for (const wish of [{ audio: true, video }, { audio: true }, { video }]) {
    const asked = navigator.mediaDevices.getUserMedia(wish);
    try {
      const stream = await Promise.race([asked, over]);
      if (!enough.aborted) {
        for (const track of stream.getTracks()) track.addEventListener('ended', () => showDevices(stream));
        return stream;
      }
    } catch (error) {
      console.warn('media:', error.name);
    }
    if (enough.aborted) {
      asked.then(stop, () => {}); // the answer comes too late
      break;
    }
  }
  return undefined;
}

export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

// mirror shows people themselves, at the entrance and in the consultation.
export function mirror(stream) {
  $('mirror').hidden = $('self').hidden = !stream?.getVideoTracks().length;
  $('preview').srcObject = $('self').srcObject = stream ?? null;
}

// showPartner shows the partner's picture; without one, one's own takes its place.
export function showPartner(stream) {
  $('partner').srcObject = stream ?? null;
  $('consultation').classList.toggle('alone', !stream);
}

// showDevices labels the buttons with what they do, and says so if a device is off or missing.
export function showDevices(stream) {
  for (const [id, kind] of devices) {
    const track = stream?.getTracks().find((candidate) => candidate.kind === kind);
    const ended = track?.readyState === 'ended';
    const on = track?.enabled && !ended;
    const button = $(id);
    button.disabled = !track || ended;
    button.classList.toggle('off', !on);
    show(id, `${id}.${on ? 'stop' : 'start'}`);
    show(`${id}-state`, on ? '' : `${id}.${!track ? 'none' : ended ? 'ended' : 'off'}`);
  }
}

// toggle pauses or resumes the tracks of a kind.
export function toggle(stream, kind) {
  for (const track of stream?.getTracks() ?? []) {
    if (track.kind === kind) track.enabled = !track.enabled;
  }
  showDevices(stream);
}

// sends returns which kinds of media a stream is sending, so that the partner knows what to expect.
// A track that the person paused still sends silence or black; one that the device muted sends
// nothing. A hidden page promises no picture, since phones then stop the camera.
export function sends(stream) {
  const gives = (tracks) => tracks?.some((track) => track.readyState === 'live' && !track.muted) ?? false;
  return { audio: gives(stream?.getAudioTracks()), video: gives(stream?.getVideoTracks()) && !document.hidden };
}

// Carries a session's frames by long polling until a poll fails, for networks that let no
// WebSocket through.

const pollTime = 40000; // the server holds a poll for 25 seconds
const resumeTime = 5000; // it answers the first of two posts at once
const pause = 100; // between two posts, so that frames queued together are sent together

// How much a post may hold after its first frame.
const maxFrames = 30;
const maxLetters = 3 * 16384;

// post sends frames to the server.
export function post(frames, options) {
  return fetch('/v1/signal', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ frames }),
    cache: 'no-store',
    ...options,
  });
}

// fitting returns the first frames, as many as one post may hold.
export function fitting(frames) {
  let letters = 0;
  const end = frames.slice(0, maxFrames).findIndex((frame) => (letters += JSON.stringify(frame).length) > maxLetters);
  return frames.slice(0, end < 0 ? maxFrames : Math.max(1, end));
}

export class Polling {
  #session; #take; #lost; #timer;
  #abort = new AbortController();
  #opened = false;
  #underway = 0; // posts: the server may hold one, and another may be on its way
  #last = 0; // the number of the last frame that was posted
  #posted = 0; // when

  // The parameters are Socket's.
  constructor(session, take, lost) {
    this.#session = session;
    this.#take = take;
    this.#lost = lost;
    if (session.seated) this.#probe(resumeTime);
    else this.#post();
  }

  wake() {
    if (!this.#opened || this.#timer || this.#underway > 1) return;
    if (this.#underway === 1 && !this.#session.pending(this.#last).length) return;
    this.#timer = setTimeout(() => this.#post(), Math.max(0, this.#posted + pause - performance.now()));
  }

  // check gives up the held post, whose path may be dead, and posts again.
  check(within) {
    if (!this.#opened) return;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#underway = 0;
    clearTimeout(this.#timer);
    this.#probe(within);
  }

  close() {
    this.#lost = this.#take = () => {};
    this.#lose();
  }

  // probe posts twice. The server may hold the first post until it has something to say, but answers
  // it at once when the second comes.
  #probe(within) {
    this.#post(within);
    this.#timer = setTimeout(() => this.#post(), pause);
  }

  async #post(within = pollTime) {
    this.#timer = undefined;
    this.#posted = performance.now();
    this.#underway++;
    const frames = [this.#session.opening()];
    if (this.#session.seated) frames.push(...fitting(this.#session.pending()));
    const sent = frames.at(-1).n ?? 0;
    this.#last = sent || this.#last;
    const { signal } = this.#abort;
    const deadline = setTimeout(() => this.#lose(), within);
    try {
      const response = await post(frames, { signal });
      if (!response.ok && response.status !== 429) throw new Error(`the server answered ${response.status}`);
      const answer = await response.json();
      if (signal.aborted) return;
      this.#opened = true;
      for (const frame of answer.frames) this.#take(frame);
      if (signal.aborted) return;
      // Frames that came too fast were not taken, and are sent again.
      const missed = this.#session.pending().find(({ n }) => n <= sent);
      if (missed) this.#last = Math.min(this.#last, missed.n - 1);
      this.#underway--;
      this.wake();
    } catch (error) {
      if (signal.aborted) return;
      console.warn('polling:', error.message);
      this.#lose();
    } finally {
      clearTimeout(deadline);
    }
  }

  #lose() {
    clearTimeout(this.#timer);
    this.#abort.abort();
    const lost = this.#lost;
    this.#lost = this.#take = () => {};
    lost(this.#opened);
  }
}

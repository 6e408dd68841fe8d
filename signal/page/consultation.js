// A consultation, from taking the seat to leaving it: who is there, who is let in, and the call.
// The call belongs to one session of the partner; the connection to the server may come and go.

import { grant, proves, revoke, seen } from './admission.js';
import { Call } from './call.js';
import { Credential } from './credential.js';
import { complain, inform } from './entrance.js';
import { Knock } from './knock.js';
import { mirror, showDevices, showPartner, stop, toggle } from './media.js';
import { $, isShown, turnTo } from './screens.js';
import { Signaling } from './signaling.js';
import { keep, kept } from './visit.js';
import { show, tidy } from './words.js';

// How long the server may take to answer once nothing arrives from the partner, in milliseconds.
// Another way is negotiated through the server, so a dead connection to it must be noticed soon.
const stallCheck = 700;

// How often the doctor's page asks the server why there is no call, in milliseconds.
const explainEvery = 10000;

export class Consultation {
  #stream; #ended; #signaling; #credential; #call; #wondering;
  #partner; // { seat, epoch, admitted, name, gone, stream }; gone: the server has lost it
  #admitted = new Set(); // epochs that this page let in
  #knock = new Knock();
  #connected = false; // the call
  #unreachable = false; // the server
  #asked = false; // for another way, while the server is unreachable
  #listening = new AbortController();

  // options are those of the page's address; ended(error) is called when the server ends it.
  constructor(keys, maxMessage, stream, options, ended) {
    this.#stream = stream;
    this.#ended = ended;
    this.#credential = new Credential(options, () => this.#signaling.renew());
    this.#signaling = new Signaling(keys, maxMessage, this, options.get('signaling') === 'poll');
    addEventListener('online', () => { if (this.#connected) this.#restart(); }, { signal: this.#listening.signal });
  }

  get connected() { return this.#connected; }

  get hasCall() { return Boolean(this.#call); }

  // --- what the person does

  toggle(kind) { toggle(this.#stream, kind); }

  admit() {
    this.#letIn();
    this.#signaling.send(this.#partner, { admission: grant(this.#partner.seat) });
    $('status').focus(); // the button that had the focus is gone
  }

  // hangUp tells the partner, who would otherwise wait until the network notices.
  hangUp() { this.#signaling.hangUp(this.#partner, { bye: true }); }

  // leave gives the seat up, as the page goes.
  leave() { this.#signaling.leave(); }

  // close ends the call and frees the devices.
  close() {
    this.#listening.abort();
    this.#endCall();
    this.#credential.close();
    clearInterval(this.#wondering);
    stop(this.#stream);
    mirror();
    show('warning');
  }

  // --- Signaling's handlers

  welcome({ seat, present, closes }) {
    keep({ at: 'in', closes });
    showDevices(this.#stream);
    if (!this.#connected) this.#showWaiting();
    if (!isShown('consultation')) {
      turnTo('consultation');
      $('status').focus();
    }
    clearInterval(this.#wondering);
    if (seat === 'doctor') this.#wondering = setInterval(() => this.#wonder(), explainEvery);
    for (const session of present) this.joined(session);
  }

  ice(ice) {
    this.#credential.take(ice);
    this.#call?.configure(this.#credential.configuration);
    this.#connect();
  }

  // joined is about a session of the partner that is new, was let in, or came back.
  joined(session) {
    if (this.#partner?.epoch !== session.epoch) {
      this.#endCall();
      this.#partner = { name: '' };
    }
    const partner = Object.assign(this.#partner, session, { gone: false });
    this.#signaling.send(partner, { name: kept().name, admission: kept().admission });
    if (partner.admitted) this.#admitted.add(partner.epoch);
    else if (this.#isDoctor && this.#admitted.has(partner.epoch)) this.#signaling.admit(partner);
    this.#showKnock();
    this.#connect();
  }

  // left does not end the call: media does not need the server.
  left({ epoch }) {
    if (this.#partner?.epoch !== epoch) return;
    this.#partner.gone = true;
    this.#showKnock();
    this.#showLeft();
  }

  message(from, object) {
    if (from.epoch !== this.#partner?.epoch) return;
    if (object.bye) {
      if (this.#admitted.has(from.epoch)) revoke(); // whoever comes back after that has to knock
      this.#endCall();
      show('status', 'left');
    } else if ('name' in object) {
      this.#partner.name = tidy(object.name);
      if (this.#isDoctor && !this.#admitted.has(from.epoch) && proves(from, object.admission)) this.#letIn();
      this.#showKnock();
      if (this.#connected) this.#changed('connected');
    } else if ('admission' in object) {
      if (!this.#isDoctor) keep({ admission: String(object.admission).slice(0, 60) });
    } else {
      this.#call?.receive(object);
    }
  }

  // explanation is shown when something is wrong. While the partner is not there yet, a cause that
  // is nobody's fault is no news.
  explanation({ cause, side, text }) {
    const news = !this.#connected && (side !== 'nobody' || (this.#call && cause !== 'connecting'));
    show('explanation', news ? 'explanation' : '', text);
  }

  tampered() { show('warning', 'tampered'); }

  // back repeats a search for another way that had no server.
  back() {
    this.#unreachable = this.#asked = false;
    if (this.#call && !this.#call.connected) this.#restart();
  }

  lost() {
    this.#unreachable = true;
    if (!isShown('consultation')) complain('offline');
    else if (!this.#connected) show('status', 'offline');
  }

  // maintenance does not concern a call that is connected.
  maintenance(error) {
    this.#unreachable = true;
    if (!isShown('consultation')) inform('maintenance', error);
    else if (!this.#connected) show('status', 'maintenance', error);
  }

  ended(error) { this.#ended(error); }

  // --- the call

  get #isDoctor() { return this.#signaling.seat === 'doctor'; }

  #letIn() {
    this.#admitted.add(this.#partner.epoch);
    this.#signaling.admit(this.#partner);
    this.#showKnock();
    show('status', 'connecting');
  }

  // connect begins the call as soon as both are let in, or restarts one that is not connected.
  #connect() {
    if (this.#call) {
      if (!this.#call.connected) this.#call.restart();
      return;
    }
    const partner = this.#partner;
    const { configuration } = this.#credential;
    if (!partner) return;
    if (!configuration || (this.#isDoctor && !partner.admitted)) {
      if (!this.#isDoctor) show('status', 'admission');
      else if (!this.#admitted.has(partner.epoch)) show('status'); // the knock says who waits
      return;
    }
    const current = () => this.#partner === partner;
    this.#call = new Call(configuration, this.#stream, this.#isDoctor, {
      send: (object) => this.#signaling.send(partner, object),
      track: (remote) => {
        partner.stream = remote;
        showPartner(remote);
      },
      state: (state) => { if (current()) this.#changed(state); },
      quiet: () => this.#signaling.check(stallCheck),
      stalled: () => { if (current()) this.#stalled(); },
    });
    show('status', 'connecting');
  }

  // endCall ends the call and waits for a partner again.
  #endCall() {
    this.#call?.close();
    this.#call = this.#partner = undefined;
    this.#connected = false;
    showPartner();
    show('explanation');
    this.#showKnock();
  }

  // stalled looks for another way when nothing arrives: the network may have changed.
  #stalled() {
    if (this.#partner.gone) {
      this.#showLeft();
      return;
    }
    this.#signaling.check(stallCheck);
    this.#restart();
  }

  // restart asks the partner for another way. While the server is unreachable it asks once: the
  // request waits, and another one would not help.
  #restart() {
    if (this.#unreachable && this.#asked) return;
    this.#asked = this.#unreachable;
    this.#credential.freshen();
    this.#call.restart();
  }

  #changed(state) {
    this.#connected = state === 'connected';
    if (this.#connected) {
      showPartner(this.#partner.stream);
      show('explanation');
      show('status', 'connected', this.#partner);
    } else if (state === 'connecting') show('status', 'connecting');
    else if (state === 'disconnected' || state === 'failed') {
      if (this.#partner.gone) this.#showWaiting();
      else show('status', 'reconnecting');
    }
  }

  // wonder asks why there is no call, unless the doctor has yet to let somebody in.
  #wonder() {
    if (!this.#partner?.gone && this.#admitted.has(this.#partner?.epoch)) seen();
    if (!this.#connected && !this.#unreachable && $('admission').hidden) this.#signaling.explain();
  }

  // --- what is shown

  #showKnock() {
    const partner = this.#partner;
    const waits = partner && this.#isDoctor && !partner.gone && !this.#admitted.has(partner.epoch);
    this.#knock.show(waits ? partner : undefined);
  }

  #showLeft() {
    if (this.#connected) return;
    showPartner();
    this.#showWaiting();
  }

  #showWaiting() { show('status', `waiting.${this.#signaling.seat}`); }
}
